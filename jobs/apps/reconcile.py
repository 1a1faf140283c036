"""Proves that every message that was read is stored where it belongs exactly once, or names those that are not."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from pyspark.sql import DataFrame

from core.errors import UsageError
from core.options import parse
from datasets.topics.connection import Connection
from jobs.reconciling.finding import Check, table
from jobs.reconciling.run import Reconciliation
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result
from jobs.stores.cassandra.store import CassandraStore


@dataclass(frozen=True)
class ReconcileParams:
    """Parameters of the comparison.

    Attributes:
        folder: the run folder, below which `streams` and `lake` lie.
        brokers: host:port of Kafka's brokers.
        ledgers: files of producers, whose acknowledged messages must have been read.
        contents: whether rows are compared with Kafka's own messages, as far as Kafka still holds them.
    """

    folder: str
    brokers: tuple[str, ...]
    ledgers: tuple[str, ...] = ()
    contents: bool = True


class Reconcile:
    """Phases: offsets, contents (unless switched off), cassandra (where the stream `feedback` has run).

    Counts: `compared` messages and rows, `differing` ones. The table has every difference.
    """

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in fields(ReconcileParams))

    def run(self, context: Context) -> Result:
        params = parse(ReconcileParams, context.request.params, "parameters of reconcile")
        every: list[Check] = []
        for _ in context.passes():
            reconciliation = _of(context, params)
            every = [*_phase(context, "offsets", reconciliation.offsets)]
            if params.contents:
                every += _phase(context, "contents", reconciliation.contents)
            if reconciliation.feedback:
                every += _phase(context, "cassandra", reconciliation.in_cassandra)
        counts = {
            "compared": sum(check.compared for check in every),
            "differing": sum(check.differing for check in every),
        }
        compared = json.dumps({check.name: check.compared for check in every})
        return Result("reconcile", "ok", counts=counts, table=table(every), info={"compared": compared})


def _of(context: Context, params: ReconcileParams) -> Reconciliation:
    store = context.store

    def read(name: str) -> DataFrame:
        if not isinstance(store, CassandraStore):
            raise UsageError(
                f"reconcile needs the store cassandra where the stream feedback has run, got {context.request.store}"
            )
        return store.whole(name)

    folder, connection = Path(params.folder), Connection.of(params.brokers)
    return Reconciliation(context.spark, folder, connection, [Path(one) for one in params.ledgers], read)


def _phase(context: Context, name: str, checks: Callable[[], Iterator[Check]]) -> list[Check]:
    with context.phases.phase(name):
        return list(checks())


JOB = Reconcile()
