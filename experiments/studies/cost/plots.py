"""Pictures of Spark's times over its cores, with one thread's time as a line."""

import statistics
from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from experiments.metric_table import metric_name
from experiments.stats.summaries import Spread, spread
from experiments.studies.cost.verdict import Match, Point, curve, shapes

_WIDE = 6.0  # ratio of the longest to the shortest time from which on the axis is logarithmic


def over_cores(axes: Any, match: Match, points: Sequence[Point]) -> None:
    """Draw Spark's seconds of a fit over its worker cores, and one thread's as a horizontal line."""
    assert match.single is not None
    alone = spread(match.single, "fit")
    assert alone is not None
    axes.axhline(alone.median, color="C1", linewidth=2, label="one thread")
    axes.axhspan(*_ends(alone), color="C1", alpha=0.2, linewidth=0)
    found = [(point, item) for point in points if (item := spread(point.trial, "fit")) is not None]
    axes.plot(
        [point.cores for point, _ in found], [item.median for _, item in found], color="C0", linewidth=1
    )
    for number, (point, item) in enumerate(found):
        clean = point.trial.shape_tag == "clean"
        axes.plot(
            point.cores, item.median, "x" if point.refused else "o", markersize=9, color="C0",
            markerfacecolor="C0" if clean else axes.get_facecolor(), label=match.rivals.counterpart if number == 0 else None,
        )  # fmt: skip
        axes.vlines(point.cores, *_ends(item), color="C0")
        axes.annotate(
            f"{item.median:.1f} s", (point.cores, item.median), (8, 6), textcoords="offset points", fontsize=9
        )
    axes.annotate(
        f"{alone.median:.1f} s", (0.01, alone.median), (0, 5), xycoords=("axes fraction", "data"),
        textcoords="offset points", fontsize=9,
    )  # fmt: skip
    _scaled(axes, [alone.median, *(item.median for _, item in found)])
    cores = sorted({point.cores for point, _ in found})
    if cores and cores[-1] >= 8 * cores[0]:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(cores, [str(number) for number in cores])
    axes.margins(x=0.15, y=0.2)
    axes.set_xlabel("worker cores in all")
    axes.set_ylabel("seconds of a fit")
    axes.legend()


def over_time(axes: Any, match: Match) -> None:
    """Draw the quality of each side over the seconds of its fit."""
    assert match.single is not None
    assert match.target is not None
    metric = match.rivals.metric
    alone = [item for item in match.rivals.singles if item.size == match.single.size]
    sides = [("one thread", "C1", "o", alone)]
    sides += [
        (f"{match.rivals.counterpart} {trials[0].size}", f"C{(0, 2, 3, 4, 5, 6)[number % 6]}", "s", trials)
        for number, trials in enumerate(shapes(match.rivals))
        if trials[0].shape_tag != "oversubscribed"
    ]
    for label, colour, marker, trials in sides:
        drawn = curve(trials, metric)
        axes.plot(
            [item[1] for item in drawn], [item[2] for item in drawn], marker=marker, color=colour, label=label
        )
        for number, time, value in drawn:
            axes.annotate(str(number), (time, value), (4, -12), textcoords="offset points", fontsize=8)
    axes.axhline(match.target, linestyle="--", linewidth=1, color="#8b949e")
    times = [
        statistics.median(s.applications) for side in sides for item in side[3] if (s := spread(item, "fit"))
    ]
    _scaled(axes, times, "x")
    axes.margins(x=0.1, y=0.15)
    axes.set_xlabel("seconds of a fit (numbers: iterations)")
    axes.set_ylabel(metric_name(metric))
    axes.legend()


def _ends(item: Spread) -> tuple[float, float]:
    if item.low is None or item.high is None:
        return item.least, item.most
    return item.low, item.high


def _scaled(axes: Any, values: Sequence[float], axis: str = "y") -> None:
    """Begin an axis at zero, or make it logarithmic where the values differ much."""
    if max(values) > _WIDE * min(values):
        getattr(axes, f"set_{axis}scale")("log")
        side = getattr(axes, f"{axis}axis")
        side.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        side.set_major_formatter(FormatStrFormatter("%g"))
        side.set_minor_formatter(NullFormatter())
    else:
        getattr(axes, f"set_{axis}lim")(0, 1.15 * max(values))
