"""Locks of readers on files, one for each version of a table that is kept in files; they end with the process at the latest."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class ReaderLocks:
    """Shared locks that this object holds. A file's time of change is when somebody opened it last."""

    def __init__(self) -> None:
        self._held: dict[Path, int] = {}

    def hold(self, file: Path) -> bool:
        """Lock a file until `close`; return whether that worked. It does not while another process is about to remove the file.

        Raises:
            FileNotFoundError: it is not there.
        """
        if file not in self._held and not self._lock(file):
            return False
        with suppress(FileNotFoundError, PermissionError):
            os.utime(file)
        return True

    def _lock(self, file: Path) -> bool:
        lock = os.open(file, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        if not _same(lock, file):
            os.close(lock)
            return False
        self._held[file] = lock
        return True

    def close(self) -> None:
        """Release all locks."""
        while self._held:
            os.close(self._held.popitem()[1])


@contextmanager
def removable(file: Path, held_s: float) -> Iterator[bool]:
    """Whether nobody holds a file, or nobody opened it within `held_s` seconds; nobody begins to hold it meanwhile."""
    try:
        lock = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        yield True
        return
    try:
        yield free(lock) or time.time() - os.fstat(lock).st_mtime >= held_s
    finally:
        os.close(lock)


def free(lock: int) -> bool:
    """Whether nobody else holds a lock on an open file; if so, this process holds it until it closes the file."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same(lock: int, path: Path) -> bool:
    """Whether a path still names the file that was opened."""
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False
