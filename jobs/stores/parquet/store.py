"""Tables as Parquet folders under one root; the default store, which needs no server.

Each version of a table is a folder. See jobs.stores.parquet.versions for how versions are published, opened and removed.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from datasets.formats.spark_paths import literal
from jobs.prepare.summary import SUMMARY, named
from jobs.retention import Retention, disk_full
from jobs.runtime.failures import DISK_FULL
from jobs.stores.parquet.versions import FolderVersions


class ParquetStore:
    """The tables of one data set in one folder that driver and executors share."""

    def __init__(self, spark: SparkSession, root: str, retention: Retention | None = None) -> None:
        self.spark = spark
        self.root = Path(root).absolute()
        self._folders = FolderVersions(self.root, retention)
        self._written: dict[str, FolderVersions] = {}

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """Return a version of a table."""
        folder = self._folders.open(table, version)
        return self.spark.read.schema(_schema(folder)).parquet(literal(folder))

    def rows(self, table: str, version: int | None = None) -> list[Mapping[str, Any]]:
        """Return all rows of a small table, read in this process."""
        return self._folders.rows(table, version)

    def write(self, table: str, frame: DataFrame) -> int:
        """Publish a table's newest version, completely or not at all.

        The version stays until this store writes the table again or is closed, even if others write it meanwhile, so that a
        summary can name it.

        Raises:
            JobError: the disk is full.
        """
        try:
            with self._folders.fresh(table) as folder:
                frame.write.mode("error").parquet(str(folder))
                version = self._folders.publish(table, folder)
                self._hold(table, version)
        except Exception as error:
            if re.search(DISK_FULL, str(error)):
                raise disk_full(table, self.root) from error
            raise
        with suppress(OSError):  # the version is published; the next write removes what stays now
            self._folders.sweep(table, self._named(table))
        return version

    def _hold(self, table: str, version: int) -> None:
        mine = FolderVersions(self.root)
        mine.open(table, version)
        if table in self._written:
            self._written[table].close()
        self._written[table] = mine

    def _named(self, table: str) -> set[int]:
        versions = self._folders.versions(SUMMARY) if table != SUMMARY else []
        return named((self._folders.rows(SUMMARY, version) for version in versions), table)

    def versions(self, table: str) -> list[int]:
        return self._folders.versions(table)

    def has(self, table: str) -> bool:
        """Whether the table is there; only a version that was written whole is published."""
        return bool(self._folders.versions(table))

    def close(self) -> None:
        for held in (self._folders, *self._written.values()):
            held.close()


def _schema(folder: Path) -> T.StructType:
    """Return the schema that Spark stores in every file; Spark itself would run a job to find it."""
    written = pq.read_schema(next(folder.glob("part-*.parquet"))).metadata
    return T.StructType.fromJson(json.loads(written[b"org.apache.spark.sql.parquet.row.metadata"]))


STORE = ParquetStore
