"""Tables as Parquet folders under one root; the default store, which needs no server.

A table is a symbolic link `<table>` to a folder `<table>.<unique>`. A write fills a new folder and then moves the link,
which the file system does at once: a job that is interrupted anywhere leaves the old table or the new one, and the
next write removes what it left behind.
"""

import fcntl
import json
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from datasets.spark_paths import literal
from jobs.errors import JobError
from jobs.failures import DISK_FULL


class ParquetStore:
    """The tables of one data set in one folder that driver and executors share."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        self.spark = spark
        self.root = Path(root).absolute()

    def read(self, table: str) -> DataFrame:
        """Return a table; the frame reads the folder that was current when this was called."""
        folder = self._folder(table)
        return self.spark.read.schema(_schema(folder)).parquet(literal(folder))

    def rows(self, table: str) -> list[Mapping[str, Any]]:
        """Return all rows of a small table, read in this process."""
        parts = sorted(self._folder(table).glob("part-*.parquet"))
        return [row for part in parts for row in pq.read_table(part).to_pylist()]

    def write(self, table: str, frame: DataFrame) -> None:
        """Replace a table, whole or not at all.

        Raises:
            JobError: the disk is full, or another job is writing the same table.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with self._alone(table):
                self._sweep(table)
                self._replace(table, frame)
        except Exception as error:
            if re.search(DISK_FULL, str(error)):
                raise JobError(self._full(table)) from error
            raise

    def has(self, table: str) -> bool:
        """Whether the table is there; a link is only made to a folder that was written whole."""
        return (self.root / table / "_SUCCESS").exists()

    def _folder(self, table: str) -> Path:
        if not self.has(table):
            raise JobError(
                f"there is no table {table!r} in {self.root}. Make it from the data set first: "
                "make preprocess DATASET=... (recommendations come from make train)"
            )
        return (self.root / table).resolve()

    def _replace(self, table: str, frame: DataFrame) -> None:
        folder = self.root / f"{table}.part-{uuid.uuid4().hex[:12]}"
        link = folder.with_name(f"{folder.name}.link")
        try:
            frame.write.mode("error").parquet(str(folder))
            link.symlink_to(folder.name)
            link.replace(self.root / table)
        except BaseException:
            link.unlink(missing_ok=True)
            if self._current(table) != folder.name:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        self._sweep(table)

    def _sweep(self, table: str) -> None:
        """Remove folders and links that no finished write points to."""
        current = self._current(table)
        for path in self.root.glob(f"{table}.part-*"):
            if path.is_symlink():
                path.unlink()
            elif path.name != current:
                shutil.rmtree(path, ignore_errors=True)

    def _current(self, table: str) -> str:
        link = self.root / table
        return str(link.readlink()) if link.is_symlink() else ""

    @contextmanager
    def _alone(self, table: str) -> Iterator[None]:
        """Hold the table's lock, which ends with the process, so that no write sweeps another's folder away."""
        with (self.root / f".{table}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise JobError(
                    f"another job is writing table {table!r} in {self.root}: wait until it has ended, then run again"
                ) from None
            yield

    def _full(self, table: str) -> str:
        present = self.root if self.root.exists() else self.root.parent
        free = shutil.disk_usage(present).free / 2**20
        return (
            f"the disk is full: table {table!r} could not be written to {self.root}, where {free:,.0f} MiB are free. "
            "Free some space there (make clean removes what can be made again) or move the run folder "
            "(RECSCALE_RUN_DIR), then run again. The table is as it was before."
        )


def _schema(folder: Path) -> T.StructType:
    """Return the schema that Spark left in every file that it wrote; asked itself, it would run a job to find it."""
    written = pq.read_schema(next(folder.glob("part-*.parquet"))).metadata
    return T.StructType.fromJson(json.loads(written[b"org.apache.spark.sql.parquet.row.metadata"]))


STORE = ParquetStore
