"""Drivers in the container of Spark's master: started by `docker exec`, stopped by a signal inside it."""

import subprocess
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cluster.backends.docker import engine
from cluster.backends.docker.image import APP, HOME, Image, build, user
from cluster.backends.docker.ownership import give_access
from cluster.jvm import artifacts
from cluster.settings import ROOT, Settings
from core.errors import ServiceError

MASTER = "spark-master"
_PID = "driver.pid"


@dataclass(frozen=True)
class DockerDriverHost:
    """Container of the master, in which the run folder is mounted at its path on this host."""

    settings: Settings
    image: Image

    @property
    def python(self) -> str:
        return str(HOME / "venv" / "bin" / "python")

    @property
    def root(self) -> Path:
        return APP

    @property
    def host(self) -> str:
        return MASTER

    @property
    def listens(self) -> str:
        return MASTER

    @property
    def foundation(self) -> str:
        return f"docker {self.image.foundation} {self.java}"  # the image's Java is Debian's newest on the day of the build

    @property
    def class_archive(self) -> None:
        return None

    @property
    def watch_s(self) -> float:
        return 5.0

    @property
    def java(self) -> str:
        build(self.settings)  # the version is asked of the image, so it must exist
        return _java(self.image.tag)

    @property
    def python_version(self) -> str:
        build(self.settings)
        return _python_version(self.image.tag, self.python)

    def jars(self, name: str) -> str:
        folder = HOME / "jars" / artifacts.folder(name, self.settings.run_dir).name
        return ",".join((folder / jar.file).as_uri() for jar in artifacts.locked(name))

    def refuse(self, paths: Iterable[Path]) -> None:
        seen = [
            folder.resolve() for folder in (self.settings.run_dir, self.settings.data) if folder is not None
        ]
        for path in paths:
            if not any(path.resolve().is_relative_to(folder) for folder in seen):
                raise ServiceError(
                    f"{path} is not visible in the containers, which see only {' and '.join(map(str, seen))}: copy it "
                    "there, or name its folder as DATA=/folder (without links that lead out of it)"
                )

    def give_access(self, paths: Iterable[Path]) -> None:
        give_access(paths, user())

    def command(self, argv: Sequence[str], root: Path, folder: Path, names: Collection[str]) -> list[str]:
        # A name without a value is taken from the environment of `docker exec`: no secret appears in a list of
        # processes. The process leads its own process group, whose number is needed to stop it.
        (folder / _PID).unlink(missing_ok=True)  # from an earlier application
        given = [word for name in names for word in ("-e", name)]
        script = 'echo $$ > "$0"; exec "$@"'
        inside = APP if root == ROOT else root
        return [
            *("docker", "exec", "-w", str(inside), *given, MASTER),
            *("setsid", "--wait", "sh", "-c", script, str((folder / _PID).resolve()), *argv),
        ]

    def end(self, folder: Path, process: subprocess.Popen[bytes], grace_s: float) -> None:
        if process.poll() == 0:
            return
        if process.poll() is None:
            self._signal(folder, "TERM", "")
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
        finally:
            self._signal(folder, "KILL", "-")

    def _signal(self, folder: Path, name: str, group: str) -> None:
        with suppress(OSError, ValueError):
            number = int((folder / _PID).read_text(encoding="ascii"))
            engine.run(["docker", "exec", MASTER, "kill", f"-{name}", "--", f"{group}{number}"])


@cache
def _python_version(tag: str, python: str) -> str:
    said = engine.docker(
        "run", "--rm", tag, python, "-c", "import platform; print(platform.python_version())"
    )
    return said.strip()


@cache
def _java(tag: str) -> str:
    said = engine.run(["docker", "run", "--rm", tag, "java", "-version"])
    return next((line for line in said.err.splitlines() if " version " in line), "")
