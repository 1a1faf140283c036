"""Quality against time: the trials that no other trial beats in both."""

import statistics
from collections.abc import Sequence
from itertools import cycle
from typing import Any, NamedTuple

from experiments.metric_table import NDCG, RMSE, TOTAL, metric_name
from experiments.page.figure import COLOURS, Plot, is_narrow
from experiments.page.finding import Finding
from experiments.page.tables import Table
from experiments.report.answer import protocol
from experiments.results.metrics import medians, quality
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment
from experiments.spec.tables import MODEL

_MARKERS = "osD^vPX*"
_MOST_NAMED = 5
_WIDE_SPAN = 20.0
_NOTES = (
    "not beaten: no other trial on the same data and split is both faster and better; seconds: median of a whole pass",
    "differences that are smaller than the spread of the seconds mean nothing",
)


class Point(NamedTuple):
    """One trial: seconds of a pass, and a metric of quality; only trials with equal `same` are comparable."""

    label: str
    series: str
    seconds: float
    value: float
    same: tuple[str, ...]


def _find(_experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    found = [
        (shown, lower, points)
        for name, shown, lower in _metrics(outcomes)
        if len(points := _points(outcomes, name)) > 1 and len({point.series for point in points}) > 1
    ]
    if not found:
        return None
    plots, rows = [], []
    for shown, lower, points in found:
        best = front(points, lower)
        plots.append(_plot(shown, lower, points, best))
        rows += [[item.label, f"{item.seconds:.2f}", shown, f"{item.value:.4f}"] for item in best]
    table = Table(["not beaten", "seconds", "metric", "value"], rows)
    return Finding("Quality against time", tables=(table,), plots=tuple(plots), notes=_NOTES)


def front(points: Sequence[Point], lower: bool) -> list[Point]:
    """Return the points that no other comparable point beats in both seconds and value, fastest first."""
    sign = 1.0 if lower else -1.0
    kept = [
        point
        for point in points
        if not any(
            other.same == point.same
            and other.seconds <= point.seconds
            and sign * other.value <= sign * point.value
            and (other.seconds, other.value) != (point.seconds, point.value)
            for other in points
        )
    ]
    return sorted(kept, key=lambda point: (point.seconds, point.label))


def _metrics(outcomes: Sequence[Outcome]) -> list[tuple[str, str, bool]]:
    """Return for each metric its key, its shown name, and whether lower is better."""
    present = {name for outcome in outcomes for name in quality(outcome)}
    wanted = [*RMSE.among(present), *NDCG.among(present)[:1]]
    return [(key, metric_name(key), key == RMSE.key) for key in wanted]


def _points(outcomes: Sequence[Outcome], metric: str) -> list[Point]:
    return [
        Point(
            outcome.label,
            str(outcome.values.get(MODEL, outcome.job)),
            statistics.median(typical),
            value,
            (*protocol(outcome), str(outcome.shared)),
        )
        for outcome in outcomes
        if (typical := medians(outcome, TOTAL)) and (value := quality(outcome).get(metric)) is not None
    ]


def _plot(shown: str, lower: bool, points: Sequence[Point], best: Sequence[Point]) -> Plot:
    better = "lower" if lower else "higher"
    caption = (
        f"{shown} against median seconds of one pass, a point a trial; {better} and further left is better. "
        "Ringed: no other trial on the same data beats it in both."
    )
    file = f"{RMSE.key if lower else 'ndcg'}-time"
    return Plot(file, caption, lambda axes: _draw(axes, shown, points, best), (7.5, 4.2), narrow=(4.4, 4.0))


def _draw(axes: Any, shown: str, points: Sequence[Point], best: Sequence[Point]) -> None:
    marks = cycle(zip(COLOURS, _MARKERS, strict=True))
    for series in dict.fromkeys(point.series for point in points):
        colour, marker = next(marks)
        own = [point for point in points if point.series == series]
        xs, ys = [point.seconds for point in own], [point.value for point in own]
        axes.plot(xs, ys, marker, color=colour, markersize=7, linestyle="none", label=series, alpha=0.85)
    axes.plot(
        [point.seconds for point in best], [point.value for point in best], "o", markersize=13,
        markerfacecolor="none", linestyle="none",
        color=axes.yaxis.label.get_color(),
    )  # fmt: skip
    if len(best) <= _MOST_NAMED and not is_narrow(axes):
        for point in best:
            at = (point.seconds, point.value)
            axes.annotate(point.label, at, (9, 6), textcoords="offset points", fontsize=8.5)
    seconds = [point.seconds for point in points]
    if max(seconds) > _WIDE_SPAN * min(seconds):
        axes.set_xscale("log")
    else:
        axes.set_xlim(left=0)
    axes.margins(x=0.2, y=0.15)
    axes.set_xlabel("seconds of one pass")
    axes.set_ylabel(f"{shown} on the test rows")
    columns = 2 if is_narrow(axes) else 4
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)


FIND = _find
