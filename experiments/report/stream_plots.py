"""Pictures of a stream's run: rates, batches with their parts, lag and state over time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from experiments.metric import Metric
from experiments.page.figure import COLOURS, GREY, Plot
from experiments.results.stream_series import Measured, StreamSeries
from experiments.stream_metrics import ARRIVED, BEHIND, LATE, PROCESSED, STATE_MB, STATE_ROWS, WATERMARK

MOST_DRAWN = 4
"""Queries of a picture; those that read most are drawn."""

_SIZE, _NARROW = (7.5, 3.6), (4.4, 3.4)
_WHOLE = "triggerExecution"
_UNITS = ((2 * 86_400, 86_400, "days"), (2 * 3600, 3600, "hours"), (180, 60, "minutes"), (0, 1, "seconds"))

_LABELS = {"1/s": "messages a second", "s": "seconds"}

Course = Mapping[str, Sequence[Measured]]
"""Steps of each query, those that read most first."""


def rates(course: Course, series: StreamSeries) -> Iterator[Plot]:
    """Yield the messages a second that came, and those that batches get through."""
    yield from _lines("arrived", "Messages a second that came to the topics", ARRIVED, course, series)
    caption = "Messages a second that went through while a batch ran: what the query could do at most"
    yield from _lines("processed", caption, PROCESSED, course, series)


def lags(course: Course, series: StreamSeries) -> Iterator[Plot]:
    """Yield the lag in messages and in seconds."""
    caption = "Messages between the committed offsets and the ends of the topics, the most of each step"
    yield from _lines("lag", caption, BEHIND, course, series)
    caption = "For how long there has been a message that is not committed, the most of each step"
    yield from _lines("lag-seconds", caption, LATE, course, series)


def state(course: Course, series: StreamSeries) -> Iterator[Plot]:
    """Yield state and watermark, where there are any."""
    for name, caption, metric in (
        ("state-rows", "Rows of the state", STATE_ROWS),
        ("state-memory", "Memory of the state", STATE_MB),
        ("watermark", "By how much the watermark of event time is behind the clock", WATERMARK),
    ):
        yield from _lines(name, caption, metric, course, series)


def batches(course: Course, series: StreamSeries) -> Iterator[Plot]:
    """Yield the seconds of batches and of their parts, a picture a query."""
    for query, steps in _drawn(course).items():
        found = [one for one in steps if one.batches]
        if found:
            yield Plot(
                f"batches-{query.replace('.', '-')}",
                f"{query}: mean seconds of the parts of a batch by Spark's names, one upon the other, and the longest batch of each step.",
                _drawing_parts(found, series),
                _SIZE,
                narrow=_NARROW,
            )


def _drawing_parts(found: Sequence[Measured], series: StreamSeries) -> Callable[[Any], None]:
    def draw(axes: Any) -> None:
        divisor, unit = _unit(series.last)
        at = [one.last / divisor for one in found]
        sums: dict[str, float] = {}
        for one in found:
            for name, spent in one.parts_ms.items():
                sums[name] = sums.get(name, 0.0) + spent
        names = sorted((name for name in sums if name != _WHOLE), key=lambda name: -sums[name])
        heights = [[one.parts().get(name, 0.0) for one in found] for name in names]
        if len(found) > 1:
            axes.stackplot(at, heights, labels=names, colors=COLOURS, alpha=0.75)
        else:  # an area needs two points
            below = 0.0
            for name, (height,), colour in zip(names, heights, COLOURS, strict=False):
                axes.bar(at, height, bottom=below, width=0.1, label=name, color=colour, alpha=0.75)
                below += height
        axes.plot(at, [one.longest_ms / 1000 for one in found], ".", color=GREY, label="longest batch")
        _finish(axes, series, unit, "seconds", columns=3)

    return draw


def _lines(name: str, caption: str, metric: Metric, course: Course, series: StreamSeries) -> Iterator[Plot]:
    """Yield a picture of a metric over time, a line a query; nothing if no query has it."""
    found = {query: [one for one in steps if metric.key in one.values()] for query, steps in course.items()}
    found = {query: steps for query, steps in found.items() if steps}
    drawn = _drawn(found)
    if not drawn:
        return
    few = f", of the {MOST_DRAWN} queries of {len(found)} that read most" if len(drawn) < len(found) else ""

    def draw(axes: Any) -> None:
        divisor, time = _unit(series.last)
        for number, (query, steps) in enumerate(drawn.items()):
            at = [one.last / divisor for one in steps]
            values = [one.values()[metric.key] * metric.factor for one in steps]
            axes.plot(at, values, "-" if len(at) > 1 else "o", color=COLOURS[number], label=query)
        _finish(axes, series, time, _LABELS.get(metric.unit, metric.unit), columns=2)

    yield Plot(name, f"{caption}{few}.", draw, _SIZE, narrow=_NARROW)


def _finish(axes: Any, series: StreamSeries, time: str, unit: str, columns: int) -> None:
    """Name the axes, and mark where something started again or failed."""
    divisor, _ = _unit(series.last)
    for second in series.again:
        axes.axvline(second / divisor, color=GREY, linestyle=":", linewidth=1)
    axes.set_xlim(0, max(1.0, series.last) / divisor)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"{time} since the stream began")
    axes.set_ylabel(unit)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)


def _drawn(course: Course) -> Course:
    return dict(list(course.items())[:MOST_DRAWN])


def _unit(seconds: float) -> tuple[int, str]:
    """Return the seconds of a unit of time in which a span has a handy length, and its name."""
    return next((size, name) for least, size, name in _UNITS if seconds >= least)
