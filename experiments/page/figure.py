"""One picture of a report: drawn as SVG that takes on the colours of the page around it, and as files."""

import html
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

# Light and dark tones of one hue each; all have a contrast of at least 3 to 1 with their ground.
COLOURS = ("#0072b2", "#b86e00", "#00805f", "#b04a87", "#2b87b8", "#c8452b", "#7d7300", "#6b7280")
DARK_COLOURS = ("#4aa8e8", "#f0ab33", "#2fc99b", "#e391c0", "#8fd0f5", "#ff8a5c", "#d9cc3a", "#a8b0ba")
GREY = "#838b96"  # on both grounds
GROUND, INK, LINE = "#fffffe", "#1b1f24", "#d0d7de"
DARK_GROUND, DARK_INK, DARK_LINE = "#161b22", "#e6edf3", "#3d444d"
NARROW_IN = 5.0
"""Figures of less than so many inches are for phones: few words, short legends."""

_NAMES = ("ground", "ink", "line", *(f"c{number}" for number in range(len(COLOURS))))
_LIGHT = (GROUND, INK, LINE, *COLOURS)
_DARK = (DARK_GROUND, DARK_INK, DARK_LINE, *DARK_COLOURS)
PALETTES = {
    "light": dict(zip(_NAMES, _LIGHT, strict=True)),
    "dark": dict(zip(_NAMES, _DARK, strict=True)),
}
"""Colours of a page's variables (--ground, --ink, --line, --c0...) on each ground."""

_VARIABLES = {colour: f"var(--{name})" for name, colour in PALETTES["light"].items()}
_DPI = 110


@dataclass(frozen=True)
class Plot:
    """One picture.

    Attributes:
        name: for its files; unique within a report.
        caption: what it shows in a sentence.
        draw: draws it on a matplotlib axes. Colours of `COLOURS`, and those that matplotlib takes by itself, follow the
            page's theme; any other stays as it is.
        size: width and height in inches.
        alt: for those who cannot see it; the caption if empty.
        narrow: size of a second drawing for phones; without one the first can be moved sideways there.
    """

    name: str
    caption: str
    draw: Callable[[Any], None]
    size: tuple[float, float]
    alt: str = ""
    narrow: tuple[float, float] | None = None

    @property
    def svg(self) -> str:
        """A whole SVG file on a light ground; its words are text."""
        return self._files[0]

    def inline(self) -> Iterator[tuple[str, str]]:
        """Yield ("wide" or "narrow", SVG for a page that defines the variables of `PALETTES`)."""
        yield "wide", inlined(self.svg, self.alt or self.caption)
        if self.narrow:
            with self._drawn("light", self.narrow) as figure:
                yield "narrow", inlined(_svg(figure), self.alt or self.caption)

    def png(self, theme: str = "light") -> bytes:
        """Draw it for a "light" or "dark" page."""
        if theme == "light":
            return self._files[1]
        with self._drawn(theme, self.size) as figure:
            return _png(figure)

    @cached_property
    def _files(self) -> tuple[str, bytes]:
        with self._drawn("light", self.size) as figure:
            return _svg(figure), _png(figure)

    @contextmanager
    def _drawn(self, theme: str, size: tuple[float, float]) -> Iterator[Any]:
        """Draw it and settle its layout, which takes longest, once for all formats."""
        with _style(theme, f"{self.name} {size}"):
            figure, axes = plt.subplots(figsize=size, layout="constrained", dpi=_DPI)
            try:
                self.draw(axes)
                figure.draw_without_rendering()
                figure.set_layout_engine("none")
                yield figure
            finally:
                plt.close(figure)


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def is_narrow(axes: Any) -> bool:
    """Whether this drawing is for a phone."""
    return bool(axes.get_figure().get_figwidth() < NARROW_IN)


def inlined(svg: str, alt: str) -> str:
    """Turn an SVG file into an element of a page: colours by variable, no ids that two pictures could share."""
    box = re.search(r'viewBox="([^"]+)"', svg)
    assert box
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    for junk in (r"<metadata>.*?</metadata>", r"<style.*?</style>", r"<!--.*?-->"):
        body = re.sub(junk, "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body).replace("xlink:href", "href")
    body = re.sub(r' (d|transform|x|y)="[^"]*"', _rounded, body)
    body = re.sub(r"#[0-9a-f]{6}\b", lambda found: _VARIABLES.get(found[0], found[0]), body)
    label = html.escape(alt, quote=True)
    width = float(box[1].split()[2]) * 96 / 72
    head = f'<svg viewBox="{box[1]}" role="img" aria-label="{label}" style="max-width: {width:.0f}px">'
    return head + re.sub(r"\n\s*", "\n", body)


def _rounded(found: re.Match[str]) -> str:
    return re.sub(r"(\.\d\d)\d+", r"\1", found[0])


@contextmanager
def _style(theme: str, salt: str) -> Iterator[None]:
    palette = PALETTES[theme]
    ground, ink, line = palette["ground"], palette["ink"], palette["line"]
    colours = [palette[name] for name in _NAMES[3:]]
    style: dict[str, Any] = {
        "figure.facecolor": ground, "axes.facecolor": ground, "savefig.facecolor": ground, "text.color": ink,
        "axes.labelcolor": ink, "axes.edgecolor": line, "xtick.color": ink, "ytick.color": ink,
        "grid.color": line, "grid.linewidth": 0.6, "axes.grid": True, "axes.axisbelow": True, "font.size": 10.5,
        "lines.color": ink, "axes.prop_cycle": plt.cycler(color=colours), "axes.spines.top": False,
        "axes.spines.right": False, "legend.frameon": False, "legend.fontsize": 9.5, "xtick.labelsize": 9.5,
        "ytick.labelsize": 9.5, "svg.fonttype": "none", "svg.hashsalt": salt, "axes.unicode_minus": True,
    }  # fmt: skip
    with mpl.rc_context(style):
        yield
