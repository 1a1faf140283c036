"""Proves that every message that was read is stored where it belongs exactly once, or names those that are not."""

from dataclasses import dataclass, fields
from pathlib import Path

from core.options import parse
from datasets.topics.connection import Connection
from jobs.reconciling.compared import compared, told
from jobs.reconciling.finding import Check
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result


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
        folder, connection = Path(params.folder), Connection.of(params.brokers)
        every: list[Check] = []
        for _ in context.passes():
            every = compared(
                context, folder, connection, [Path(one) for one in params.ledgers], contents=params.contents
            )
        return Result("reconcile", "ok", **told(every))


JOB = Reconcile()
