"""Tables as Delta tables under one root: Delta writes and reads them, so other programs that know Delta can read them, too.

See jobs.stores.lake.versions for how versions are published, opened and removed.
"""

import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from core.errors import DataError, JobError
from datasets.formats.delta import EXTENSION
from datasets.formats.spark_paths import local
from jobs.prepare.summary import SUMMARY, named
from jobs.retention import Retention, disk_full
from jobs.runtime.failures import DISK_FULL
from jobs.stores.lake.versions import DeltaVersions

_CONFLICT = r"io\.delta\.exceptions\.\w+Exception"
"""Errors of a commit that came after another writer's."""

KEEP_EMPTY = "spark.databricks.delta.skipRecordingEmptyCommits"
"""Delta takes no version for a write that leaves an empty table empty, unless this is false."""


class LakeStore:
    """The tables of one data set in one folder that driver and executors share.

    Raises:
        JobError: the session has no Delta.
    """

    def __init__(self, spark: SparkSession, root: str, retention: Retention | None = None) -> None:
        extensions = spark.conf.get("spark.sql.extensions", "") or ""
        if EXTENSION not in extensions:
            raise JobError(
                f"the session cannot keep tables in Delta: its spark.sql.extensions is {extensions!r}, and {EXTENSION} must be in it. "
                "Commands set it; in a session of your own add it, or use the store parquet"
            )
        spark.conf.set(KEEP_EMPTY, "false")
        self.spark = spark
        self.root = Path(root).absolute()
        self._tables = DeltaVersions(self.root, retention)
        self._written: dict[str, DeltaVersions] = {}

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """Return a version of a table."""
        number = self._tables.open(table, version)
        reader = self.spark.read.format("delta").option("versionAsOf", number)
        return reader.load(local(self._tables.folder(table)))

    def rows(self, table: str, version: int | None = None) -> list[Mapping[str, Any]]:
        """Return all rows of a small table, read in this process."""
        return self._tables.rows(table, version)

    def write(self, table: str, frame: DataFrame) -> int:
        """Publish a table's newest version, completely or not at all.

        The version stays until this store writes the table again or is closed, even if others write it meanwhile, so that a
        summary can name it. If another writer of this process was faster, the rows are computed and written again.

        Raises:
            JobError: the disk is full.
        """
        with self._tables.writing(table, frame.schema.json()):
            try:
                return self._publish(table, frame)
            except Exception as error:
                if re.search(DISK_FULL, str(error)):
                    raise disk_full(table, self.root) from error
                raise
            finally:
                with suppress(OSError, DataError, JobError):  # the next write removes what stays now
                    self._tables.sweep(table, self._named(table))

    def _publish(self, table: str, frame: DataFrame) -> int:
        folder, note = local(self._tables.folder(table)), f"recscale {uuid.uuid4().hex}"
        whole = frame.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
        version = None
        while version is None:
            try:
                whole.option("userMetadata", note).save(folder)
            except Exception as error:
                if not re.search(_CONFLICT, str(error)):
                    raise
            else:
                version = self._tables.publish(table, note)
        self._hold(table, version)
        return version

    def _hold(self, table: str, version: int) -> None:
        mine = DeltaVersions(self.root)
        mine.open(table, version)
        if table in self._written:
            self._written[table].close()
        self._written[table] = mine

    def _named(self, table: str) -> set[int]:
        versions = self._tables.versions(SUMMARY) if table != SUMMARY else []
        return named((self._tables.rows(SUMMARY, version) for version in versions), table)

    def versions(self, table: str) -> list[int]:
        return self._tables.versions(table)

    def has(self, table: str) -> bool:
        """Whether the table is there; only a version that was written whole is published."""
        return bool(self._tables.versions(table))

    def close(self) -> None:
        for held in (self._tables, *self._written.values()):
            held.close()
        self._let_delta_forget()

    def _let_delta_forget(self) -> None:
        """Free what Delta keeps of tables that were read or written: blocks on the executors that outlive a trial."""
        with suppress(Exception):  # the session may have ended
            delta = self.spark._jvm.org.apache.spark.sql.delta  # type: ignore[union-attr]  # noqa: SLF001 - only the JVM has it
            delta.DeltaLog.clearCache()
            # Guava keeps what was read twice in a queue beside its entries, until the next one comes.
            getattr(getattr(delta, "DeltaLog$"), "MODULE$").unsetCache()


STORE = LakeStore
