"""Versions of Delta tables under one root, without Spark.

A table is a Delta table in a folder of its name, and its versions are Delta's. Version 0 is made with the table and is empty, so the first
write is version 1. A version counts once its mark is there, an empty file `_versions/<number>`: Delta and Spark ignore names that begin with
an underscore. Readers hold a shared lock on the mark. Each write removes the marks of versions that need not stay, and then all files that
no version with a mark has: those of removed versions, and those of writers that were interrupted.

Delta's commit on a plain disk keeps the threads of one process apart, and not processes. So the writers of a table are those of one process
at a time, and others wait.
"""

import fcntl
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq

from datasets.publishers.lake.delta_log import begin, live, newest, written
from jobs.reader_locks import ReaderLocks, removable
from jobs.retention import Retention, no_table, no_version

_MARKS = "_versions"
_POLL_S = 0.02


class _Writers:
    """Those of one table in this process; other processes have none while there are any."""

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._changing = threading.RLock()
        self._count = 0
        self._file: IO[str] | None = None

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Be one of them, after waiting for those of other processes."""
        with self._changing:
            if not self._count:
                self._lock.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._lock.open("w", encoding="utf-8")
                fcntl.flock(self._file, fcntl.LOCK_EX)
            self._count += 1
        try:
            yield
        finally:
            with self._changing:
                self._count -= 1
                if not self._count and self._file:
                    self._file.close()

    @contextmanager
    def held_back(self) -> Iterator[int]:
        """Let no other writer join or leave; gives how many there are."""
        with self._changing:
            yield self._count


_WRITERS: dict[Path, _Writers] = {}


class DeltaVersions:
    """The tables of one root, and the versions that this object has open."""

    def __init__(self, root: Path, retention: Retention | None = None) -> None:
        self.root = root.absolute()
        self._retention = retention or Retention()
        self._locks = ReaderLocks()

    def folder(self, table: str) -> Path:
        """Return the folder of a table, whether it is there or not."""
        return self.root / table

    def versions(self, table: str) -> list[int]:
        """Return the numbers of the versions that are there, newest first."""
        return sorted((int(mark.name) for mark in self._marks(table).glob("[0-9]*")), reverse=True)

    def files(self, table: str, version: int | None = None) -> list[Path]:
        """Return the files of a version, by default the newest; they may be removed at any time.

        Raises:
            JobError: there is no such table, or the version is gone.
            DataError: somebody removed a part of Delta's log.
        """
        folder = self.folder(table)
        return [folder / name for name in sorted(live(folder, self._number(table, version)))]

    def open(self, table: str, version: int | None = None) -> int:
        """Return the number of a version, which stays until `close`, the end of this process, or the retention's `held_s`.

        Raises:
            JobError: as in `files`.
        """
        while True:
            number = self._number(table, version)
            with suppress(FileNotFoundError):
                if self._locks.hold(self._marks(table) / str(number)):
                    return number
            time.sleep(_POLL_S)

    def rows(self, table: str, version: int | None = None) -> list[Mapping[str, Any]]:
        """Return all rows of a small table.

        Raises:
            JobError: as in `files`.
        """
        reader = DeltaVersions(self.root)
        try:
            files = reader.files(table, reader.open(table, version))
            return [row for file in files for row in pq.read_table(file).to_pylist()]
        finally:
            reader.close()

    def close(self) -> None:
        """Release all versions that were opened."""
        self._locks.close()

    @contextmanager
    def writing(self, table: str, schema: str) -> Iterator[None]:
        """Be a writer of a table, which is made if it is not there: nothing that is not published yet is removed meanwhile.

        Args:
            table: its name.
            schema: of the rows, as Spark's JSON; each write may have another.
        """
        with self._writers(table).joined():
            begin(self.folder(table), schema)
            yield

    def publish(self, table: str, note: str) -> int | None:
        """Make the version that was committed with this note one that counts; return its number.

        None if it holds rows of another writer, too: Delta sees no conflict where one of two writers has no rows.

        Raises:
            DataError: there is no such version.
        """
        folder = self.folder(table)
        number = newest(folder)
        while (done := written(folder, number)).note != note:
            number -= 1
        if done.files != live(folder, number).keys():
            return None
        self._marks(table).mkdir(exist_ok=True)
        (self._marks(table) / str(number)).touch()
        return number

    def sweep(self, table: str, keep: Collection[int] = ()) -> None:
        """Remove versions that need not stay and are not in `keep`, and files of no version, unless somebody else writes the table."""
        with self._writers(table).held_back() as writers:
            if writers > 1:
                return
            stay = {*self.versions(table)[: self._retention.versions], *keep}
            for number in set(self.versions(table)) - stay:
                self._forget(self._marks(table) / str(number))
            folder = self.folder(table)
            needed = {name for number in self.versions(table) for name in live(folder, number)}
            for file in folder.glob("*.parquet"):
                if file.name not in needed:
                    file.unlink(missing_ok=True)
                    (folder / f".{file.name}.crc").unlink(missing_ok=True)

    def _forget(self, mark: Path) -> None:
        with removable(mark, self._retention.held_s) as unread:
            if unread:
                mark.unlink(missing_ok=True)

    def _number(self, table: str, version: int | None) -> int:
        there = self.versions(table)
        if not there:
            raise no_table(table, self.root)
        if version is not None and version not in there:
            raise no_version(table, version, there, self.root)
        return there[0] if version is None else version

    def _marks(self, table: str) -> Path:
        return self.folder(table) / _MARKS

    def _writers(self, table: str) -> _Writers:
        folder = self.folder(table).resolve()
        return _WRITERS.setdefault(folder, _Writers(folder.with_name(f".{folder.name}.lock")))
