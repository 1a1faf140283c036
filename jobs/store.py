"""Interface of a store: where tables live between jobs."""

from collections.abc import Mapping
from typing import Any, Protocol

from pyspark.sql import DataFrame, SparkSession

from jobs.retention import Retention


class Store(Protocol):
    """Named tables of one data set. One file in `jobs/stores` binds a class to STORE.

    A table has versions, numbered from 1 in the order in which they were published. A write makes the next one and
    touches no other; of two writers at a time, the last to publish wins whole. `Retention` says which versions stay.
    """

    def __init__(self, spark: SparkSession, root: str, retention: Retention | None = None) -> None:
        """Open the tables under `root` (a folder for parquet, a keyspace for a database)."""

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """Return a version of a table, the newest if none is named.

        The frame, and whatever is made of it, computes the rows of that version until the store is closed, the process
        ends, or the retention's longest time is over.

        Raises:
            JobError: there is no such table, with the command that makes it; or the version is gone.
        """

    def rows(self, table: str, version: int | None = None) -> list[Mapping[str, Any]]:
        """Return all rows of a small table; without a Spark job where the store can.

        Raises:
            JobError: as `read`.
        """

    def write(self, table: str, frame: DataFrame) -> int:
        """Replace a table by `frame`, whole or not at all, and return the version's number.

        Then versions that need not stay are removed, and what interrupted writes left.
        """

    def versions(self, table: str) -> list[int]:
        """Return the numbers of the versions that can be read, newest first."""

    def has(self, table: str) -> bool:
        """Whether the table is there, whole."""

    def close(self) -> None:
        """Let go of the versions that were read; frames of older ones may fail from now on. Never raises."""
