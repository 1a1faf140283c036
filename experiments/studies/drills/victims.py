"""Finds the processes that a drill kills, all of them started here, and sees what is left of them."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from cluster.processes import lives, mark, marked
from cluster.settings import CONTAINED
from core.errors import JobError

_POLL_S = 0.1
_EXECUTOR = "CoarseGrainedExecutorBackend"
_PYTHON = ("pyspark.daemon", "pyspark.worker")


def service(run_dir: Path, name: str) -> list[psutil.Process]:
    """Return every process of a service that was started here, with what it started itself.

    Raises:
        JobError: there is none.
    """
    mark_ = f"{run_dir.resolve()}:{name}"
    found = marked(mark_) or marked(CONTAINED + mark_)
    if not found:
        raise JobError(
            f"{name} does not run, so the drill cannot kill it; see make status and make logs S={name}"
        )
    return found


def executors(run_dir: Path) -> list[psutil.Process]:
    """Return the executors' JVMs on our workers, those of the last worker last."""
    found = [process for process in _on_workers(run_dir) if _EXECUTOR in _words(process)]
    return sorted(found, key=lambda process: (mark(process) or "", process.pid))


def leftovers(run_dir: Path) -> list[psutil.Process]:
    """Return what applications have running on our workers: executors and their Python workers."""
    return [
        process
        for process in _on_workers(run_dir)
        if any(word in _words(process) for word in (_EXECUTOR, *_PYTHON))
    ]


def driver(folder: Path) -> psutil.Process:
    """Return the process of the application in `folder`, on this host or in a container; it leads a group of its own.

    Raises:
        JobError: there is none.
    """
    wanted = str(folder / "request.json")
    for process in psutil.process_iter():
        words = _words(process).split()
        # The interpreter itself, not what started it: `docker exec`, or the shell that became it.
        if words[1:3] == ["-m", "jobs"] and wanted in words and lives(process):
            return process
    raise JobError(
        f"the application of {folder} does not run, so the drill cannot kill it; see {folder / 'driver.log'}"
    )


def group(leader: int) -> list[psutil.Process]:
    """Return the living processes of a process group."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == leader and lives(process):
                found.append(process)
    return found


def owner(process: psutil.Process) -> str:
    """Name the service that a process belongs to, as in "spark-worker-1"; empty if that cannot be seen."""
    return (mark(process) or "").rpartition(":")[2]


def kill(processes: Iterable[psutil.Process]) -> int:
    """Kill processes at once, without a chance to say goodbye; return how many there were."""
    count = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # psutil signals no other process of the same number
            process.send_signal(signal.SIGKILL)
            count += 1
    return count


def gone(look: Callable[[], list[psutil.Process]], seconds: float) -> tuple[float | None, list[str]]:
    """Wait until a look finds nothing; return the moment (perf_counter), or None with what is still there."""
    end = time.perf_counter() + seconds
    while True:
        found = look()
        now = time.perf_counter()
        if not found:
            return now, []
        if now > end:
            return None, [f"pid {process.pid}: {_words(process)[:120]}" for process in found]
        time.sleep(_POLL_S)


def _on_workers(run_dir: Path) -> list[psutil.Process]:
    start = f"{run_dir.resolve()}:spark-worker-"
    return [
        process
        for process in psutil.process_iter()
        if (mark(process) or "").removeprefix(CONTAINED).startswith(start) and lives(process)
    ]


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
