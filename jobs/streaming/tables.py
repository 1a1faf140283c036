"""Delta tables of the lake: appends that count once, versions for readers, and a lock between what changes a table.

Delta on a plain disk is safe for one process at a time only: two that commit the same version could both believe that they did.
So whatever changes a table holds its lock: the stream for one append, compaction and erasure for as long as they take.
"""

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, SparkSession

from core.errors import JobError
from datasets.formats import delta
from datasets.formats.spark_paths import local
from datasets.publishers.lake import delta_log

SETTINGS: Mapping[str, str] = {
    **delta.SETTINGS,
    # Rows of one batch have one date or two. Without this Spark sorts them by it.
    "spark.sql.maxConcurrentOutputFileWriters": "16",
    # Spark's default, 96 bits, takes longer to write, has no statistics, and other readers give it up.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # It would parse a message once for each of its fields.
    "spark.sql.optimizer.enableJsonExpressionOptimization": "false",
    # Removing files lists folders in as many tasks: Spark's 10,000 take a minute and a half a table.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",
    # A stream runs for weeks, and Spark keeps the texts of so many plans: its 1,000 may have thousands of offsets in each.
    "spark.sql.ui.retainedExecutions": "50",
}
"""Spark settings of applications that keep streams, beside the entry for `spark.sql.extensions`."""

_PROPERTIES = {
    # Statistics of every column cost time in each write; readers look for offsets and days.
    "delta.dataSkippingStatsColumns": "partition,offset",
    "delta.checkpointInterval": "50",
}
DAY = "ingest_date"


class Appended(NamedTuple):
    """Rows that a commit wrote, the files that hold them, and since when readers see them, in seconds since 1970."""

    rows: int
    files: Sequence[Path]
    visible_s: float


@dataclass(frozen=True)
class Table:
    """A Delta table of the lake."""

    path: Path

    @classmethod
    def of(cls, lake: Path, topic: str) -> "Table":
        """Return the table of a topic in the lake's folder."""
        return cls(lake / topic.replace("-", "_"))

    @property
    def exists(self) -> bool:
        """Whether something was written to it."""
        return self.version() >= 0

    def version(self) -> int:
        """Return the newest version, -1 where there is none."""
        return max(delta_log.versions(self.path), default=-1)

    def read(self, spark: SparkSession, version: int | None = None) -> DataFrame:
        """Return a version of the table, the newest if none is named.

        Raises:
            JobError: there is no such table or version.
        """
        newest = self.version()
        if newest < 0 or not 0 <= (newest if version is None else version) <= newest:
            has = (
                f"its versions go to {newest}"
                if newest >= 0
                else "there is no such table: make stream NAME=lake fills it"
            )
            raise JobError(f"the lake cannot give version {version} of {self.path}: {has}")
        chosen = newest if version is None else version
        return spark.read.format("delta").option("versionAsOf", chosen).load(local(self.path))

    def prepare(self, spark: SparkSession, schema: Any) -> None:
        """Make the table, or give it columns that are new; a table that has them all is left as it is."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.locked():
            if not self.exists:
                delta_log.begin(self.path, schema.json(), [DAY], _PROPERTIES)
                return
            there = spark.read.format("delta").load(local(self.path)).schema
            if {field.name for field in schema} <= {field.name for field in there}:
                return
            empty = spark.createDataFrame([], schema)
            writer = empty.write.format("delta").mode("append").option("mergeSchema", "true")
            writer.save(local(self.path))

    def append(self, frame: DataFrame, writer: str, number: int) -> Appended | None:
        """Append rows unless this writer has appended those of this number already.

        Args:
            frame: rows with the table's columns.
            writer: whose numbers these are; a new checkpoint is a new writer.
            number: of the micro-batch. Delta takes each number of a writer once, and none below one that it took.

        Returns:
            What was written; None if it was there already.
        """
        with self.locked():
            before = self.version()
            once = frame.write.option("txnAppId", writer).option("txnVersion", number)
            once.format("delta").mode("append").save(local(self.path))
            return self._written(before + 1, writer, number)

    def _written(self, version: int, writer: str, number: int) -> Appended | None:
        """Return what a commit of this number wrote, None if there is none from this version on.

        Its rows are there for readers since the commit's file got its name, which changed the file's status.
        """
        while (commit := delta_log.file(self.path, version)).exists():
            actions = delta_log.actions(self.path, version)
            marks = [action["txn"] for action in actions if "txn" in action]
            if any(mark["appId"] == writer and mark["version"] == number for mark in marks):
                files = [self.path / name for name in delta_log.added(actions)]
                return Appended(int(_metrics(actions)["numOutputRows"]), files, commit.stat().st_ctime)
            version += 1
        return None

    def compact(self, spark: SparkSession, keep_h: float) -> dict[str, int]:
        """Put small files of each day together and remove those that no version of the last hours needs.

        Readers of older versions lose them. The stream waits meanwhile.

        Args:
            spark: the session.
            keep_h: hours for which older versions can still be read.

        Returns:
            Numbers of files: before, after, removed from disk.
        """
        table = f"delta.`{self.path.resolve()}`"
        with self.locked():
            before = self.files(spark)
            spark.sql(f"OPTIMIZE {table}")
            after = self.files(spark)
            on_disk = self._parquet()
            with any_age(spark):
                self.sweep(spark, keep_h)
        return {"before": before, "after": after, "removed": on_disk - self._parquet()}

    def sweep(self, spark: SparkSession, keep_h: float) -> None:
        """Remove the files that no version of the last hours needs.

        The caller holds the table, so that no writer has begun a file, and `any_age(spark)`.
        """
        spark.sql(f"VACUUM delta.`{self.path.resolve()}` RETAIN {keep_h} HOURS").collect()

    def files(self, spark: SparkSession) -> int:
        """Return how many files the newest version has."""
        return int(spark.sql(f"DESCRIBE DETAIL delta.`{self.path.resolve()}`").first()["numFiles"])  # type: ignore[index]

    def _parquet(self) -> int:
        return sum(1 for path in self.path.rglob("*.parquet") if delta_log.LOG not in path.parts)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the table against others that change it, waiting for them."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f".{self.path.name}.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextmanager
def any_age(spark: SparkSession) -> Iterator[None]:
    """Let files of any age be removed: Delta refuses those of less than a week."""
    check = "spark.databricks.delta.retentionDurationCheck.enabled"
    spark.conf.set(check, "false")
    try:
        yield
    finally:
        spark.conf.unset(check)


def _metrics(actions: list[dict[str, Any]]) -> Mapping[str, Any]:
    (info,) = (action["commitInfo"] for action in actions if "commitInfo" in action)
    metrics: Mapping[str, Any] = info["operationMetrics"]
    return metrics
