"""Messages of a micro-batch by window and item, and the rows of Cassandra's tables of popularity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.stores.cassandra.feedback import LATE, POPULARITY
from jobs.streaming.feedback_rows import WRITTEN, is_retraction, unusable
from jobs.streaming.popularity import Counted

_COUNTED, _LATE, _RETRACTION = "counted", "late", "retraction"


@dataclass
class Found:
    """Content of a micro-batch.

    Attributes:
        counted: messages of windows that are open.
        late: messages of windows that are closed.
        retractions: how many.
        newest_ms: newest time of a usable message; None without any.
        skipped: for each reason the messages that are in no table: count, first_offset, last_offset.
    """

    counted: list[Counted] = field(default_factory=list)
    late: list[Counted] = field(default_factory=list)
    retractions: int = 0
    newest_ms: int | None = None
    skipped: dict[str, dict[str, int]] = field(default_factory=dict)


def of(rows: DataFrame, window_ms: int, watermark_ms: int | None) -> Found:
    """Return what a micro-batch holds, by one Spark job.

    Args:
        rows: SAID, partition, offset, reason.
        window_ms: length of a window.
        watermark_ms: the watermark before this batch; None before the first.
    """
    start = F.unix_millis("at") - F.pmod(F.unix_millis("at"), F.lit(window_ms))
    closed = F.lit(False) if watermark_ms is None else F.col("start") + window_ms <= watermark_ms
    kind = (
        F.when(F.col("skipped").isNotNull(), F.col("skipped"))
        .when(is_retraction(), _RETRACTION)
        .when(closed, _LATE)
        .otherwise(_COUNTED)
    )
    in_window = F.col("kind").isin(_COUNTED, _LATE)
    groups = (
        rows.coalesce(1)  # thousands of rows: an exchange takes longer than counting them
        .withColumn("skipped", unusable())
        .withColumn("start", start)
        .withColumn("kind", kind)
        .groupBy(
            "kind",
            F.when(in_window, F.col("start")).alias("start"),
            F.when(in_window, F.col("item")).alias("item"),
            F.when(F.col("kind") != _COUNTED, F.col("partition")).alias("partition"),
        )
        .agg(
            F.count("*").alias("count"),
            F.min("offset").alias("first"),
            F.max("offset").alias("last"),
            F.max(F.when(F.col("skipped").isNull(), F.unix_millis("at"))).alias("newest"),
        )
    )
    return _found(groups.toPandas())


def _found(groups: pd.DataFrame) -> Found:
    found = Found()
    newest = groups["newest"].max()
    found.newest_ms = None if pd.isna(newest) else int(newest)
    for kind, start, item, partition, count, first, last, _ in groups.itertuples(index=False):
        if kind == _COUNTED:
            found.counted.append(Counted(int(start), item, count))
        elif kind == _LATE:
            found.late.append(Counted(int(start), item, count, int(partition), first, last))
        elif kind == _RETRACTION:
            found.retractions += count
        else:
            one = found.skipped.setdefault(kind, {"count": 0, "first_offset": first, "last_offset": last})
            one["count"] += count
            one["first_offset"], one["last_offset"] = (
                min(one["first_offset"], first),
                max(one["last_offset"], last),
            )
    return found


def totals(spark: SparkSession, changed: Sequence[Counted], about: Mapping[str, Any]) -> DataFrame:
    """Return rows of `popularity` with their write time; `about` has topic, batch, window_s and write time."""
    return _rows(spark, changed).select(
        *(_column(name, about) for name in POPULARITY.columns), F.lit(about[WRITTEN]).alias(WRITTEN)
    )


def late(
    spark: SparkSession, counted: Sequence[Counted], watermark_ms: int, about: Mapping[str, Any]
) -> DataFrame:
    """Return rows of `popularity_late` with their write time."""
    every = {**about, "watermark": watermark_ms}
    return _rows(spark, counted).select(
        *(_column(name, every) for name in LATE.columns), F.lit(about[WRITTEN]).alias(WRITTEN)
    )


def _rows(spark: SparkSession, counted: Sequence[Counted]) -> DataFrame:
    names = ["window_start", "item", "count", "partition", "first_offset", "last_offset"]
    rows = pd.DataFrame(counted, columns=names)
    rows["partition"] = pd.to_numeric(rows["partition"]).fillna(-1)
    schema = "window_start bigint, item string, count bigint, partition int, first_offset bigint, last_offset bigint"
    made: DataFrame = spark.createDataFrame(rows.astype({"partition": "int32"}), schema)
    return made.coalesce(1)


def _column(name: str, about: Mapping[str, Any]) -> Any:
    value = F.lit(about[name]) if name in about else F.col(name)
    if name in ("window_start", "watermark"):
        value = F.timestamp_millis(value)
    if name in ("window_s", "batch"):
        value = value.cast("int" if name == "window_s" else "bigint")
    return value.alias(name)
