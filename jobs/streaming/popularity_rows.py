"""Messages of a micro-batch by window and item, and the rows of Cassandra's tables of popularity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.stores.cassandra.feedback import LATE, POPULARITY, Table
from jobs.streaming.feedback_rows import WRITTEN, is_retraction, unusable
from jobs.streaming.popularity import Counted

WATERMARK = "watermark_ms"
"""Column with the watermark, in milliseconds since 1970. As a number in an expression it would have its code compiled for each batch."""

_SENT = {"text": "string", "timestamp": "bigint"}
"""Spark's types of columns as they go to Spark: times as milliseconds since 1970."""

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


class Windows:
    """Groups the messages of micro-batches by window and item."""

    def __init__(self, window_ms: int) -> None:
        """Make the expressions, once for all batches.

        Args:
            window_ms: length of a window.
        """
        at = F.unix_millis("at")
        closed = F.coalesce(F.col("start") + window_ms <= F.col(WATERMARK), F.lit(False))
        kind = (
            F.when(F.col("skipped").isNotNull(), F.col("skipped"))
            .when(is_retraction(), _RETRACTION)
            .when(closed, _LATE)
            .otherwise(_COUNTED)
        )
        self._described = {"skipped": unusable(), "start": at - F.pmod(at, F.lit(window_ms))}
        self._kind = kind
        in_window = F.col("kind").isin(_COUNTED, _LATE)
        self._groups = [
            F.col("kind"),
            F.when(in_window, F.col("start")).alias("start"),
            F.when(in_window, F.col("item")).alias("item"),
            F.when(F.col("kind") != _COUNTED, F.col("partition")).alias("partition"),
        ]
        self._values = [
            F.count("*").alias("count"),
            F.min("offset").alias("first"),
            F.max("offset").alias("last"),
            F.max(F.when(F.col("skipped").isNull(), at)).alias("newest"),
        ]

    def of(self, rows: DataFrame) -> Found:
        """Return what a micro-batch holds, by one Spark job.

        Args:
            rows: SAID, partition, offset, reason, and in WATERMARK the watermark before this batch, null before the first.
        """
        # Thousands of rows: an exchange takes longer than counting them.
        described = rows.coalesce(1).withColumns(self._described).withColumn("kind", self._kind)
        return _found(described.groupBy(*self._groups).agg(*self._values).toPandas())


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
    return _rows(spark, changed, POPULARITY, about)


def late(
    spark: SparkSession, counted: Sequence[Counted], watermark_ms: int, about: Mapping[str, Any]
) -> DataFrame:
    """Return rows of `popularity_late` with their write time."""
    return _rows(spark, counted, LATE, {**about, "watermark": watermark_ms})


def _rows(
    spark: SparkSession, counted: Sequence[Counted], table: Table, about: Mapping[str, Any]
) -> DataFrame:
    """Return rows of a table; what all have in common is data, too: as constants it would have code compiled for each batch."""
    names = ["window_start", "item", "count", "partition", "first_offset", "last_offset"]
    rows = pd.DataFrame(counted, columns=names).assign(**about)
    rows["partition"] = pd.to_numeric(rows["partition"]).fillna(-1)
    kinds = {**table.columns, WRITTEN: "bigint"}
    schema = ", ".join(f"{name} {_SENT.get(kind, kind)}" for name, kind in kinds.items())
    made: DataFrame = spark.createDataFrame(
        rows[list(kinds)].astype({name: "int32" for name, kind in kinds.items() if kind == "int"}), schema
    )
    return made.coalesce(1).select(
        *(
            F.timestamp_millis(name).alias(name) if kind == "timestamp" else F.col(name)
            for name, kind in kinds.items()
        )
    )
