"""Interface of a store without Spark, for the harness and for readers of single rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

Read = TypeVar("Read")
Reader = Callable[[Iterable[Mapping[str, Any]], str], Read]
"""Takes rows of a table, and the name of what holds this version of it: each write makes another one."""


class Storage(Protocol):
    """A store without Spark. One file of its folder in `jobs/stores`, `storage.py`, binds one to STORAGE.

    `spark` are always the Spark settings of an application, as `spark_settings` and `root` made them.

    Attributes:
        service: kind of service that keeps the tables; empty for files in the run folder.
        jars: list of jars in `cluster/jvm/jars` with which Spark reaches it; empty for none.
        variables: environment variables that applications need to reach it.
        file_variables: those of them that name files, which a driver has to be able to read.
    """

    service: str
    jars: str
    variables: tuple[str, ...]
    file_variables: tuple[str, ...]

    def spark_settings(
        self, addresses: Sequence[str], options: Mapping[str, Any], jars: str
    ) -> dict[str, str]:
        """Return the Spark settings with which an application reaches the tables.

        Args:
            addresses: host:port of each server, for clients.
            options: settings of the service.
            jars: those of `jars`, as the setting spark.jars wants them.
        """

    def running(self, addresses: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that servers which run were started with, where that shows, in place of those given.

        Raises:
            JobError: no server answers.
        """

    def root(self, tables: str, folder: Path) -> str:
        """Return what the store is opened with for tables of this name; `folder` is theirs alone in the run folder."""

    def holds(self, root: str, spark: Mapping[str, str], digest: str) -> bool:
        """Whether the tables of a preprocessing of rows with this digest are there, in versions that belong together.

        Raises:
            JobError: no server answers.
        """

    def layout(self, root: str, spark: Mapping[str, str]) -> str:
        """Return how the tables lie in the store, on which times depend though the rows are the same.

        Raises:
            JobError: no server answers, or there are no tables.
        """

    def table(self, root: str, spark: Mapping[str, str], table: str, read: Reader[Read]) -> Read | None:
        """Return what `read` makes of the newest version of a table, row by row; None if there is no such table.

        Raises:
            JobError: no server answers, or the rows cannot be read.
        """

    def private(self, root: str, folder: Path, made: Sequence[str]) -> str:
        """Return a root in `folder` that shows the tables of `root` without those whose names begin as in `made`.

        What is written there touches nobody else's rows. A store that cannot show another one's tables returns `root`.
        """

    def drop(self, root: str, spark: Mapping[str, str]) -> None:
        """Remove all tables.

        Raises:
            JobError: no server answers.
        """
