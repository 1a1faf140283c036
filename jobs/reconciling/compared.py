"""A reconciliation within a job: its phases, and what the job's result says of it."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from core.errors import UsageError
from datasets.topics.connection import Connection
from jobs.reconciling import list_tables
from jobs.reconciling.finding import Check, table
from jobs.reconciling.run import Reconciliation
from jobs.runtime.context import Context
from jobs.stores.cassandra.store import CassandraStore


def compared(
    context: Context,
    folder: Path,
    connection: Connection,
    ledgers: Sequence[Path] = (),
    *,
    contents: bool = True,
) -> list[Check]:
    """Compare everything in the phases offsets, contents and, where the streams `feedback` and `refresh` have run, cassandra and lists.

    Args:
        context: of the job.
        folder: the run folder, below which `streams` and `lake` lie.
        connection: way to Kafka's brokers.
        ledgers: files of producers, whose acknowledged messages must have been read.
        contents: whether rows are compared with Kafka's own messages, as far as Kafka still holds them.
    """
    reconciliation = Reconciliation(
        context.spark, folder, connection, ledgers, lambda name: _tables(context).whole(name)
    )
    every = _phase(context, "offsets", reconciliation.offsets)
    if contents:
        every += _phase(context, "contents", reconciliation.contents)
    if reconciliation.feedback:
        every += _phase(context, "cassandra", reconciliation.in_cassandra)
    if (refresh := reconciliation.refresh) is not None:
        every += _phase(
            context, "lists", lambda: iter([list_tables.check(context.spark, _tables(context), refresh)])
        )
    return every


def _tables(context: Context) -> CassandraStore:
    if not isinstance(context.store, CassandraStore):
        raise UsageError(
            f"{context.request.job} needs the store cassandra where the stream feedback or refresh has run, got {context.request.store}"
        )
    return context.store


def told(every: Sequence[Check]) -> dict[str, Any]:
    """Return counts, table and info of a result: `compared` messages and rows, `differing` ones, and every difference."""
    return {
        "counts": {
            "compared": sum(check.compared for check in every),
            "differing": sum(check.differing for check in every),
        },
        "table": table(every),
        "info": {"compared": json.dumps({check.name: check.compared for check in every})},
    }


def _phase(context: Context, name: str, checks: Callable[[], Iterator[Check]]) -> list[Check]:
    with context.phases.phase(name):
        return list(checks())
