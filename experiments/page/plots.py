"""The pictures of an experiment's trials."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from textwrap import fill
from typing import Any

from experiments.metric_table import BIAS, COVERAGE, MEAN, RMSE, TOTAL
from experiments.page.figure import COLOURS, GREY, Plot, is_narrow
from experiments.page.tables import side
from experiments.results.metrics import medians, phases, quality
from experiments.results.outcome import Outcome
from experiments.spec.tables import MODEL
from experiments.stats.faster import Compared
from experiments.stats.summaries import spread

__all__ = ["COLOURS", "GREY", "MOST_BARS", "Plot", "plots", "ratios"]

MOST_BARS = 40
_PHONE = 4.4
_NARROW_NAME = 16


def plots(outcomes: Sequence[Outcome]) -> Iterator[Plot]:
    """Yield the pictures that these trials have numbers for."""
    timed = [outcome for outcome in outcomes if spread(outcome, TOTAL)]
    if timed:
        drawn = _longest(timed)
        caption = "Median seconds of each phase in one pass; whiskers from the least to the most repeat of all phases."
        yield _rowed("phases", caption + _left_out(drawn, timed), _bars, drawn)
    sizes = _sizes(timed)
    if sizes:
        caption = "Median seconds of one pass over the rows of the data set, both axes logarithmic."
        yield Plot("rows", caption, lambda axes: _rows(axes, sizes), (7.5, 4.2), narrow=(_PHONE, 3.6))
    rated = [outcome for outcome in timed if RMSE.key in quality(outcome)]
    if rated:
        drawn = sorted(rated, key=lambda outcome: quality(outcome)[RMSE.key])[:MOST_BARS]
        drawn = rated if len(drawn) == len(rated) else drawn
        caption = "RMSE of each trial beside that of the global mean and the bias baseline on the same rows."
        left_out = f" The {len(drawn)} lowest of {len(rated)}." if len(drawn) < len(rated) else ""
        yield _rowed(RMSE.key, caption + left_out, _rmse, drawn)


def _rowed(
    name: str, caption: str, draw: Callable[[Any, Sequence[Outcome]], None], drawn: list[Outcome]
) -> Plot:
    """Make a picture of one row a trial; on a phone rows are higher, because names take several lines."""
    height = 1.3 + 0.42 * len(drawn)
    narrow = (_PHONE, 1.5 + 0.55 * len(drawn))
    return Plot(name, caption, lambda axes: draw(axes, drawn), (7.5, height), narrow=narrow)


def _longest(timed: list[Outcome]) -> list[Outcome]:
    """Return as many trials as a picture has room for: those that took longest, in the order in which they were."""
    by_time = sorted(timed, key=lambda outcome: -statistics.median(medians(outcome, TOTAL)))
    kept = {id(outcome) for outcome in by_time[:MOST_BARS]}
    return [outcome for outcome in timed if id(outcome) in kept]


def _left_out(drawn: Sequence[Outcome], timed: Sequence[Outcome]) -> str:
    return f" The {len(drawn)} longest of {len(timed)} trials." if len(drawn) < len(timed) else ""


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
            at = (max(end, total.most), row)
            text = f"{total.median:.1f} s"
            axes.annotate(text, at, (5, 0), textcoords="offset points", va="center", fontsize=9)
    _rows_named(axes, outcomes)
    axes.set_xlabel("seconds")
    axes.margins(x=0.12 if not is_narrow(axes) else 0.3, y=0.6 / max(6, len(outcomes)))
    columns = min(len(named), 3 if is_narrow(axes) else 6)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)


def _sizes(outcomes: Sequence[Outcome]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for outcome in outcomes:
        total = spread(outcome, TOTAL)
        if total and outcome.data:
            name = f"{outcome.values.get(MODEL, outcome.job)} {outcome.size}"
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
        (MEAN.key, "|", "global mean"),
        (BIAS.key, "D", "bias"),
        (RMSE.key, "o", "model"),
    ):
        at = [(item[name], row) for row, item in zip(rows, values, strict=True) if name in item]
        xs, ys = [x for x, _ in at], [y for _, y in at]
        axes.plot(xs, ys, marker, markersize=9, markeredgewidth=2, label=label, linestyle="none")
    for row, item in zip(rows, values, strict=True):
        text = f"  {item[RMSE.key]:.4f}"
        text += f", {item[COVERAGE.key]:.0%} scored" if COVERAGE.key in item else ""
        axes.annotate(text, (item[RMSE.key], row), (2, 8), textcoords="offset points", fontsize=8)
    _rows_named(axes, outcomes)
    axes.set_xlabel("RMSE on the test rows")
    axes.margins(x=0.15)
    axes.set_ylim(len(outcomes) - 0.5, -0.7)
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
    if is_narrow(axes):
        names = ["\n".join(fill(line, _NARROW_NAME) for line in name.splitlines()) for name in names]
    axes.set_yticks(range(len(compared)), names)
    axes.invert_yaxis()
    axes.axvline(1.0, linestyle="--", linewidth=1, color=GREY)
    axes.set_xlim(left=0)
    axes.margins(x=0.15, y=0.3)
    axes.set_xlabel("times as fast")


def _rows_named(axes: Any, outcomes: Sequence[Outcome]) -> None:
    names = [outcome.label for outcome in outcomes]
    if is_narrow(axes):
        names = [fill(name, _NARROW_NAME) for name in names]
    axes.set_yticks(range(len(outcomes)), names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
