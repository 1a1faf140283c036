"""Where the driver of an application sits, and how it is started and stopped there."""

import subprocess
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from cluster.class_archive import ClassArchive


class DriverHost(Protocol):
    """What the harness asks a backend to run an application."""

    @property
    def python(self) -> str:
        """The Python of drivers and executors."""

    @property
    def root(self) -> Path:
        """The folder of this clone's packages, as the driver sees it."""

    @property
    def host(self) -> str:
        """Where executors reach the driver."""

    @property
    def listens(self) -> str:
        """The address that the driver binds to."""

    @property
    def foundation(self) -> str:
        """What times depend on besides the host: the Java, and the image where there is one."""

    @property
    def class_archive(self) -> ClassArchive | None:
        """The archive of Spark's classes for drivers here and for workers of the same backend; None where it uses none."""

    @property
    def watch_s(self) -> float:
        """Seconds between looks at the services while an application runs: a look costs what is measured."""

    @property
    def java(self) -> str:
        """The first line that the driver's Java says of its version."""

    @property
    def python_version(self) -> str:
        """The version of the driver's Python, as in "3.11.2"."""

    def jars(self, name: str) -> str:
        """The jars of a lock file as Spark's setting spark.jars wants them; they are fetched if need be.

        Raises:
            ServiceError: they cannot be fetched.
        """

    def refuse(self, paths: Iterable[Path]) -> None:
        """Refuse input that drivers and executors do not see.

        Raises:
            ServiceError: with where to put it.
        """

    def lend(self, paths: Iterable[Path]) -> None:
        """Let drivers and executors write these folders, which are made, with all that is in them."""

    def command(self, argv: Sequence[str], root: Path, folder: Path, names: Collection[str]) -> list[str]:
        """Return the command that runs `argv` at the driver's place.

        Args:
            argv: what is to run there.
            root: the folder that it runs in.
            folder: of the application, for what stopping it needs.
            names: of the environment variables that it is to have from the command's own environment.
        """

    def end(self, folder: Path, process: subprocess.Popen[bytes], grace_s: float) -> None:
        """End what a command still runs elsewhere than in its own process group, by force after its grace."""
