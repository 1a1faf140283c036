"""Sides of the stream feedback: the stream itself, ways that keep less or are less careful, and writes of one batch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import UsageError
from jobs.guarantees.backlog import TOPIC, Backlog
from jobs.guarantees.draining import Bench, Drain, Kept, check, drain
from jobs.guarantees.ladders import FEEDBACK, ROOT
from jobs.guarantees.plain_rows import plain_rows
from jobs.runtime.phases import consume
from jobs.stores.cassandra.feedback import EVENTS, POPULARITY, TABLES, Table
from jobs.stores.cassandra.feedback import FEEDBACK as NEWEST
from jobs.stores.cassandra.store import TUNING, CassandraStore, key_of, keyed, ordered
from jobs.streaming import feedback_rows
from jobs.streaming.feedback_rows import WRITTEN
from jobs.streaming.stream import Query, StreamContext
from jobs.streams.feedback import STREAM, Options, Sink

_OPTIONS = Options(keyspace=f"recscale_{ROOT}")
_TABLE = "ratings"
"""Table of the batch writes."""


class _WithoutPopularity(Sink):
    """Counts nothing by window."""

    def watermark_ms(self, batch: int) -> None:  # none is known
        pass

    def count(self, rows: DataFrame, usable: DataFrame, batch: int) -> None:
        pass


class _WithoutHistory(_WithoutPopularity):
    """Keeps the latest of each item only; one table needs its rows once, so that they are not held."""

    def write(self, frame: DataFrame, batch: int) -> None:
        self.keep(self.rows(frame, batch), batch)

    def fill(self, table: Table, rows: DataFrame) -> None:
        if table != EVENTS:
            super().fill(table, rows)


class _WithoutWriteTime(_WithoutHistory):
    """Lets the row that is written last stay."""

    def fill(self, table: Table, rows: DataFrame) -> None:
        if table != EVENTS:
            self._store.fill(table.name, rows.drop(WRITTEN), TUNING)


class _Unchecked(_WithoutWriteTime):
    """Takes whatever Spark can parse."""

    def rows(self, frame: DataFrame, batch: int) -> DataFrame:  # noqa: ARG002 - of all batches the same
        rows = plain_rows(frame.coalesce(self._tasks))
        return feedback_rows.with_latest(rows.select(*feedback_rows.said(rows.columns)))

    def keep(self, rows: DataFrame, batch: int) -> None:  # noqa: ARG002 - as above
        self.fill(NEWEST, feedback_rows.feedback(rows))


def _drain(sink: type[Sink], *tables: Table) -> Drain:
    """Return a side that writes batches by a sink, and has then a row a message in each of these tables."""

    def queries(context: StreamContext) -> Sequence[Query]:
        STREAM.queries(context, _OPTIONS)  # makes the tables
        store = CassandraStore(context.spark, ROOT)
        _empty(store)
        return [Query(TOPIC, TOPIC, sink(store, context, TOPIC, _OPTIONS).write)]

    def kept(context: StreamContext, backlog: Backlog) -> Iterable[Kept]:
        store = CassandraStore(context.spark, ROOT)
        found = {table.name: store.whole(table.name).count() for table in tables}
        if sink is Sink:
            total = store.whole(POPULARITY.name).agg(F.sum("count").alias("count")).first()
            found[POPULARITY.name] = int((total and total["count"]) or 0)
        _empty(store)
        return [Kept(name, rows, backlog.good) for name, rows in found.items()]

    return Drain(FEEDBACK, queries, kept)


def _empty(store: CassandraStore) -> None:
    """Remove all rows, so that no side writes over those of another."""
    for table in TABLES:
        store.keyspace.run(f"TRUNCATE {store.keyspace.name}.{table.name}")


def batch_write(bench: Bench) -> None:
    """Time the messages read, parsed and written as one batch, as the phase of that name."""
    _written(bench, "batch_write", _rows(bench))


def write_alone(bench: Bench) -> None:
    """Time the same write of rows that are in memory already."""
    held = _rows(bench).persist()
    try:
        consume(held)
        _written(bench, "write_alone", held)
    finally:
        held.unpersist()


def _rows(bench: Bench) -> DataFrame:
    read = bench.backlog.read(bench.context.spark, bench.connection)
    return plain_rows(read).select("user", "item", "id", "rating", "at", "rated_at")


def _written(bench: Bench, name: str, rows: DataFrame) -> None:
    """Time a write to a new table as the store's own write fills it."""
    store, key = bench.context.store, key_of(_TABLE)
    if not isinstance(store, CassandraStore):
        raise UsageError(
            f"the cost of {FEEDBACK} is set against the store cassandra, got {bench.context.request.store}"
        )
    shaped = keyed(rows, key)
    physical = store.empty(_TABLE, shaped.schema)
    try:
        with bench.context.phases.phase(name):
            store.fill(physical, ordered(shaped, key), TUNING)
        check(name, [Kept(_TABLE, store.whole(physical).count(), bench.backlog.good)])
    finally:
        store.drop(_TABLE, physical)


WHOLE = _drain(Sink, EVENTS, NEWEST)
"""The stream as it is."""

_DRAINS: Mapping[str, Drain] = {
    "feedback": WHOLE,
    "no_popularity": _drain(_WithoutPopularity, EVENTS, NEWEST),
    "no_history": _drain(_WithoutHistory, NEWEST),
    "no_write_time": _drain(_WithoutWriteTime, NEWEST),
    "unchecked": _drain(_Unchecked, NEWEST),
}

SIDES: Mapping[str, Callable[[Bench], None]] = {
    "batch_write": batch_write,
    "write_alone": write_alone,
    **{name: partial(drain, name=name, side=side) for name, side in _DRAINS.items()},
}
"""Each side by its name; it times itself."""
