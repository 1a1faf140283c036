"""The lake's tables as a checker reads them, and Kafka's own messages beside them."""

from collections.abc import Mapping, Sequence
from functools import partial, reduce
from pathlib import Path

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from datasets.topics import declared
from datasets.topics.admin import Held
from datasets.topics.connection import Connection
from jobs.reconciling.contents import Sides
from jobs.reconciling.offsets import NONE, Place, Ranges
from jobs.runtime.concurrent_actions import run_concurrently
from jobs.streaming import kafka, messages
from jobs.streaming.offsets import Range
from jobs.streaming.tables import Table

KEY = ("topic", "partition", "offset")
Span = Mapping[Place, tuple[int, int]]
"""First offset of each partition that is compared, and the end."""

_PLACES = {"topic": "string", "partition": "int32", "offset": "int64"}


def _table(spark: SparkSession, lake: Path, topic: str) -> DataFrame | None:
    found = Table.of(lake, topic)
    if not found.exists:
        return None
    frame = found.read(spark)
    frame.inputFiles()  # Delta reads its log now: within a plan of many tables it would do so for one after another
    return frame


def tables(spark: SparkSession, lake: Path) -> dict[str, DataFrame]:
    """Return the tables of good messages and that of dead letters by their topic."""
    topics = declared.topics()
    found = run_concurrently(*(partial(_table, spark, lake, name) for name in topics))
    return {name: frame for name, frame in zip(topics, found, strict=True) if frame is not None}


def places(spark: SparkSession, frames: Sequence[DataFrame]) -> DataFrame:
    """Return topic, partition and offset of the rows of these tables together."""
    if not frames:
        return listed(spark, {})
    return reduce(DataFrame.unionByName, (frame.select(*KEY) for frame in frames))


def listed(spark: SparkSession, offsets: Mapping[Place, Ranges]) -> DataFrame:
    """Return offsets as rows: topic, partition, offset.

    Spark holds them in the plan, as it does whatever comes from pandas; a list of rows would be tasks of Python's.
    """
    rows = [(*place, offset) for place, ranges in offsets.items() for one in ranges for offset in range(*one)]
    return spark.createDataFrame(pd.DataFrame(rows, columns=list(_PLACES)).astype(_PLACES))


def held_of(read: Mapping[Place, Ranges], held: Sequence[Held]) -> dict[Place, tuple[int, int]]:
    """Return for each partition the first offset that was read and that Kafka still holds, and the end of what was read."""
    found = {}
    for one in held:
        ranges = read.get(Place(one.topic, one.partition), NONE)
        if ranges and (first := max(one.first, int(ranges.starts[0]))) < (end := min(one.end, ranges.end)):
            found[Place(one.topic, one.partition)] = (first, end)
    return found


def kafka_rows(spark: SparkSession, connection: Connection, span: Span) -> DataFrame:
    """Return Kafka's own messages in these offsets: key, value, topic, partition, offset, timestamp."""
    ranges = [Range(*place, first, end) for place, (first, end) in sorted(span.items())]
    rows = kafka.again(spark, connection, ranges, headers=False)
    return rows.select("key", "value", "topic", "partition", "offset", "timestamp")


def within(span: Span) -> Column:
    """Whether a row lies in these offsets."""
    parts = (
        (F.col("topic") == place.topic)
        & (F.col("partition") == place.partition)
        & F.col("offset").between(first, end - 1)
        for place, (first, end) in span.items()
    )
    return reduce(lambda one, two: one | two, parts, F.lit(False))


def good_sides(sent: DataFrame, topic: str, stored: DataFrame, elsewhere: Sequence[DataFrame]) -> Sides:
    """Return a topic's messages as Kafka has them and as the lake has them.

    Args:
        sent: of `kafka_rows`.
        topic: of these.
        stored: table of the lake, in the same offsets.
        elsewhere: topic, partition, offset of messages that are not in the lake: dead letters, and what was erased.
    """
    good = reduce(lambda rows, away: rows.join(away, list(KEY), "left_anti"), elsewhere, sent)
    parsed = messages.Parser(declared.topic(topic), declared.schema(topic)).rows(good)
    columns = [name for name in stored.columns if name in parsed.columns and name not in KEY]
    return Sides(parsed.select(*KEY, *columns), stored.select(*KEY, *columns), columns)


def bad_sides(sent: DataFrame, dead: DataFrame, keys: DataFrame) -> Sides:
    """Return the bad messages, byte by byte, as Kafka has them and as the dead letters have them.

    Args:
        sent: of `kafka_rows`.
        dead: table of dead letters, in the same offsets.
        keys: topic, partition, offset of these.
    """
    columns = ["key", "value"]
    rows = sent.join(keys, list(KEY), "left_semi")
    return Sides(rows.select(*KEY, *columns), dead.select(*KEY, *columns), columns)
