"""Sets writes ordered by partition key against the connector's plain write of the same rows, and times reads."""

import statistics
import time
from dataclasses import dataclass, fields
from pathlib import Path

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from core.options import parse
from datasets.dataset import find
from jobs.runtime.context import Context, JobKind
from jobs.runtime.phases import consume
from jobs.runtime.request import Result
from jobs.stores.cassandra.store import TUNING, CassandraStore, key_of, ordered

TABLE = "ratings"
SIDES = ("plain", "ordered")
_WARM_READS = 200


@dataclass(frozen=True)
class WriteParams:
    """Parameters of the write: rows, keys and repeats.

    Attributes:
        variant: of the source `synthetic`.
        rows: how many ratings.
        seed: of the order in which they come.
        plain: whether the connector's plain write is timed beside the ordered one.
        lists: how many users' ratings are read by key, one after another.
    """

    variant: str = "ml-1m"
    rows: int = 1_000_000
    seed: int = 1
    plain: bool = True
    lists: int = 1000


class CassandraWrite:
    """Phases of each pass: write_plain and write_ordered, in an order that turns round, then read (the table whole).

    Both sides write the same shuffled rows to an empty table with the same consistency level; sorting them is part of
    the ordered side's time. After the last pass each side's rows are compared with what was written, one by one, and
    users' ratings are read by key from a warm session; neither is part of a phase.
    """

    store = "cassandra"

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in fields(WriteParams))

    def run(self, context: Context) -> Result:
        params = parse(WriteParams, context.request.params, "parameters of cassandra_write")
        if params.rows < 1 or params.lists < 1:
            raise UsageError(
                "rows and lists in parameters of cassandra_write must be 1 or more, "
                f"got rows={params.rows}, lists={params.lists}"
            )
        store = context.store
        if not isinstance(store, CassandraStore):
            raise UsageError(
                f"cassandra_write needs the store cassandra, got {context.request.store}: set STORE=cassandra"
            )
        context.ready()
        rows = shuffled(context, params)
        sides = SIDES if params.plain else SIDES[1:]
        tables: dict[str, str] = {}
        try:
            for number in context.passes():
                for side in sides if number % 2 == 0 else sides[::-1]:
                    if side in tables:
                        store.drop(TABLE, tables.pop(side))
                    tables[side] = store.empty(TABLE, rows.schema)
                    with context.phases.phase(f"write_{side}"):
                        _write(store, side, tables[side], rows)
                with context.phases.phase("read"):
                    consume(store.whole(tables["ordered"]))
            for side, table in tables.items():
                _equal(rows, store.whole(table), side)
            milliseconds = _read_lists(store, tables["ordered"], rows, params.lists)
        finally:
            for table in tables.values():
                store.drop(TABLE, table)
            rows.unpersist()
        return _result(context, params, sides, milliseconds)


def shuffled(context: Context, params: WriteParams) -> DataFrame:
    """Return (user int, item int, rating, at) in an order that has nothing to do with users, held on the executors."""
    ratings = find(f"synthetic/{params.variant}", {"rows": params.rows}).read(context.spark, Path()).ratings
    assert ratings is not None  # every synthetic set has ratings
    rows = ratings.select(
        F.col("user").cast("int").alias("user"), F.col("item").cast("int").alias("item"), "rating", "at"
    )
    order = F.xxhash64("user", "item", F.lit(params.seed))
    held = rows.repartition(order).sortWithinPartitions(order).persist(StorageLevel.MEMORY_AND_DISK)
    consume(held)
    return held


def _write(store: CassandraStore, side: str, table: str, rows: DataFrame) -> None:
    if side == "plain":
        store.fill(table, rows, {})
    else:
        store.fill(table, ordered(rows, key_of(TABLE)), TUNING)


def _equal(rows: DataFrame, found: DataFrame, side: str) -> None:
    """Refuse to compare the speed of writes of which one lost or changed a row."""
    found = found.select(*rows.columns)
    lost, added = rows.exceptAll(found).count(), found.exceptAll(rows).count()
    if lost or added:
        raise JobError(
            f"the {side} write did not write the right rows, so its time is not recorded: {lost:,} rows are missing or changed, "
            f"and {added:,} rows are there that were not written. See the nodes' logs (make logs S=cassandra-1)"
        )


def _read_lists(store: CassandraStore, table: str, rows: DataFrame, lists: int) -> list[float]:
    """Read users' ratings by key, the first ones to warm up; return milliseconds of each."""
    users = [
        row["user"]
        for row in rows.select("user").distinct().orderBy(F.xxhash64("user")).limit(lists).collect()
    ]
    for user in users[:_WARM_READS]:
        store.partition(table, TABLE, user)
    times = []
    for user in users:
        start = time.perf_counter()
        store.partition(table, TABLE, user)
        times.append((time.perf_counter() - start) * 1000)
    return times


def _result(context: Context, params: WriteParams, sides: tuple[str, ...], reads: list[float]) -> Result:
    phases = [*(f"write_{side}" for side in sides), "read"]
    seconds = {phase: context.phases.median(phase) for phase in phases}
    metrics = {f"rows_per_s.{phase}": params.rows / seconds[phase] for phase in phases}
    if params.plain:
        metrics["speed_up"] = seconds["write_plain"] / seconds["write_ordered"]
    cuts = statistics.quantiles(reads, n=100, method="inclusive") if len(reads) > 1 else reads * 99
    metrics |= {
        "read_by_key_p50_ms": cuts[49],
        "read_by_key_p95_ms": cuts[94],
        "read_by_key_p99_ms": cuts[98],
    }
    return Result(
        job="cassandra_write",
        status="ok",
        metrics=metrics,
        counts={"rows": params.rows, "lists": len(reads)},
        table=[
            ["phase", "median s", "rows/s"],
            *([phase, round(seconds[phase], 3), round(params.rows / seconds[phase])] for phase in phases),
        ],
    )


JOB = CassandraWrite()
