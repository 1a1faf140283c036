"""Rows of Cassandra's tables of feedback, made of messages: what was done, the latest of each item, what was taken back."""

from collections.abc import Collection
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.engine.events import RATING, RETRACT
from jobs.stores.cassandra.feedback import (
    END_OF_ID,
    EVENTS,
    FEEDBACK,
    OFFSET_DIGITS,
    PARTITION_DIGITS,
    RETRACTIONS,
)

WRITTEN = "written"
"""Column with Cassandra's write time, in microseconds since 1970."""

SAID = ("user", "at", "id", "type", "item", "value", "retracts", "rated_at")
"""What a message of either topic says, in one form."""

NO_USER, NO_ITEM, NO_EVENT, LONG = "empty user", "no item", "no event to retract", "longer than a key may be"
"""Why a message that the lake takes cannot be a row of Cassandra's."""

LONGEST_KEY = 65_535
"""Bytes in a key of Cassandra."""


def said(fields: Collection[str]) -> list[Column]:
    """Return the columns SAID of messages of `ratings` or of `events`, of which each lacks fields that the other has."""
    if "rating" in fields:
        return [*(F.col(name) for name in ("user", "at", "id")), F.lit(RATING).alias("type"), F.col("item"),
                F.col("rating").alias("value"), F.lit(None).cast("string").alias("retracts"), F.col("rated_at")]  # fmt: skip
    lacking = F.lit(None).cast("timestamp").alias("rated_at")
    return [*(F.col(name) for name in SAID[:-1]), lacking]


def is_retraction() -> Column:
    """Whether a message takes back an earlier one."""
    return F.col("type") == RETRACT


def unusable() -> Column:
    """Return why a message is in none of the tables, null if it is: the lake's reason, or one of those above.

    Cassandra refuses an empty or a very long key, and would refuse it at each repetition.
    """
    key = reduce(
        lambda one, two: one + two,
        (F.coalesce(F.octet_length(name), F.lit(0)) for name in ("user", "id", "item", "retracts")),
    )
    return (
        F.when(F.col("reason").isNotNull(), F.col("reason"))
        .when(F.col("user") == "", NO_USER)
        .when(is_retraction() & F.col("retracts").isNull(), NO_EVENT)
        .when(~is_retraction() & F.col("item").isNull(), NO_ITEM)
        .when(key > LONGEST_KEY, LONG)
    )


def events(messages: DataFrame) -> DataFrame:
    """Return rows of `events` in the order of its key, with their write time."""
    parts = F.lpad(F.col("partition"), PARTITION_DIGITS, "0"), F.lpad(F.col("offset"), OFFSET_DIGITS, "0")
    place = F.when(F.col("type") != RATING, F.concat_ws(":", *parts)).alias("place")
    columns = [place if name == "place" else F.col(name) for name in EVENTS.columns]
    return _in_order(messages.select(*columns, _written()), EVENTS.partition + EVENTS.clustering)


def feedback(messages: DataFrame) -> DataFrame:
    """Return rows of `feedback` in the order of its key, with their write time."""
    rows = messages.where(~is_retraction()).select(*FEEDBACK.columns, _written())
    return _in_order(rows, FEEDBACK.partition + FEEDBACK.clustering)


def retractions(messages: DataFrame) -> DataFrame:
    """Return rows of `retractions` with their write time."""
    return messages.where(is_retraction()).select(*RETRACTIONS.columns, _written())


def with_latest(messages: DataFrame) -> DataFrame:
    """Add the cell `latest` of `feedback`."""
    return messages.withColumn("latest", latest())


def latest() -> Column:
    """Return what `feedback` keeps of a message beside its time: see jobs.stores.cassandra.feedback."""
    return F.concat(F.col("id"), F.lit(END_OF_ID), F.to_json(F.struct("type", "value")))


def standing(messages: DataFrame, retracted: DataFrame) -> DataFrame:
    """Return the latest message of each user and item, by time and then id, among those that were not taken back.

    Args:
        messages: columns SAID, of both topics.
        retracted: user, retracts.
    """
    newest = Window.partitionBy("user", "item").orderBy(F.desc("at"), F.desc("id"))
    left = messages.where(~is_retraction() & F.col("item").isNotNull()).join(
        retracted.select("user", F.col("retracts").alias("id")).distinct(), ["user", "id"], "left_anti"
    )
    return left.withColumn("_nth", F.row_number().over(newest)).where("_nth = 1").select(*SAID)


def _written() -> Column:
    return F.unix_micros("at").alias(WRITTEN)


def _in_order(rows: DataFrame, key: tuple[str, ...]) -> DataFrame:
    """Sort what a task has, so that it writes many rows of one partition at once.

    Messages of both topics have the user as Kafka's key: a user's are in one task as they come, and need no exchange.
    """
    return rows.sortWithinPartitions(*key)
