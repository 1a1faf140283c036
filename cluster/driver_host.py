"""Host of an application's driver: its folders, and how to start and stop a driver there."""

import subprocess
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from cluster.jvm.class_archive import ClassArchive


class DriverHost(Protocol):
    """Interface through which the harness runs an application on a backend."""

    @property
    def python(self) -> str:
        """Path of the Python of drivers and executors."""

    @property
    def root(self) -> Path:
        """Folder of this clone's packages, as the driver sees it."""

    @property
    def host(self) -> str:
        """Address at which executors reach the driver."""

    @property
    def listens(self) -> str:
        """Address that the driver binds to."""

    @property
    def foundation(self) -> str:
        """Software that timings depend on besides the host's: the Java, and the image if there is one."""

    @property
    def class_archive(self) -> ClassArchive | None:
        """Archive of Spark's classes for this backend's drivers and workers; None if it uses none."""

    @property
    def watch_s(self) -> float:
        """Seconds between checks of the services while an application runs; each check disturbs the timings."""

    @property
    def java(self) -> str:
        """Version of the driver's Java, as its first line of output."""

    @property
    def python_version(self) -> str:
        """Version of the driver's Python, as in "3.11.2"."""

    def jars(self, name: str) -> str:
        """Return the jars of a lock file as the setting spark.jars needs them, downloading them if need be.

        Raises:
            ServiceError: they cannot be fetched.
        """

    def refuse(self, paths: Iterable[Path]) -> None:
        """Refuse input files that drivers and executors cannot see.

        Raises:
            ServiceError: a file is not visible to them; the message says where to put it.
        """

    def give_access(self, paths: Iterable[Path]) -> None:
        """Make these folders and let drivers and executors write them and everything below."""

    def command(self, argv: Sequence[str], root: Path, folder: Path, names: Collection[str]) -> list[str]:
        """Return the command that runs `argv` at the driver's place.

        Args:
            argv: the command to run there.
            root: the folder that it runs in.
            folder: the application's, for files that are needed to stop it.
            names: environment variables to pass on from the command's own environment.
        """

    def end(self, folder: Path, process: subprocess.Popen[bytes], grace_s: float) -> None:
        """End the processes that a command runs outside its own process group, by force after `grace_s` seconds."""
