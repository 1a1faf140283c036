"""The pictures of scaling: speed-up with intervals and fitted laws, and efficiency."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from experiments.page.plots import COLOURS, GREY, Plot
from experiments.stats.fits import NAMES
from experiments.studies.scaling.curves import Curve, Point

_STYLES = {"amdahl": "-", "usl": "-."}
MOST_CURVES = len(COLOURS)
_MOST_FITTED = 2  # more curves than this are drawn without their fits, or nobody can read them
_HOLLOW = "Hollow: shared-host (driver and servers compete for the same cores). "


def pictures(curves: Sequence[Curve]) -> Iterator[Plot]:
    """Yield what the curves have points for; refused, oversubscribed and changed ones are left out."""
    for kind in ("strong", "weak"):
        shown = [item for item in curves if item.kind == kind and item.claimed and len(_drawn(item)) > 1]
        if shown:
            yield from _of_kind(kind, shown[:MOST_CURVES], len(shown))


def _of_kind(kind: Literal["strong", "weak"], shown: Sequence[Curve], of: int) -> Iterator[Plot]:
    strong = kind == "strong"
    some = "" if of == len(shown) else f" The first {len(shown)} of {of} curves."
    hollow = _HOLLOW if any(p.outcome.shape_tag == "shared-host" for c in shown for p in _drawn(c)) else ""
    fitted = strong and len(shown) <= _MOST_FITTED and any(_good(item) for item in shown)
    caption = (
        f"{'Speed-up' if strong else 'Scaled speed-up'} against the smallest shape, all phases together, with 95% "
        f"intervals where there are five applications. {'Lines: fitted laws. ' if fitted else ''}{hollow}Dashed: ideal.{some}"
    )
    name = "speedup" if strong else "weak_speedup"
    yield Plot(name, caption, lambda axes: _speedups(axes, shown, fitted=fitted), (7.5, 4.2))
    caption = f"Efficiency: the speed-up as a share of the ideal one, with 95% intervals. {hollow}{some}"
    name = "efficiency" if strong else "weak_efficiency"
    yield Plot(name, caption.strip(), lambda axes: _efficiencies(axes, shown), (7.5, 3.4))


def _speedups(axes: Any, curves: Sequence[Curve], *, fitted: bool) -> None:
    most = max(point.size for item in curves for point in _drawn(item))
    axes.plot([1, most], [1, most], linestyle="--", linewidth=1, color=GREY, label="ideal")
    for number, item in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        points = _drawn(item)
        if fitted:
            _laws(axes, item, most, "" if len(curves) == 1 else f"{item.name}: ")
        for point in points:
            assert point.ratio.ratio is not None
            _mark(axes, point, (point.ratio.ratio, point.ratio.low, point.ratio.high), colour)
        joined = "none" if fitted and _good(item) else "-"
        values = [point.ratio.ratio for point in points]
        sizes = [point.size for point in points]
        axes.plot(sizes, values, linestyle=joined, marker="o", markersize=4, color=colour, label=item.name)
    _named(axes, curves)
    axes.set_ylabel("speed-up")
    axes.set_ylim(bottom=0)
    axes.legend()


def _laws(axes: Any, curve: Curve, most: float, prefix: str) -> None:
    sizes = np.linspace(1, most, 120)
    for number, law in enumerate(_good(curve), start=1):
        values = [law.speedup(size) for size in sizes]
        label = f"{prefix}{NAMES[law.law]}"
        axes.plot(
            sizes, values, linestyle=_STYLES[law.law], color=COLOURS[-number], linewidth=1.3, label=label
        )


def _efficiencies(axes: Any, curves: Sequence[Curve]) -> None:
    axes.axhline(1.0, linestyle="--", linewidth=1, color=GREY)
    for number, item in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        points = _drawn(item)
        for point in points:
            low, high = (
                None if end is None else end / point.size for end in (point.ratio.low, point.ratio.high)
            )
            assert point.efficiency is not None
            _mark(axes, point, (point.efficiency, low, high), colour)
        axes.plot([p.size for p in points], [p.efficiency for p in points], color=colour, label=item.name)
    _named(axes, curves)
    axes.set_ylabel("efficiency")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:.0%}")
    if len(curves) > 1:
        axes.legend()


def _mark(axes: Any, point: Point, value: tuple[float, float | None, float | None], colour: str) -> None:
    at, low, high = value
    full = colour if point.outcome.shape_tag == "clean" else axes.get_facecolor()
    if low is not None and high is not None:
        axes.vlines(point.size, low, high, color=colour, linewidth=1.5)
    axes.plot(point.size, at, "o", markersize=8, color=colour, markerfacecolor=full, zorder=3)
    if point.outcome.shape_tag != "clean":
        tag, place = point.outcome.shape_tag, (0, -16)
        axes.annotate(tag, (point.size, at), place, textcoords="offset points", fontsize=7, ha="center")


def _named(axes: Any, curves: Sequence[Curve]) -> None:
    """Name the shapes under the axis where all curves have the same, else count in units of the smallest."""
    sizes: dict[float, set[str]] = {}
    for item in curves:
        for point in _drawn(item):
            sizes.setdefault(round(point.size, 6), set()).add(str(point.outcome.size))
    axes.set_xticks(sorted(sizes))
    if all(len(names) == 1 for names in sizes.values()) and len(sizes) <= 8:
        axes.set_xticklabels([next(iter(sizes[size])) for size in sorted(sizes)], fontsize=9)
        axes.set_xlabel("cluster shape (workers \u00d7 cores), spaced by cores")
    else:
        axes.set_xlabel("cores in units of the smallest shape")


def _drawn(curve: Curve) -> list[Point]:
    return [point for point in curve.points if point.drawn]


def _good(curve: Curve) -> list[Any]:
    return [item for item in curve.fits if item.described == "yes"]
