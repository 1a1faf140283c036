"""Versions of tables as folders under one root, without Spark.

A version is a folder `<table>.v<number>`, and a symbolic link `<table>` names the one that was published last. A writer
fills a folder of its own, `<table>.part-<unique>`, and holds a lock beside it. To publish, it renames the folder and then
replaces the link, which is atomic: a write that is interrupted at any point leaves the old version or the new one.

A reader holds a shared lock on a file in the version's folder, which ends with its process at the latest. Each write
removes versions that are neither among the newest nor locked nor to be kept, and leftovers of writers that have ended.
"""

import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from jobs.reader_locks import ReaderLocks, free, removable
from jobs.retention import Retention, no_table, no_version

_OPENED = "_opened"
"""File of a version on which its readers hold a lock; its time of change is when the version was last opened. Readers of
Parquet ignore names that begin with an underscore."""

_POLL_S = 0.02


class FolderVersions:
    """The tables of one root, and the versions that this object has open."""

    def __init__(self, root: Path, retention: Retention | None = None) -> None:
        self.root = root.absolute()
        self._retention = retention or Retention()
        self._locks = ReaderLocks()

    def versions(self, table: str) -> list[int]:
        """Return the numbers of the versions that are there, newest first."""
        current = self._current(table)
        if current is None:
            return []
        return sorted(
            {current, *(number for number in self._numbers(table) if number < current)}, reverse=True
        )

    def folder(self, table: str, version: int | None = None) -> Path:
        """Return the folder of a version, by default the newest; it may be removed at any time.

        Raises:
            JobError: there is no such table, or the version is gone.
        """
        current, link = self._current(table), self.root / table
        if current is None:
            raise no_table(table, self.root)
        if version in (None, current):
            return link.resolve()
        if version not in self.versions(table):
            raise no_version(table, version, self.versions(table), self.root)
        return self.root / f"{table}.v{version}"

    def open(self, table: str, version: int | None = None) -> Path:
        """Return the folder of a version, which stays until `close`, the end of this process, or the retention's `held_s`.

        Raises:
            JobError: as in `folder`.
        """
        while True:
            folder = self.folder(table, version)
            if self._hold(folder):
                return folder
            time.sleep(_POLL_S)

    def rows(self, table: str, version: int | None = None) -> list[Mapping[str, Any]]:
        """Return all rows of a small table.

        Raises:
            JobError: as in `folder`.
        """
        reader = FolderVersions(self.root)
        try:
            parts = sorted(reader.open(table, version).glob("part-*.parquet"))
            return [row for part in parts for row in pq.read_table(part).to_pylist()]
        finally:
            reader.close()

    def close(self) -> None:
        """Release all versions that were opened."""
        self._locks.close()

    @contextmanager
    def fresh(self, table: str) -> Iterator[Path]:
        """Give a path for a new folder, to be filled and published; it is removed at the end of the block unless published.

        While the block runs, no other writer of the table removes it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        folder = self.root / f"{table}.part-{uuid.uuid4().hex[:12]}"
        lock = _lock_of(folder)
        with self._alone(table):
            writing = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(writing, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
            os.close(writing)

    def publish(self, table: str, folder: Path) -> int:
        """Make a filled folder of `fresh` the newest version; return its number."""
        with self._alone(table):
            number = max([*self._numbers(table), self._current(table) or 0]) + 1
            (folder / _OPENED).touch()
            target = self.root / f"{table}.v{number}"
            folder.rename(target)
            link = self.root / f"{table}.link-{uuid.uuid4().hex[:12]}"
            try:
                link.symlink_to(target.name)
                link.replace(self.root / table)
            except BaseException:
                link.unlink(missing_ok=True)
                if self._current(table) != number:
                    shutil.rmtree(target, ignore_errors=True)
                raise
        return number

    def sweep(self, table: str, keep: Collection[int] = ()) -> None:
        """Remove versions that need not stay and are not in `keep`, and leftovers of interrupted writes."""
        with self._alone(table):
            for path in list(self._removable(table, keep)):
                self._put_aside(table, path)
        for path in self.root.glob(f"{table}.gone-*"):
            shutil.rmtree(path, ignore_errors=True)

    def _hold(self, folder: Path) -> bool:
        """Lock a version as a reader; return whether that worked, so that the version stays."""
        try:
            return self._locks.hold(folder / _OPENED)
        except FileNotFoundError:
            return folder.exists()  # a table of the old layout, without versions, has no file to lock

    def _removable(self, table: str, keep: Collection[int]) -> Iterator[Path]:
        """Yield folders that are neither among the newest versions, nor in `keep`, nor being written."""
        stays = {*self.versions(table)[: self._retention.versions], *keep}
        current = (self.root / table).resolve()
        for path in self.root.glob(f"{table}.*"):
            kind = path.name.removeprefix(f"{table}.")
            if kind.startswith("link-"):
                path.unlink(missing_ok=True)
            elif match := re.fullmatch(r"v(\d+)", kind):
                if int(match[1]) not in stays:
                    yield path
            elif re.fullmatch(r"part-\w+", kind) and path != current and _unlocked(_lock_of(path)):
                yield path
            elif re.fullmatch(r"part-\w+\.lock", kind) and _unlocked(path):
                path.unlink(missing_ok=True)

    def _put_aside(self, table: str, path: Path) -> None:
        """Rename a folder that nobody has open, so that nobody opens it before it is removed."""
        with removable(path / _OPENED, self._retention.held_s) as unread:
            if unread:
                path.rename(self.root / f"{table}.gone-{uuid.uuid4().hex[:12]}")

    def _current(self, table: str) -> int | None:
        """Return the number of the newest version; 0 for a table of the old layout, without numbers."""
        link = self.root / table
        if not (link / "_SUCCESS").exists():
            return None
        match = re.search(r"\.v(\d+)$", link.resolve().name)
        return int(match[1]) if match else 0

    def _numbers(self, table: str) -> list[int]:
        """Return the numbers of all folders of versions, published or not."""
        found = (
            re.fullmatch(r"v(\d+)", path.name.removeprefix(f"{table}."))
            for path in self.root.glob(f"{table}.v*")
        )
        return [int(match[1]) for match in found if match]

    @contextmanager
    def _alone(self, table: str) -> Iterator[None]:
        """Hold the table's lock, always briefly: never while rows are written."""
        with (self.root / f".{table}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _unlocked(path: Path) -> bool:
    """Whether nobody holds a lock on a file, or the file is missing."""
    try:
        lock = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        return free(lock)
    finally:
        os.close(lock)
