"""Course of a stream's queries, from its events alone and thinned: a step of a second or more, however many batches it had.

What it takes in memory, in MLflow and on a page grows with the logarithm of a stream's age and not with its batches.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from experiments.results.events import Event

STEPS = 600
"""Steps of each length before the next, which is twice as long."""

LONGEST_STEP_S = 4096
"""Length that steps do not exceed, so that a stream of any age has a point an hour."""

MOST_AGAIN = 200
"""Restarts whose time is kept; all are counted."""

_RATIO = math.log(1.01)


class Step(NamedTuple):
    """Part of a stream's life: from its second `begin` to before `end`."""

    begin: int
    end: int


Steps = Callable[[float], Step]
"""Returns the step in which a second lies."""


def doubling(second: float) -> Step:
    """Return a step of one second in the first ten minutes, of two in the next twenty, of four in the next forty, and so on."""
    begin, width = 0, 1
    while width < LONGEST_STEP_S and second >= begin + STEPS * width:
        begin += STEPS * width
        width *= 2
    begin += max(0, int((second - begin) // width)) * width
    return Step(begin, begin + width)


def even(width: int) -> Steps:
    """Return steps of one length in seconds."""

    def step(second: float) -> Step:
        begin = max(0, int(second // width)) * width
        return Step(begin, begin + width)

    return step


class Durations:
    """Any number of durations in milliseconds in a few hundred counts, from which quantiles are read to within 1%."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._total = 0
        self._longest = 0.0

    def add(self, ms: float) -> None:
        """Count one."""
        bucket = round(math.log(max(1.0, ms)) / _RATIO)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self._total += 1
        self._longest = max(ms, self._longest)

    def seconds(self, share: float) -> float | None:
        """Return how many seconds this share of them took at most; None where there are none."""
        rank, seen = math.ceil(share * self._total), 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= rank:
                return min(math.exp(bucket * _RATIO), self._longest) / 1000
        return None


@dataclass
class Measured:
    """One step of one query.

    Attributes:
        last: second of the stream's life of the last event in it.
        busy_ms, longest_ms: of all its batches together, and of the longest; parts_ms: of their parts, by Spark's names.
        arrived, over_s: messages that came, and the seconds in which they did.
        behind, late: the most messages and seconds behind.
    """

    step: Step
    last: float = 0.0
    batches: int = 0
    messages: int = 0
    busy_ms: float = 0.0
    longest_ms: float = 0.0
    parts_ms: dict[str, float] = field(default_factory=dict)
    arrived: float = 0.0
    over_s: float = 0.0
    behind: float | None = None
    late: float | None = None
    state_rows: float | None = None
    state_bytes: float | None = None
    watermark: float | None = None

    def batch(self, event: Event) -> None:
        """Add a batch."""
        self.batches += 1
        self.messages += event["numInputRows"]
        self.busy_ms += event["batchDuration"]
        self.longest_ms = max(self.longest_ms, event["batchDuration"])
        for name, spent in event["durationMs"].items():
            self.parts_ms[name] = self.parts_ms.get(name, 0.0) + spent
        self.state_rows = event.get("numRowsTotal", self.state_rows)
        self.state_bytes = event.get("memoryUsedBytes", self.state_bytes)
        if (watermark := _second(event.get("watermark"))) is not None:
            self.watermark = event["clock"] - watermark

    def values(self) -> dict[str, float]:
        """Return what is known of it, by the keys of `experiments.stream_metrics.OF_STEPS`."""
        found = {
            "arrived": self.arrived / self.over_s if self.over_s else None,
            "processed": self.messages * 1000 / self.busy_ms if self.busy_ms else None,
            "batch": self.busy_ms / self.batches / 1000 if self.batches else None,
            "longest": self.longest_ms / 1000 if self.batches else None,
            "behind": self.behind,
            "late": self.late,
            "state_rows": self.state_rows,
            "state_bytes": self.state_bytes,
            "watermark": self.watermark,
        }
        return {name: float(value) for name, value in found.items() if value is not None}

    def parts(self) -> dict[str, float]:
        """Return the mean seconds of each part of its batches."""
        return {name: spent / self.batches / 1000 for name, spent in self.parts_ms.items()}


class QuerySeries:
    """Course of one query.

    Attributes:
        topic: that it reads; begin: offsets at which it began, end: after its last batch, as Spark writes them.
        starts, failures: how often it was started, and failed.
        left: messages behind when it was last looked; None where nobody looked.
    """

    def __init__(self, name: str, steps: Steps) -> None:
        self.name, self._steps = name, steps
        self.topic = ""
        self.begin: Mapping[str, Mapping[str, int]] = {}
        self.end: Mapping[str, Mapping[str, int]] = {}
        self.starts = self.failures = self.messages = self.batches = 0
        self.busy_ms = self.latest = 0.0
        self.durations = Durations()
        self.left: int | None = None
        self._closed: list[Measured] = []
        self._open: Measured | None = None
        self._seen: tuple[float, int] | None = None  # second, and messages that the topic had had by then

    def started(self, event: Event) -> None:
        """Note where it begins to read."""
        self.starts += 1
        self.topic = event["messaging.destination.name"]
        self.begin = self.begin or event["startOffset"]

    def batch(self, second: float, event: Event) -> None:
        """Add a batch."""
        self._at(second).batch(event)
        self.topic = event["messaging.destination.name"]
        self.end = event["endOffset"]
        self.batches += 1
        self.messages += event["numInputRows"]
        self.busy_ms += event["batchDuration"]
        self.durations.add(event["batchDuration"])

    def lag(self, second: float, behind: int, late: float) -> None:
        """Add a look at the lag; what came since the one before is what was done since and what the lag grew by."""
        measured = self._at(second)
        measured.behind = max(behind, measured.behind or 0)
        measured.late = max(late, measured.late or 0.0)
        self.left, self.latest = behind, max(late, self.latest)
        total = self.messages + behind
        if self._seen is not None:
            # A batch that was committed just before the look is told after it: it is missing in this one alone.
            total = max(total, self._seen[1])
            measured.arrived += total - self._seen[1]
            measured.over_s += second - self._seen[0]
        self._seen = second, total

    def broke_off(self) -> None:
        """Forget the last look: batches of an application that died may be missing among its events."""
        self._seen = None

    def take(self) -> list[Measured]:
        """Return the steps that are over and were not taken yet."""
        found, self._closed = self._closed, []
        return found

    def finish(self) -> None:
        """End the step that is open."""
        if self._open is not None:
            self._closed.append(self._open)
            self._open = None

    def _at(self, second: float) -> Measured:
        """Return the step of a second; a clock that was set back does not open an earlier one again."""
        step = self._steps(second)
        if self._open is None or step.begin >= self._open.step.end:
            self.finish()
            self._open = Measured(step)
        self._open.last = max(second, self._open.last)
        return self._open


class StreamSeries:
    """Course of all queries of one application, or of several that followed one another.

    Args:
        began_at: time of day from which seconds count.
        steps: that values are put together in.

    Attributes:
        again: seconds at which a query was started again.
        notes: what was lost or warned of, each once.
        last: second of the last event.
    """

    def __init__(self, began_at: float, steps: Steps) -> None:
        self.began_at, self._steps = began_at, steps
        self.queries: dict[str, QuerySeries] = {}
        self.again: list[float] = []
        self.notes: dict[str, None] = {}
        self.last = 0.0

    def application(self, events: Iterable[Event]) -> None:
        """Add all events of one application, after those of the one before it."""
        for query in self.queries.values():
            query.broke_off()
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """Add one event."""
        second = max(0.0, event.get("clock", self.began_at) - self.began_at)
        self.last = max(second, self.last)
        kind = event["event"]
        if kind in ("loss", "warning"):
            self.notes[event["text"]] = None
        if "query" not in event:
            return
        query = self._query(event["query"])
        if kind == "batch":
            query.batch(second, event)
        elif kind == "lag":
            query.lag(second, event["messages"], event["seconds"])
        elif kind == "query_start":
            query.started(event)
            if query.starts > 1 and len(self.again) < MOST_AGAIN:
                self.again.append(second)
        elif kind == "query_failed":
            query.failures += 1

    def take(self) -> dict[str, list[Measured]]:
        """Return for each query the steps that are over and were not taken yet."""
        return {name: query.take() for name, query in self.queries.items()}

    def finish(self) -> None:
        """End the steps that are open."""
        for query in self.queries.values():
            query.finish()

    def _query(self, name: str) -> QuerySeries:
        if name not in self.queries:
            self.queries[name] = QuerySeries(name, self._steps)
        return self.queries[name]


def totals(query: QuerySeries) -> dict[str, Any]:
    """Return what a query has come to, by the keys of `experiments.stream_metrics.OF_TOTALS`; what is not known is None."""
    return {
        "messages": query.messages,
        "batches": query.batches,
        "restarts": max(0, query.starts - 1),
        "p50": query.durations.seconds(0.5),
        "p95": query.durations.seconds(0.95),
        "p99": query.durations.seconds(0.99),
        "latest": query.latest,
        "left": query.left,
    }


def offsets_text(offsets: Mapping[str, Mapping[str, int]]) -> str:
    """Write offsets of partitions for people: "ratings-0 17, ratings-1 12"."""
    return ", ".join(
        f"{topic}-{partition} {offset:,}"
        for topic, partitions in sorted(offsets.items())
        for partition, offset in sorted(partitions.items(), key=lambda item: int(item[0]))
    )


def _second(text: str | None) -> float | None:
    """Return a time of Spark's in seconds since 1970; None for the watermark of a query that has seen nothing."""
    if text is None:
        return None
    second = datetime.fromisoformat(text).timestamp()
    return second if second > 0 else None
