"""Every topic into its Delta table, and messages that are not good into the dead letters.

A clean batch is one pass: its good rows are appended, and Delta's own count of them says whether some were bad. Only then are the
same offsets read again, with headers, and those parsed that are not in the table. A batch ends after both tables have its messages
and copies of the bad ones were sent, so that a crash anywhere brings the whole batch again: tables take a batch once, by its
number; copies may come twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from core.errors import JobError, UsageError
from core.options import nearest
from datasets.topics import declared
from jobs.runtime.concurrent_actions import run_concurrently
from jobs.runtime.session import tasks_at_a_time
from jobs.streaming import kafka, messages
from jobs.streaming.binding import ANEW, CHECKPOINT
from jobs.streaming.left_out import LeftOut, left_out
from jobs.streaming.offsets import begun
from jobs.streaming.stream import Query, StreamContext
from jobs.streaming.tables import DAY, Table

_ERRORS = "__connect.errors."
_HEADERS = "array<struct<key:string,value:binary>>"
_LARGEST = 900_000
"""Bytes of a copy. Brokers take a larger message if it is compressed or they are told to, but not its copy by another client."""
_DEAD = "topic string, partition int, offset bigint, batch bigint, intended timestamp, ingest_date date, key binary, value binary, reason string, field string"


@dataclass(frozen=True)
class Options:
    """Settings of the lake.

    Attributes:
        topics: that are kept; none stands for every declared one.
        copies: whether bad messages are copied to the topic dead-letters, too.
    """

    topics: tuple[str, ...] = ()
    copies: bool = True


class Lake:
    """One query a topic, each with a table of its own; the dead letters share one."""

    options = Options
    services: tuple[str, ...] = ()
    trigger_s = 10.0

    def queries(self, context: StreamContext, options: Options) -> Sequence[Query]:
        known = [name for name in declared.topics() if name != declared.DEAD_LETTERS]
        for name in options.topics:
            if name not in known:
                raise UsageError(f"topics of the lake: unknown topic {name!r}: {nearest(name, known)}")
        dead = Table.of(context.lake, declared.DEAD_LETTERS)
        dead.prepare(context.spark, T._parse_datatype_string(_DEAD))  # noqa: SLF001 - there is no other way to read a type
        names = options.topics or known
        topics = run_concurrently(
            *(partial(_Topic, context, name, dead, copies=options.copies) for name in names)
        )
        return [Query(name, name, topic.write) for name, topic in zip(names, topics, strict=True)]


class _Topic:
    """One topic's table and its share of the dead letters."""

    def __init__(self, context: StreamContext, name: str, dead: Table, *, copies: bool) -> None:
        self.context, self.topic, self.dead, self.copies = context, declared.topic(name), dead, copies
        self._parser = messages.Parser(self.topic, declared.schema(name), context.skew_s)
        self.table = Table.of(context.lake, name)
        self._refuse_twice()
        self.table.prepare(context.spark, self._type())
        self.tasks = tasks_at_a_time(context.spark)

    def _refuse_twice(self) -> None:
        """Refuse to fill a table that has rows by a checkpoint that knows of none: it would append them again."""
        home, spark = self.context.home(self.topic.name), self.context.spark
        if begun(home / CHECKPOINT) >= 0:
            return
        mine = F.col("topic") == self.topic.name
        full = [
            one for one in (self.table, self.dead) if one.exists and not one.read(spark).where(mine).isEmpty()
        ]
        if full:
            raise JobError(
                f"{full[0].path} has rows of the topic {self.topic.name}, but the checkpoint that they came by is not in {home}: put it "
                f"back. To read anew what Kafka still holds, {ANEW}"
            )

    def _type(self) -> T.StructType:
        """Return the table's columns and types."""
        raw = "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp"
        return self._rows(self.context.spark.createDataFrame([], raw), 0, datetime.now(UTC)).schema

    def _rows(self, frame: DataFrame, batch: int, now: datetime) -> DataFrame:
        return messages.good(self._parsed(frame, batch, now))

    def _parsed(self, frame: DataFrame, batch: int, now: datetime) -> DataFrame:
        constants = {"batch": F.lit(batch).cast("bigint"), DAY: F.lit(now.date())}
        return self._parser.rows(frame, F.lit(now), constants)

    def write(self, frame: DataFrame, batch: int) -> None:
        """Keep one micro-batch."""
        query, context = self.topic.name, self.context
        now = datetime.fromtimestamp(context.clock_ms(query, batch) / 1000, UTC)
        rows = self._rows(frame, batch, now).coalesce(self.tasks)
        written = self.table.append(rows, context.writer(query), batch)
        if written is not None:
            context.visible(query, batch, written.visible_s)
        ranges = context.ranges(query, batch)
        # A batch that comes again may have lost its dead letters only: they are looked for, and taken once.
        if written is None:
            self._bury(frame.sparkSession, LeftOut(ranges, None), batch, now)
        elif written.rows < sum(one.count for one in ranges):
            self._bury(frame.sparkSession, left_out(ranges, written.files), batch, now)

    def _bury(self, spark: SparkSession, among: LeftOut, batch: int, now: datetime) -> None:
        """Keep the bad messages among those of a batch that are named, and send copies of them."""
        if not among.ranges:
            return
        query, context = self.topic.name, self.context
        again = kafka.again(spark, context.connection, among.ranges, accept_loss=context.accept_loss)
        if among.condition is not None:
            again = again.where(among.condition)
        parsed = self._parsed(again, batch, now)
        bad = messages.bad(parsed, "headers", "batch", DAY).coalesce(self.tasks).persist()
        try:
            self.dead.append(bad.drop("headers"), context.writer(query), batch)
            if self.copies:
                kafka.send(_copies(bad), context.connection)
        finally:
            bad.unpersist()


def _copies(bad: DataFrame) -> DataFrame:
    """Return messages for the topic dead-letters: key and value as they came, and Kafka Connect's headers before their own.

    Topic, partition and offset among them tell two copies of one message. A message that is too large for a copy is told by its
    headers alone; all of it is in the table.
    """
    told: dict[str, Column] = {
        "topic": F.col("topic"),
        "partition": F.col("partition").cast("string"),
        "offset": F.col("offset").cast("string"),
        "connector.name": F.lit("recscale-lake"),
        "task.id": F.col("partition").cast("string"),
        "stage": F.lit("VALUE_CONVERTER"),
        "class.name": F.lit("jobs.streams.lake"),
        "exception.class.name": F.lit("jobs.streaming.messages"),
        "exception.message": F.concat_ws(": ", "reason", "field"),
    }
    ours = F.array(
        *(
            F.struct(F.lit(f"{_ERRORS}{name}").alias("key"), value.cast("binary").alias("value"))
            for name, value in told.items()
        )
    )
    headers = F.coalesce("headers", F.array().cast(_HEADERS))
    own = F.filter(headers, lambda one: ~one["key"].startswith(_ERRORS))
    size = F.aggregate(headers, _size("key") + _size("value"), lambda all_, one: all_ + _size(one["value"]))
    small = size <= _LARGEST
    omitted = F.array(
        F.struct(
            F.lit(f"{_ERRORS}omitted.bytes").alias("key"), size.cast("string").cast("binary").alias("value")
        )
    )
    return bad.select(
        F.lit(declared.DEAD_LETTERS).alias("topic"),
        *(F.when(small, F.col(name)).alias(name) for name in ("key", "value")),
        F.concat(ours, F.when(small, own).otherwise(omitted)).alias("headers"),
    )


def _size(value: Column | str) -> Column:
    return F.coalesce(F.octet_length(value), F.lit(0))


STREAM = Lake()
