"""Erases one person from the lake, the dead letters and Cassandra, and proves that the rest is where it belongs."""

from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

from core.options import parse
from datasets.topics.connection import Connection
from jobs.reconciling import forgetting
from jobs.reconciling.compared import compared, told
from jobs.reconciling.finding import Check
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result
from jobs.stores.cassandra.store import CassandraStore
from jobs.streaming import binding


@dataclass(frozen=True)
class ForgetParams:
    """Whom to forget, and where.

    Attributes:
        user: the person's identifier, as messages have it.
        folder: the run folder, below which `streams` and `lake` lie.
        brokers: host:port of Kafka's brokers.
    """

    user: str
    folder: str
    brokers: tuple[str, ...]


class Forget:
    """Phases: find (the person's rows), erase, and those of `reconcile`. Counts: rows by topic and table, and those of `reconcile`.

    No stream may run meanwhile, and none may have messages to read. With another store than Cassandra only the lake is
    changed.
    """

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in fields(ForgetParams))

    def run(self, context: Context) -> Result:
        params = parse(ForgetParams, context.request.params, "parameters of forget")
        folder, store = Path(params.folder), context.store
        lake, connection = folder / "lake", Connection.of(params.brokers)
        forgetting.check(folder, connection, params.user)
        counts: dict[str, int] = {}
        every: list[Check] = []
        with ExitStack() as held:
            for home in sorted((folder / "streams").glob("*/*")):
                held.enter_context(binding.held(home))
            for _ in context.passes():
                with context.phases.phase("find"):
                    rows = forgetting.found(context.spark, lake, params.user)
                with context.phases.phase("erase"):
                    for topic, count in forgetting.from_lake(context.spark, lake, rows).items():
                        counts[topic] = counts.get(topic, 0) + count
                    context.spark.range(1).count()  # where there was nothing to erase
                if isinstance(store, CassandraStore):
                    for table, count in forgetting.from_cassandra(store.keyspace, params.user).items():
                        counts[f"cassandra.{table}"] = counts.get(f"cassandra.{table}", 0) + count
                every = compared(context, folder, connection)
        about = told(every)
        return Result("forget", "ok", **{**about, "counts": {**counts, **about["counts"]}})


JOB = Forget()
