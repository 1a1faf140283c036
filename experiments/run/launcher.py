"""Runs one Spark application as a process group of its own, follows what it says, and stops it when it must.

An application has one part for each trial that shares it; most have one.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cluster.driver_host import DriverHost
from cluster.settings import ROOT
from core.errors import ServiceError
from experiments.results.events import Event
from experiments.results.parts import Following, Launched, Part, Status
from experiments.telemetry.memory import FILE as MEMORY
from experiments.telemetry.memory import MemoryWatch
from jobs.runtime.request import Request

POLL_S = 0.2
WATCH_S = 1.0
GRACE_S = 10.0
_SILENT_S = 300.0


class Died(Protocol):
    """A service that is gone."""

    @property
    def name(self) -> str:
        """As in "spark-worker-1"."""


class Watched(Protocol):
    """Interface to the cluster while an application runs."""

    def died(self) -> Sequence[Died]:
        """Services that were started and are gone."""

    def log_tail(self, name: str, lines: int = 20) -> str:
        """The end of a service's log."""


@dataclass(frozen=True)
class Runtime:
    """Source of an application's code.

    Attributes:
        root: the folder of the packages `jobs` and `datasets`, which the application ships to its executors.
        python: the interpreter of the driver and of the executors, with its packages.
        understands: the fields of a request that these sources know; None for all.
    """

    root: Path = ROOT
    python: str = sys.executable
    understands: frozenset[str] | None = None


HERE = Runtime()


@dataclass(frozen=True)
class Launcher:
    """Start of applications on this cluster.

    Attributes:
        driver_host: where the driver runs.
        cluster: asked about dead workers; None where workers are not ours.
        environment: of the driver's process.
        own: names of the variables in it that the driver is to have wherever it runs.
        workers: names of the workers that the application uses; when all are gone it cannot go on.
        watch_s: seconds between looks at them.
        runtime: sources and Python of the driver.
        worker_pids: return the processes of workers on this host, whose executors' memory is sampled; None: it is not.
    """

    driver_host: DriverHost
    cluster: Watched | None
    environment: dict[str, str]
    own: frozenset[str] = frozenset()
    workers: frozenset[str] = frozenset()
    watch_s: float = WATCH_S
    grace_s: float = GRACE_S
    runtime: Runtime = HERE
    worker_pids: Callable[[], Iterable[int]] | None = None

    def run(
        self,
        request: Request,
        folder: Path,
        timeout_s: float,
        follow: Callable[[Event], None] = lambda _: None,
    ) -> Launched:
        """Run an application of one part, as `run_parts`."""
        return self.run_parts([Part(request, folder, timeout_s, follow)], folder)[0]

    def run_parts(self, parts: Sequence[Part], folder: Path) -> list[Launched]:
        """Run an application of these parts, one after another, and wait for its end.

        Ctrl-C ends the application and returns what it had measured, the last part with status "killed"; the caller decides.

        Args:
            parts: whose folders are emptied of earlier results; they ask for the same job and the same session.
            folder: of the application: driver.log, which each part's folder gets its own lines of.

        Returns:
            What came of the parts that began, in their order: at least of the first. The others are left to the caller.
        """
        for part in parts:
            (part.folder / "result.json").unlink(missing_ok=True)
            Path(part.request.events).unlink(missing_ok=True)
            part.request.save(part.folder / "request.json", self.runtime.understands)
        self.driver_host.give_access(list(dict.fromkeys([folder, *(part.folder for part in parts)])))
        following = Following(parts, time.perf_counter())
        with (folder / "driver.log").open("wb") as log:
            process = subprocess.Popen(
                self._command(parts, folder), cwd=self.runtime.root, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        status: Status = "ok"
        reason: str | None = None
        try:
            reason = self._wait(process, following, self._memory(folder))
        except KeyboardInterrupt:
            status, reason = "killed", "interrupted (Ctrl-C)"
        finally:
            try:
                self.driver_host.end(folder, process, self.grace_s)
            finally:
                stop_group(process, self.grace_s)
        return following.ended(folder / "driver.log", status, reason, process.returncode)

    def _command(self, parts: Sequence[Part], folder: Path) -> list[str]:
        python = self.driver_host.python if self.runtime.python == HERE.python else self.runtime.python
        argv = [python, "-m", "jobs", parts[0].request.job]
        for part in parts:
            given, answer = (str((part.folder / name).resolve()) for name in ("request.json", "result.json"))
            argv += ["--request", given, "--result", answer]
        return self.driver_host.command(argv, self.runtime.root, folder, self.own)

    def _memory(self, folder: Path) -> MemoryWatch | None:
        (folder / MEMORY).unlink(missing_ok=True)
        return None if self.worker_pids is None else MemoryWatch(self.worker_pids, folder / MEMORY)

    def _wait(
        self, process: subprocess.Popen[bytes], following: Following, memory: MemoryWatch | None
    ) -> str | None:
        """Follow the process to its end; return why it had to be stopped, None if it ended by itself."""
        next_watch, answered, died = 0.0, time.perf_counter(), following.died
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
            following.look()
            if memory is not None:
                memory.look()
            if process.returncode is not None:
                missing = None
                with suppress(ServiceError):
                    missing = self._missing(self.cluster, died) if self.cluster is not None else None
                return missing if process.returncode else None
            following.tick()
            now = time.perf_counter()
            if now > following.deadline:
                return "it took longer than its timeout (timeout_s in the spec) and was stopped"
            if self.cluster is not None and now > next_watch:
                next_watch = now + self.watch_s
                try:
                    reason = self._missing(self.cluster, died)
                    answered = time.perf_counter()
                except ServiceError:  # one slow answer of Docker is no reason to end what runs
                    if now - answered > _SILENT_S:
                        raise
                    continue
                if reason:
                    return reason

    def _missing(self, cluster: Watched, died: list[str]) -> str | None:
        gone = [service.name for service in cluster.died() if service.name.startswith("spark-")]
        died += [name for name in gone if name not in died and name in self.workers]
        lost = self.workers and self.workers <= set(died)
        if not lost and "spark-master" not in gone:
            return None
        name = "spark-master" if "spark-master" in gone else died[-1]
        which = (
            name if name == "spark-master" or len(died) == 1 else f"all workers ({', '.join(sorted(died))})"
        )
        return (
            f"{which} died while the application ran, so it was stopped. The end of the log of {name}:\n"
            f"{cluster.log_tail(name)}"
        )


def capture(command: Sequence[str], timeout_s: float = 10.0) -> str | None:
    """Return what a short command prints on both outputs, None if it cannot be run or fails."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=timeout_s, check=True, text=True, errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def stop_group(process: subprocess.Popen[bytes], grace_s: float = GRACE_S) -> None:
    """End a process and every process of its group; a second Ctrl-C kills at once.

    The driver alone is asked first, because it needs its JVM to say goodbye to the cluster.
    """
    try:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whatever the driver left behind
        process.wait()
