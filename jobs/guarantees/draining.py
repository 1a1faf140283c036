"""Streams that read a backlog to its end in an empty folder: how long that takes, and whether all of it was kept."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import JobError
from datasets.topics.connection import Connection
from jobs.guarantees.backlog import Backlog
from jobs.runtime.context import Context
from jobs.streaming import messages
from jobs.streaming.progress import duration_ms
from jobs.streaming.running import Group, Pace, Running
from jobs.streaming.stream import Query, StreamContext

_LOOK_S, _SELDOM_S = 0.02, 0.5
"""Pauses between looks at a query; one at its last batches costs more than a small batch, and they are asked for seldom."""


@dataclass(frozen=True)
class Bench:
    """Everything that sides have in common.

    Attributes:
        connection: way to the brokers.
        backlog: messages that each side takes in.
        most: of them in one micro-batch at most.
    """

    context: Context
    connection: Connection
    backlog: Backlog
    most: int


class Kept(NamedTuple):
    """Rows in one place after a side was done, and as many as it has to have."""

    place: str
    found: int
    wanted: int


@dataclass(frozen=True)
class Drain:
    """A stream as a side.

    Attributes:
        stream: whose it is.
        queries: prepares what they write to, empty, and returns them; not timed.
        kept: looks at what they have left; not timed.
    """

    stream: str
    queries: Callable[[StreamContext], Sequence[Query]]
    kept: Callable[[StreamContext, Backlog], Iterable[Kept]]


def drain(bench: Bench, name: str, side: Drain) -> None:
    """Let a side read the backlog, and keep the seconds from the start of its queries to their end as a phase.

    Raises:
        JobError: it failed, or has not kept what it has to keep.
    """
    with _folder(bench, side) as within:
        seconds, batches = _drained(bench, side.queries(within), within)
        tracker = bench.context.spark.sparkContext.statusTracker()
        jobs = sum(len(tracker.getJobIdsForGroup(run)) for run in {one["runId"] for one in batches})
        # Spark's own account of where the time went, for whoever asks why a side is slow.
        parts = [{"batchId": one["batchId"], **one["durationMs"]} for one in batches]
        bench.context.events.add("drained", side=name, seconds=seconds, durationMs=parts)
        bench.context.phases.add(name, seconds, jobs)
        check(name, side.kept(within, bench.backlog))


def check(name: str, kept: Iterable[Kept]) -> None:
    """Refuse the time of a side that lost messages or has some twice.

    Raises:
        JobError: a place has more or fewer rows than it has to have.
    """
    for one in kept:
        if one.found != one.wanted:
            raise JobError(
                f"the side {name} has left {one.found:,} rows in {one.place} where {one.wanted:,} belong: its time means nothing"
            )


def batch_times(bench: Bench, side: Drain) -> list[float]:
    """Return the seconds of each micro-batch in which a side reads the backlog, in their order.

    Raises:
        JobError: it failed, or batches came faster than they were looked at.
    """
    found: dict[int, float] = {}
    with _folder(bench, side) as within:
        pace = _pace(bench)
        with Group([Running(within, query, pace) for query in side.queries(within)]) as group:
            going = True
            while going:
                going = group.look()
                for one in group.running:
                    found |= {each["batchId"]: duration_ms(each) / 1000 for each in one.recent}
                time.sleep(_SELDOM_S)
    if len(found) != max(found, default=-1) + 1:
        raise JobError(
            f"{len(found)} of {max(found) + 1} batches were timed, the others came too fast to be looked at: let them be larger"
        )
    return [found[number] for number in sorted(found)]


def _drained(
    bench: Bench, queries: Sequence[Query], within: StreamContext
) -> tuple[float, list[Mapping[str, Any]]]:
    """Return the seconds of queries, and Spark's progress of their last batches."""
    pace = _pace(bench)
    begin = time.perf_counter()
    with Group([Running(within, query, pace) for query in queries]) as group:
        while group.look():
            time.sleep(_LOOK_S)
        seconds = time.perf_counter() - begin
        return seconds, [batch for one in group.running for batch in one.recent]


def _pace(bench: Bench) -> Pace:
    return Pace(0.0, drain=True, most=bench.most, restarts=0, begin=bench.backlog.begin)


@contextmanager
def _folder(bench: Bench, side: Drain) -> Iterator[StreamContext]:
    """Give a side a run folder of its own, empty, and remove it."""
    context = bench.context
    folder = Path(context.request.work).resolve() / "cost"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield StreamContext(
            side.stream, context.spark, bench.connection, folder, messages.SKEW_S, context.events
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
