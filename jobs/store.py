"""What a store is: where tables live between jobs."""

from collections.abc import Mapping
from typing import Any, Protocol

from pyspark.sql import DataFrame, SparkSession


class Store(Protocol):
    """Named tables of one data set. One file in `jobs/stores` binds a class to STORE."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        """Open the tables under `root` (a folder for parquet, a keyspace for a database)."""

    def read(self, table: str) -> DataFrame:
        """Return a table.

        Raises:
            JobError: there is no such table; names the command that makes it.
        """

    def rows(self, table: str) -> list[Mapping[str, Any]]:
        """Return all rows of a small table; without a Spark job where the store can.

        Raises:
            JobError: as `read`.
        """

    def write(self, table: str, frame: DataFrame) -> None:
        """Replace a table by `frame`, whole or not at all: readers see the old or the new one."""

    def has(self, table: str) -> bool:
        """Whether the table is there, whole."""
