"""Messages of a measurement: invented ratings, sent to a topic that holds no others than those of earlier measurements."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from datasets.topics import declared
from datasets.topics.admin import administered
from datasets.topics.connection import Connection
from jobs.streaming import kafka
from jobs.streaming.offsets import Range, nested

TOPIC = "ratings"

USERS, _ITEMS = 50_000, 9_000
_STRIDE = 439
"""Step from one item of a user to the next; it has no divisor in common with the number of items, so no pair comes twice."""

_PAD = "r" * 106
"""Begin of an identifier, with which a message has about 250 bytes; also the sign that a message is one of ours."""

_OF = 10_000
"""Messages among which the bad ones are spread in the same way."""


@dataclass(frozen=True)
class Backlog:
    """Messages that all sides take in.

    Attributes:
        ranges: offsets of the messages in the topic.
        good: messages with a user, item and identifier of their own; bad: messages that are cut off before their end.
    """

    ranges: Sequence[Range]
    good: int
    bad: int

    @property
    def rows(self) -> int:
        """Number of all messages."""
        return self.good + self.bad

    @property
    def begin(self) -> Mapping[str, Mapping[str, int]]:
        """Offset of each partition at which the messages begin, as a query takes it."""
        return nested({(one.topic, one.partition): one.first for one in self.ranges})

    def read(self, spark: SparkSession, connection: Connection) -> DataFrame:
        """Return the messages as one batch, as Kafka has them."""
        return kafka.again(spark, connection, self.ranges, headers=False)


def sent(spark: SparkSession, connection: Connection, rows: int, share: float) -> Backlog:
    """Send messages to the topic and return where they are.

    Args:
        spark: the session.
        connection: way to the brokers.
        rows: messages.
        share: of them that are bad, in steps of a ten-thousandth.

    Raises:
        UsageError: numbers that are not allowed.
        JobError: the topic holds messages of others.
    """
    bad = _bad(rows, share)
    with administered(connection) as broker:
        broker.make([declared.topic(TOPIC), declared.topic(declared.DEAD_LETTERS)])
        before = broker.held([TOPIC])
        _refuse_others(
            spark, connection, [Range(one.topic, one.partition, one.first, one.end) for one in before]
        )
        kafka.send(_invented(spark, rows, round(share * _OF)), connection)
        ends = {one.partition: one.end for one in broker.held([TOPIC])}
    ranges = [Range(one.topic, one.partition, one.end, ends[one.partition]) for one in before]
    found = sum(one.count for one in ranges)
    if found != rows:
        raise JobError(
            f"{found:,} messages came to the topic {TOPIC} where {rows:,} were sent: {_OWN}, to which nobody else sends"
        )
    return Backlog(ranges, rows - bad, bad)


_OWN = "use a Kafka of its own (RECSCALE_RUN_DIR=/folder, then make setup KAFKA=1)"


def _bad(rows: int, share: float) -> int:
    """Return how many of the messages are bad."""
    if not 1 <= rows <= USERS * _ITEMS:
        raise UsageError(f"rows must be 1 to {USERS * _ITEMS:,}, got {rows:,}")
    if not 0 <= share < 1:
        raise UsageError(
            f"the share of bad messages must be 0 or more and less than 1, as in 0.001; got {share:g}"
        )
    each = round(share * _OF)
    return rows // _OF * each + min(rows % _OF, each)


def _refuse_others(spark: SparkSession, connection: Connection, ranges: Sequence[Range]) -> None:
    """Refuse a topic with messages that are not ours: what is sent to it would come between them."""
    there = [one for one in ranges if one.count]
    if not there:
        return
    ours = F.coalesce(F.col("value").cast("string").contains(_PAD), F.lit(False))
    others = kafka.again(spark, connection, there, headers=False).where(~ours).count()
    if others:
        raise JobError(
            f"the topic {TOPIC} holds {others:,} messages that are not of a measurement like this one, and the invented ones would come "
            f"between them: {_OWN}"
        )


def _invented(spark: SparkSession, rows: int, bad: int) -> DataFrame:
    """Return messages, a millisecond apart up to now; of each ten thousand the first `bad` ones lack their last character."""
    number, now = F.col("id"), int(time.time() * 1000)
    user = F.concat(F.lit("u"), number % USERS)
    item = (F.floor(number / USERS) * _STRIDE + number % USERS) % _ITEMS
    text = F.to_json(
        F.struct(
            F.concat(F.lit(_PAD), F.format_string("%010d", number)).alias("id"),
            user.alias("user"),
            F.concat(F.lit("i"), item).alias("item"),
            (number % 10 / 2).alias("rating"),
            (F.lit(now - rows) + number).alias("timestamp"),
            (F.lit(10**12) + number).alias("rated_at"),
        )
    )
    value = F.when(number % _OF < bad, F.expr("left(text, length(text) - 1)")).otherwise(F.col("text"))
    messages = spark.range(rows).select("id", user.alias("user"), text.alias("text"))
    return messages.select(
        F.lit(TOPIC).alias("topic"),
        F.col("user").cast("binary").alias("key"),
        value.cast("binary").alias("value"),
        F.array().cast("array<struct<key:string,value:binary>>").alias("headers"),
    )
