"""Streams that read a backlog to its end, in a folder that is empty before and after, and their seconds."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from datasets.topics.connection import Connection
from jobs.runtime.context import Context
from jobs.streaming import messages
from jobs.streaming.running import Group, Pace, Running
from jobs.streaming.stream import Query, StreamContext

Queries = Callable[[StreamContext], Sequence[Query]]

_LOOK_S = 0.05


def drained(
    context: Context, connection: Connection, queries: Queries, rows: int, most: int
) -> tuple[float, list[float]]:
    """Return the seconds in which a stream reads all messages into an empty folder, and those of each batch."""
    folder = Path(context.request.work).resolve() / "cost"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    within = StreamContext("lake", context.spark, connection, folder, messages.SKEW_S, context.events)
    made = queries(within)
    pace = Pace(0.0, drain=True, most=most, restarts=0)
    batches: dict[int, float] = {}
    begin = time.perf_counter()
    with Group([Running(within, query, pace) for query in made]) as group:
        going = True
        while going:
            going = group.look()
            seconds = time.perf_counter() - begin
            for progress in group.running[0].recent:
                batches[progress["batchId"]] = progress["batchDuration"] / 1000
            time.sleep(_LOOK_S if most * 100 > rows else 10 * _LOOK_S)  # a look costs more than a small batch
    shutil.rmtree(folder)
    return seconds, [batches[number] for number in sorted(batches)]
