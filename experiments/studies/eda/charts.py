"""Pictures of a data set, drawn from aggregates."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import FuncFormatter

from core.units import short_count
from experiments.page.figure import COLOURS, GREY, is_narrow
from jobs.prepare.explore import BINS, INTERVALS, bin_range

_COLUMNS = 3
_NAMED_BARS = 12


def interval_name(number: int) -> str:
    """Write one of `jobs.prepare.explore.INTERVALS`."""
    least, most = INTERVALS[number]
    return f"{least} to {most}" if most is not None else f"over {least - 1}"


def range_name(number: int) -> str:
    """Write the counts of a bin: "0", "1", "2-3", "4-7"."""
    least, most = bin_range(number)
    return f"{least:,}" if least == most else f"{least:,}\u2013{most:,}"


def columns(axes: Any, names: Sequence[str], counts: Sequence[float], x: str, y: str) -> None:
    """Draw one column a name, with its count where there is room for it."""
    places = range(len(names))
    axes.bar(places, counts, width=0.8, color=COLOURS[0])
    if len(names) <= (_NAMED_BARS // 2 if is_narrow(axes) else _NAMED_BARS):
        for place, count in zip(places, counts, strict=True):
            axes.annotate(short_count(count), (place, count), (0, 3), textcoords="offset points", ha="center", fontsize=8.5)  # fmt: skip
    _named(axes, names)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.12)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def two(axes: Any, sides: Mapping[str, Mapping[int, int]], x: str) -> None:
    """Draw the share of each side's members in each bin, side by side."""
    bins = range(min(min(found) for found in sides.values()), max(max(found) for found in sides.values()) + 1)
    width = 0.8 / len(sides)
    for number, (name, found) in enumerate(sides.items()):
        total = sum(found.values())
        places = [place + (number - (len(sides) - 1) / 2) * width for place in range(len(bins))]
        shares = [100 * found.get(bin_, 0) / total for bin_ in bins]
        axes.bar(places, shares, width=width, label=name, color=COLOURS[number])
    _named(axes, [range_name(bin_) for bin_ in bins])
    axes.grid(visible=False, axis="x")
    axes.set_xlabel(x)
    axes.set_ylabel("% of them")
    axes.legend()


def averages(axes: Any, bins: Sequence[Mapping[str, Any]], x: str, overall: float | None) -> None:
    """Draw mean, median and 10-90% band of averages by a count, and the number of members in each bin."""
    places = [row["bin"] for row in bins]
    low, middle, high = ([row["quantiles"][at] for row in bins] for at in range(3))
    axes.fill_between(places, low, high, color=COLOURS[0], alpha=0.2, linewidth=0, label="10\u201390%")
    axes.plot(places, middle, color=COLOURS[0], label="median")
    axes.plot(places, [row["mean"] for row in bins], "o", color=COLOURS[1], markersize=6, label="mean")
    if overall is not None:
        axes.axhline(overall, linestyle="--", linewidth=1, color=GREY, label="all ratings")
    least, most = axes.get_ylim()
    axes.set_ylim(least, most + 0.14 * (most - least))
    if not is_narrow(axes):
        for place, row in zip(places, bins, strict=True):
            axes.annotate(
                short_count(row["n"]), (place, most + 0.05 * (most - least)), ha="center", fontsize=8.5
            )
    _named(axes, [range_name(number) for number in range(places[0], places[-1] + 1)], places[0])
    axes.set_xlim(places[0] - 0.5, places[-1] + 0.5)
    axes.set_xlabel(x)
    axes.set_ylabel("average rating")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2 if is_narrow(axes) else 4)


def rows(axes: Any, names: Sequence[str], counts: Sequence[float], x: str) -> None:
    """Draw one bar a name, the longest on top."""
    axes.barh(range(len(names)), counts, height=0.7, color=COLOURS[0])
    for row, count in enumerate(counts):
        axes.annotate(
            short_count(count), (count, row), (4, 0), textcoords="offset points", va="center", fontsize=8.5
        )
    axes.set_yticks(range(len(names)), [name if len(name) <= 28 else f"{name[:27]}\u2026" for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
    axes.margins(x=0.12)
    axes.set_xlabel(x)


def panels(axes: Any, features: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw the histogram of each feature in a panel of its own, with its median."""
    across = 2 if is_narrow(axes) else _COLUMNS
    figure = axes.get_figure()
    axes.remove()
    grid = figure.subplots(panel_rows(len(features), across), across, squeeze=False).ravel()
    for panel, (name, found) in zip(grid, features.items(), strict=False):
        low, high = found["low"], found["high"]
        step = (high - low) / BINS or 1.0
        lefts = [low + step * number for number in range(BINS)]
        panel.bar(lefts, found["counts"], width=step, align="edge", color=COLOURS[0], linewidth=0)
        panel.axvline(found["quantiles"][2], color=COLOURS[1], linewidth=1.5)
        panel.set_title(name, fontsize=10)
        panel.grid(visible=False)
        panel.set_yticks([])
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
        panel.tick_params(labelsize=8)
    for panel in grid[len(features) :]:
        panel.remove()


def panel_rows(count: int, across: int = _COLUMNS) -> int:
    """Return how many rows of panels so many features take."""
    return -(-count // across)


def _named(axes: Any, names: Sequence[str], first: int = 0) -> None:
    crowded = len(names) > 6 if is_narrow(axes) else len(names) > 10
    style = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    axes.set_xticks(range(first, first + len(names)), names, **style)
