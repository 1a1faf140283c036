"""Keeps two commands from changing the same services at once, and clean-up from being cut short."""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cluster.errors import ServiceError

LOCK = ".lock"
_POLL_S = 0.2
_PATIENCE_S = 600.0  # longer than the slowest start


@contextmanager
def locked(run_dir: Path, say: Callable[[str], None], patience_s: float = _PATIENCE_S) -> Iterator[None]:
    """Hold the lock of `run_dir`, making the folder if need be; wait for another command to finish.

    Raises:
        ServiceError: the folder cannot be written, or the other command takes too long.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        file = (run_dir / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise ServiceError(
            f"{run_dir} cannot be written: {error.strerror}; name another: RECSCALE_RUN_DIR"
        ) from error
    with file:
        _acquire(file, say, patience_s)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield  # closing the file gives the lock back


def _acquire(file: TextIO, say: Callable[[str], None], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    told = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = f"another command (pid {file.read().strip() or 'unknown'})"
        else:
            return
        if time.monotonic() > deadline:
            raise ServiceError(
                f"{who} has been starting or stopping services for too long; end it, then try again"
            )
        if not told:
            say(f"waiting for {who}, which is starting or stopping services")
            told = True
        time.sleep(_POLL_S)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no Ctrl-C and no polite request to end interrupt what must be finished."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return
    former = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
