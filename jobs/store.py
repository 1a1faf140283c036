"""Interface of a store in Spark, which keeps tables between jobs."""

from collections.abc import Mapping
from typing import Any, Protocol

from pyspark.sql import DataFrame, SparkSession

from jobs.retention import Retention


class Store(Protocol):
    """Named tables of one data set. One file in `jobs/stores` binds a class to STORE.

    A table has versions, numbered from 1 in the order of publication. A write makes the next version and changes no other.
    Two writers at a time make two versions, and readers get the later one. `Retention` says which versions stay.
    """

    def __init__(self, spark: SparkSession, root: str, retention: Retention | None = None) -> None:
        """Open the tables under `root` (a folder for parquet, a keyspace for a database)."""

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """Return a version of a table, the newest if none is named.

        The frame, and every frame made from it, reads that version until the store is closed, the process ends, or the
        retention's `held_s` seconds have passed.

        Raises:
            JobError: there is no such table (the message names the command that makes it), or the version is gone.
        """

    def rows(self, table: str, version: int | None = None) -> list[Mapping[str, Any]]:
        """Return all rows of a small table, without a Spark job if the store can.

        Raises:
            JobError: as in `read`.
        """

    def write(self, table: str, frame: DataFrame) -> int:
        """Publish `frame` as the table's newest version, completely or not at all, and return the version's number.

        Then versions that need not stay and leftovers of interrupted writes are removed.
        """

    def versions(self, table: str) -> list[int]:
        """Return the numbers of the versions that can be read, newest first."""

    def has(self, table: str) -> bool:
        """Whether the table is there; interrupted writes do not count."""

    def close(self) -> None:
        """Release the versions that were read, so that frames of older ones may fail from now on. Never raises."""
