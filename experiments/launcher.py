"""Runs one Spark application as a process group of its own, follows what it says, and stops it when it must."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from cluster.driver_host import DriverHost
from cluster.errors import ServiceError
from experiments.events import Event, Tail, last_lines, phases_of, warnings_of
from experiments.identity import ROOT
from experiments.runtime import HERE, Runtime
from jobs.request import Request, Result

POLL_S = 0.2
WATCH_S = 1.0
GRACE_S = 10.0
_SILENT_S = 300.0

Status = Literal["ok", "failed", "killed"]


class Died(Protocol):
    """A service that is gone."""

    @property
    def name(self) -> str:
        """As in "spark-worker-1"."""


class Watched(Protocol):
    """What the launcher asks of the cluster while an application runs."""

    def died(self) -> Sequence[Died]:
        """Services that were started and are gone."""

    def log_tail(self, name: str, lines: int = 20) -> str:
        """The end of a service's log."""


@dataclass(frozen=True)
class Launched:
    """What came of one application.

    Attributes:
        result: the job's own answer, or what its events tell where it left none.
        status: "killed" when a person interrupted it.
        ready_s: seconds from the start of the process until Spark gave it its executors; None if it came to none.
        start_s: seconds from the start of the process to the start of its first phase (in between it reads its input).
        stop_s: seconds from the end of the last phase to the end of the process.
        seconds: all of it.
        died: names of the workers that were lost meanwhile.
    """

    result: Result
    status: Status
    ready_s: float | None
    start_s: float | None
    stop_s: float | None
    seconds: float
    died: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Launcher:
    """How applications are started here.

    Attributes:
        driver_host: where the driver runs.
        cluster: asked about dead workers; None where workers are not ours.
        environment: of the driver's process.
        own: names of the variables in it that the driver is to have wherever it runs.
        workers: names of the workers that the application uses; when all are gone it cannot go on.
        watch_s: seconds between looks at them.
        runtime: sources and Python of the driver.
    """

    driver_host: DriverHost
    cluster: Watched | None
    environment: dict[str, str]
    own: frozenset[str] = frozenset()
    workers: frozenset[str] = frozenset()
    watch_s: float = WATCH_S
    grace_s: float = GRACE_S
    runtime: Runtime = HERE

    def run(
        self,
        request: Request,
        folder: Path,
        timeout_s: float,
        follow: Callable[[Event], None] = lambda _: None,
    ) -> Launched:
        """Run `request` in `folder` (request.json, result.json, driver.log) and wait for its end.

        Ctrl-C ends the application and returns what it had measured with status "killed"; the caller decides.

        Args:
            request: its `events` file is followed live.
            folder: emptied of an earlier result.
            timeout_s: after so many seconds the application is stopped and has failed.
            follow: called with every event as it comes, and with {"event": "tick"} in between.
        """
        (folder / "result.json").unlink(missing_ok=True)
        Path(request.events).unlink(missing_ok=True)
        request.save(folder / "request.json", self.runtime.understands)
        self.driver_host.lend([folder])
        begin = time.perf_counter()
        with (folder / "driver.log").open("wb") as log:
            process = subprocess.Popen(
                self._command(request, folder), cwd=self.runtime.root, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        tail = Tail(Path(request.events))
        died: list[str] = []
        status: Status = "ok"
        reason: str | None = None
        try:
            reason = self._wait(process, tail, follow, died, begin + timeout_s)
        except KeyboardInterrupt:
            status, reason = "killed", "interrupted (Ctrl-C)"
        finally:
            try:
                self.driver_host.end(folder, process, self.grace_s)
            finally:
                stop_group(process, self.grace_s)
        end = time.perf_counter()
        events = [*tail.events, *tail.new()]
        result = _result(folder, request, events, reason, process.returncode)
        if status == "ok" and result.status == "failed":
            status = "failed"
        ready, start, last = (_at(events, name) for name in ("session_ready", "phase_start", "phase_end"))
        return Launched(
            result=result,
            status=status,
            ready_s=ready[0] - begin if ready else None,
            start_s=start[0] - begin if start else None,
            stop_s=end - last[-1] if last else None,
            seconds=end - begin,
            died=died,
        )

    def _command(self, request: Request, folder: Path) -> list[str]:
        given, answer = (str((folder / name).resolve()) for name in ("request.json", "result.json"))
        python = self.driver_host.python if self.runtime.python == HERE.python else self.runtime.python
        argv = [python, "-m", "jobs", request.job, "--request", given, "--result", answer]
        return self.driver_host.command(argv, self.runtime.root, folder, self.own)

    def _wait(
        self,
        process: subprocess.Popen[bytes],
        tail: Tail,
        follow: Callable[[Event], None],
        died: list[str],
        deadline: float,
    ) -> str | None:
        """Follow the process to its end; return why it had to be stopped, None if it ended by itself."""
        next_watch, answered = 0.0, time.perf_counter()
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
            for event in tail.new():
                tail.events.append(event)
                follow(event)
            if process.returncode is not None:
                missing = None
                with suppress(ServiceError):
                    missing = self._missing(self.cluster, died) if self.cluster is not None else None
                return missing if process.returncode else None
            follow({"event": "tick"})
            now = time.perf_counter()
            if now > deadline:
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


def _at(events: Sequence[Event], name: str) -> list[float]:
    return [event["at"] for event in events if event["event"] == name]


def _result(folder: Path, request: Request, events: list[Event], reason: str | None, code: int) -> Result:
    """Return the job's own answer, else one made of its events; a reason to stop it goes before its own error."""
    try:
        result = Result.load(folder / "result.json")
    except (OSError, ValueError, TypeError):
        number = -code if code < 0 else code - 128  # as a process tells, and as a shell or container does
        known = number in {member.value for member in signal.Signals}
        how = f"signal {signal.Signals(number).name}" if known else f"exit code {code}"
        error = f"the application ended without a result ({how}); the end of {folder / 'driver.log'}:\n"
        error += last_lines(folder / "driver.log", 8)
        phases, warnings = phases_of(events), warnings_of(events)
        result = Result(job=request.job, status="failed", phases=phases, error=error, warnings=warnings)
    if reason is None:
        return result
    values = {**vars(result), "status": "failed", "error": reason}
    return Result(**values)
