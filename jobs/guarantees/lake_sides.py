"""Sides of the lake: the stream itself, and ways to keep its topic that guarantee less."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from datasets.formats.spark_paths import local
from datasets.topics import declared
from jobs.guarantees.backlog import TOPIC, Backlog
from jobs.guarantees.draining import Bench, Drain, Kept, drain
from jobs.guarantees.ladders import LAKE
from jobs.guarantees.plain_rows import plain_rows, plainly_parsed
from jobs.runtime.phases import consume
from jobs.runtime.session import tasks_at_a_time
from jobs.streaming.stream import Query, StreamContext
from jobs.streaming.tables import DAY, Table
from jobs.streams.lake import STREAM, Options

_RAW = "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp"

Write = Callable[[DataFrame, StreamContext, int], None]
"""Keeps the rows of a micro-batch, given with its number."""


def batch_read(bench: Bench) -> None:
    """Time a batch read of the backlog, each message parsed, as the phase of that name."""
    context = bench.context
    with context.phases.phase("batch_read"):
        consume(plainly_parsed(bench.backlog.read(context.spark, bench.connection)))


def _lake(context: StreamContext) -> Sequence[Query]:
    return STREAM.queries(context, Options((TOPIC,)))


def _lake_kept(context: StreamContext, backlog: Backlog) -> Iterable[Kept]:
    tables = {TOPIC: backlog.good, declared.DEAD_LETTERS: backlog.bad}
    for name, wanted in tables.items():
        yield Kept(name, Table.of(context.lake, name).read(context.spark).count(), wanted)


def _plain(write: Write, *, delta: bool) -> Drain:
    """Return a side that parses plainly and keeps rows in its own way, in a table like the lake's or in a folder of Parquet files."""

    def queries(context: StreamContext) -> Sequence[Query]:
        tasks = tasks_at_a_time(context.spark)

        def rows(frame: DataFrame, number: int) -> DataFrame:
            extra = {
                "extra": F.lit(None).cast("string"),
                "batch": F.lit(number).cast("bigint"),
                DAY: F.current_date(),
            }
            return plain_rows(frame).withColumns(extra).coalesce(tasks)

        if delta:  # with the properties that the lake's has
            schema = rows(context.spark.createDataFrame([], _RAW), 0).schema
            Table.of(context.lake, TOPIC).prepare(context.spark, schema)
        return [Query(TOPIC, TOPIC, lambda frame, number: write(rows(frame, number), context, number))]

    def kept(context: StreamContext, backlog: Backlog) -> Iterable[Kept]:
        reader = context.spark.read.format("delta" if delta else "parquet")
        yield Kept(TOPIC, reader.load(_path(context)).count(), backlog.good)

    return Drain(LAKE, queries, kept)


def _idempotent(rows: DataFrame, context: StreamContext, number: int) -> None:
    Table.of(context.lake, TOPIC).append(rows, context.writer(TOPIC), number)


def _bare_delta(rows: DataFrame, context: StreamContext, _number: int) -> None:
    rows.write.format("delta").mode("append").save(_path(context))


def _parquet(rows: DataFrame, context: StreamContext, _number: int) -> None:
    rows.write.mode("append").partitionBy(DAY).parquet(_path(context))


def _path(context: StreamContext) -> str:
    return local(Table.of(context.lake, TOPIC).path)


WHOLE = Drain(LAKE, _lake, _lake_kept)
"""The stream as it is."""

_DRAINS: Mapping[str, Drain] = {
    "lake": WHOLE,
    "no_dead_letters": _plain(_idempotent, delta=True),
    "no_idempotence": _plain(_bare_delta, delta=True),
    "parquet": _plain(_parquet, delta=False),
}

SIDES: Mapping[str, Callable[[Bench], None]] = {
    "batch_read": batch_read,
    **{name: partial(drain, name=name, side=side) for name, side in _DRAINS.items()},
}
"""Each side by its name; it times itself."""
