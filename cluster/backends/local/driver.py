"""Drivers as processes of this machine, on the Python that runs this."""

import platform
import subprocess
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.jvm import artifacts, java
from cluster.jvm.class_archive import ClassArchive, class_archive
from cluster.settings import ROOT, Settings


@dataclass(frozen=True)
class LocalDriverHost:
    """Drivers beside this process."""

    settings: Settings

    @property
    def python(self) -> str:
        return sys.executable

    @property
    def root(self) -> Path:
        return ROOT

    @property
    def host(self) -> str:
        return self.settings.spark.driver_host or self.settings.advertised or self.settings.host

    @property
    def listens(self) -> str:
        return self.settings.host

    @property
    def foundation(self) -> str:
        return self.java + (", class archive" if self.class_archive.option else "")

    @property
    def class_archive(self) -> ClassArchive:
        return class_archive(self.settings)

    @property
    def watch_s(self) -> float:
        return 1.0

    @property
    def java(self) -> str:
        return java.version_line(self.settings.spark.java_home)

    @property
    def python_version(self) -> str:
        return platform.python_version()

    def jars(self, name: str) -> str:
        return artifacts.listed(name, self.settings)

    def refuse(self, paths: Iterable[Path]) -> None:
        """Accept all paths: drivers see the same files as this process."""

    def give_access(self, paths: Iterable[Path]) -> None:
        for path in paths:
            path.mkdir(parents=True, exist_ok=True)

    def command(self, argv: Sequence[str], root: Path, folder: Path, names: Collection[str]) -> list[str]:  # noqa: ARG002
        return list(argv)

    def end(self, folder: Path, process: subprocess.Popen[bytes], grace_s: float) -> None:
        """Do nothing: the application is in the command's own process group."""
