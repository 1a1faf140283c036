"""The pictures of a report, as PNG bytes, on a light or a dark ground."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from experiments.analysis import Compared, spread
from experiments.numbers import TOTAL, phases, quality
from experiments.outcome import Outcome
from experiments.tables import side

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#7f7f7f")
GREY = "#8b949e"
_THEMES = {"light": ("#ffffff", "#1b1f24", "#d0d7de"), "dark": ("#161b22", "#e6edf3", "#3d444d")}
MOST_BARS = 40


@dataclass(frozen=True)
class Plot:
    """One picture: a name for its file, what it shows in a sentence, and how it is drawn."""

    name: str
    caption: str
    draw: Callable[[Any], None]
    size: tuple[float, float]

    def png(self, theme: str) -> bytes:
        """Draw it for a "light" or "dark" page."""
        ground, ink, grid = _THEMES[theme]
        style: dict[str, Any] = {
            "figure.facecolor": ground, "axes.facecolor": ground, "savefig.facecolor": ground, "text.color": ink,
            "axes.labelcolor": ink, "axes.edgecolor": grid, "xtick.color": ink, "ytick.color": ink,
            "grid.color": grid, "axes.grid": True, "axes.axisbelow": True, "font.size": 11, "lines.color": ink,
            "axes.prop_cycle": plt.cycler(color=list(COLOURS)), "axes.spines.top": False,
            "axes.spines.right": False, "legend.frameon": False,
        }  # fmt: skip
        with mpl.rc_context(style):
            figure, axes = plt.subplots(figsize=self.size, layout="constrained")
            self.draw(axes)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
            plt.close(figure)
        return buffer.getvalue()


def plots(outcomes: Sequence[Outcome]) -> Iterator[Plot]:
    """Yield the pictures that these trials have numbers for."""
    timed = [outcome for outcome in outcomes if spread(outcome, TOTAL)]
    if timed and len(timed) <= MOST_BARS:
        caption = "Median seconds of each phase in one pass; whiskers from the least to the most repeat of all phases."
        yield Plot("phases", caption, lambda axes: _bars(axes, timed), (7.5, 1.2 + 0.42 * len(timed)))
    sizes = _sizes(timed)
    if sizes:
        caption = "Median seconds of one pass over the rows of the data set, both axes logarithmic."
        yield Plot("rows", caption, lambda axes: _rows(axes, sizes), (7.5, 4.2))
    rated = [outcome for outcome in timed if "rmse" in quality(outcome)]
    if rated and len(rated) <= MOST_BARS:
        caption = "RMSE of each trial beside that of the global mean and the bias baseline on the same rows."
        yield Plot("rmse", caption, lambda axes: _rmse(axes, rated), (7.5, 1.4 + 0.42 * len(rated)))


def _bars(axes: Any, outcomes: Sequence[Outcome]) -> None:
    named = list(dict.fromkeys(phase for outcome in outcomes for phase in phases(outcome)))
    left = [0.0] * len(outcomes)
    for phase in named:
        found = [spread(outcome, phase) for outcome in outcomes]
        widths = [item.median if item else 0.0 for item in found]
        axes.barh(range(len(outcomes)), widths, left=left, height=0.62, label=phase)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    totals = [spread(outcome, TOTAL) for outcome in outcomes]
    for row, (end, total) in enumerate(zip(left, totals, strict=True)):
        if total:
            axes.hlines(row, total.least, total.most, linewidth=1.5)
            axes.annotate(f" {total.median:.1f} s", (max(end, total.most), row), va="center", fontsize=9)
    _rows_named(axes, outcomes)
    axes.set_xlabel("seconds")
    axes.margins(x=0.12)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(named))


def _sizes(outcomes: Sequence[Outcome]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for outcome in outcomes:
        total = spread(outcome, TOTAL)
        if total and outcome.data:
            name = f"{outcome.values.get('model', outcome.job)} {outcome.size}"
            found.setdefault(name, []).append((outcome.data["rows"], total.median))
    return {name: sorted(points) for name, points in found.items() if len({rows for rows, _ in points}) > 1}


def _rows(axes: Any, sizes: Mapping[str, list[tuple[int, float]]]) -> None:
    for name, points in sizes.items():
        axes.plot([rows for rows, _ in points], [seconds for _, seconds in points], "o-", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("rows")
    axes.set_ylabel("seconds")
    axes.legend()


def _rmse(axes: Any, outcomes: Sequence[Outcome]) -> None:
    values = [quality(outcome) for outcome in outcomes]
    rows = range(len(outcomes))
    for name, marker, label in (
        ("rmse_global_mean", "|", "global mean"),
        ("rmse_bias", "D", "bias"),
        ("rmse", "o", "model"),
    ):
        at = [(item[name], row) for row, item in zip(rows, values, strict=True) if name in item]
        xs, ys = [x for x, _ in at], [y for _, y in at]
        axes.plot(xs, ys, marker, markersize=9, markeredgewidth=2, label=label, linestyle="none")
    for row, item in zip(rows, values, strict=True):
        text = f"  {item['rmse']:.4f}" + (f", {item['coverage']:.0%} scored" if "coverage" in item else "")
        axes.annotate(text, (item["rmse"], row), (0, 7), textcoords="offset points", fontsize=8)
    _rows_named(axes, outcomes)
    axes.set_xlabel("RMSE on the test rows")
    axes.margins(x=0.15, y=0.1)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def ratios(axes: Any, compared: Sequence[Compared]) -> None:
    """Draw how many times as fast each contender is."""
    for row, item in enumerate(compared):
        axes.plot(item.result.ratio, row, "o", color=COLOURS[0], markersize=9)
        if item.result.low is not None:
            axes.hlines(row, item.result.low, item.result.high, color=COLOURS[0])
        axes.annotate(
            f"{item.result.ratio:.2f}\u00d7", (item.result.ratio, row), (0, 8), textcoords="offset points"
        )
    names = [f"{side(item.contender)} over {side(item.baseline)}\n{item.where}".strip() for item in compared]
    axes.set_yticks(range(len(compared)), names)
    axes.invert_yaxis()
    axes.axvline(1.0, linestyle="--", linewidth=1, color=GREY)
    axes.set_xlim(left=0)
    axes.margins(x=0.15, y=0.3)
    axes.set_xlabel("times as fast")


def _rows_named(axes: Any, outcomes: Sequence[Outcome]) -> None:
    axes.set_yticks(range(len(outcomes)), [outcome.label for outcome in outcomes])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
