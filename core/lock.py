"""Lock of a run folder against concurrent commands, and protection of clean-up from signals."""

import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from core.errors import ServiceError

logger = logging.getLogger(__name__)

LOCK = ".lock"
_POLL_S = 0.2
_PATIENCE_S = 600.0  # longer than the slowest start


@contextmanager
def locked(run_dir: Path, patience_s: float = _PATIENCE_S) -> Iterator[None]:
    """Hold the lock of `run_dir`, making the folder if need be and waiting for another command.

    Raises:
        ServiceError: the folder cannot be written, or the other command takes too long.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        file = (run_dir / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise ServiceError(
            f"{run_dir} cannot be written: {error.strerror}; name another folder: RECSCALE_RUN_DIR=/folder"
        ) from error
    with file:
        _acquire(file, patience_s)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield  # closing the file releases the lock


def _acquire(file: TextIO, patience_s: float) -> None:
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
                f"{who} has been starting or stopping services for more than {patience_s:.0f} s; end it, then try again"
            )
        if not told:
            logger.info("waiting for %s, which is starting or stopping services", who)
            told = True
        time.sleep(_POLL_S)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore SIGINT and SIGTERM until the block has ended."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return
    former = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
