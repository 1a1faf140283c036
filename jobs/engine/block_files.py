"""Files of blocks on an executor's disk: the rows of some users or items, read back as mapped memory.

A block is one side's rows whose id is its number modulo the number of blocks, as a sparse matrix. It is written once, sorted by
two passes of a counting sort through mapped files, so that memory limits neither its making nor its use.
"""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from core.errors import JobError
from datasets.compiled import compiled
from jobs.engine.arrays import Floats, Ints
from jobs.engine.neighbours import Csr

_TYPES = (np.int64, np.int32, np.float32)  # of a matrix's offsets, columns and values


class NoSpaceError(JobError):
    """A disk has no room for a block; the words say which and what to do."""


class Kept(NamedTuple):
    """A block that lies on a disk.

    Attributes:
        path: of its file.
        rows: of the block; those without entries count.
        entries: of all rows.
    """

    path: str
    rows: int
    entries: int

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(length * np.dtype(kind).itemsize for length, kind in self._parts)

    def open(self) -> Csr:
        """Map the block into memory.

        Raises:
            FileNotFoundError: it is not here, or not whole.
        """
        if Path(self.path).stat().st_size != self.size:
            raise FileNotFoundError(errno.ENOENT, "this file of a block is not whole", self.path)
        # Private pages that nobody writes to: kernels are compiled once, not again for arrays that cannot be written.
        return Csr(*self.mapped(self.path, "c"))

    def mapped(self, path: str, mode: Any) -> list[Any]:
        """Map the offsets, columns and values of a file of this size."""
        arrays, offset = [], 0
        for length, kind in self._parts:
            arrays.append(_mapped(path, kind, length, offset, mode))
            offset += length * np.dtype(kind).itemsize
        return arrays

    @property
    def _parts(self) -> list[tuple[int, Any]]:
        return list(zip((self.rows + 1, self.entries, self.entries), _TYPES, strict=True))


class Writer:
    """Writes a block's file from entries in any order, which does not matter."""

    def __init__(self, rows: int, columns: int, folder: str, name: str) -> None:
        """Begin a file.

        Args:
            rows: of the block.
            columns: of the matrix.
            folder: for the file, and for others that are removed again.
            name: of the file.
        """
        self._counts = tuple(np.zeros(length, dtype=np.int64) for length in (rows, columns))
        self._folder, self._name, self._number = folder, name, 0
        with _spacious(folder):
            self._beside = tempfile.TemporaryDirectory(dir=folder, prefix=f"{name}-")
            self._paths = [Path(self._beside.name) / part for part in ("rows", "columns", "values")]
            self._files: list[BinaryIO] = [path.open("wb") for path in self._paths]

    def add(self, rows: Ints, columns: Ints, values: Floats) -> None:
        """Add entries: rows (numbers within the block), columns and values.

        Raises:
            NoSpaceError: the disk is full.
        """
        with _spacious(self._folder):
            for array, file in zip((rows, columns, values), self._files, strict=True):
                file.write(np.ascontiguousarray(array).data)
        for counts, ids in zip(self._counts, (rows, columns), strict=True):
            np.add(counts, np.bincount(ids, minlength=len(counts)), out=counts)
        self._number += len(rows)

    def finish(self) -> tuple[Kept, Ints]:
        """Write the file; return the block, and the number of entries of each row.

        Raises:
            NoSpaceError: the disk is full.
        """
        with _spacious(self._folder):
            for file in self._files:
                file.close()
            return self._sorted()

    def close(self) -> None:
        """Remove what lies beside the block's file."""
        for file in self._files:
            with suppress(OSError):  # a full disk takes no rest of a buffer
                file.close()
        self._beside.cleanup()

    def _sorted(self) -> tuple[Kept, Ints]:
        by_row, by_column = self._counts
        kinds, number = (np.int32, *_TYPES[1:]), self._number
        given = [_mapped(path, kind, number, 0, "r") for path, kind in zip(self._paths, kinds, strict=True)]
        middle = [
            _made(path.with_name(f"{path.name}-sorted"), kind, number)
            for path, kind in zip(self._paths, kinds, strict=True)
        ]
        _scatter(given[1], _starts(by_column), *given, *middle)
        kept = Kept(str(Path(self._folder) / self._name), len(by_row), number)
        whole = Path(self._beside.name) / "block"
        _reserve(whole, kept.size)
        offsets, *out = kept.mapped(str(whole), "r+")
        offsets[:] = np.concatenate([[0], np.cumsum(by_row)])
        _scatter(middle[0], _starts(by_row), *middle, np.empty(0, np.int32), *out)
        whole.replace(kept.path)
        return kept, by_row.astype(np.int32)


@contextmanager
def _spacious(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoSpaceError(
            f"no space for a block of ratings in {folder} ({error.strerror}): free some, or let Spark's local folders lie on a larger disk (SPARK_LOCAL_DIRS of the workers, else spark.local.dir)"
        ) from error


def _starts(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.cumsum(counts) - counts


@compiled
def _scatter(key, next_place, rows, columns, values, out_rows, out_columns, out_values):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    """Write entries in the order of `key`, equal ones in the order in which they come; `next_place` is where each key begins."""
    for n in range(len(key)):
        place = next_place[key[n]]
        next_place[key[n]] = place + 1
        if len(out_rows) > 0:
            out_rows[place] = rows[n]
        out_columns[place] = columns[n]
        out_values[place] = values[n]


def _made(path: Path, kind: Any, length: int) -> Any:
    _reserve(path, length * np.dtype(kind).itemsize)
    return _mapped(path, kind, length, 0, "r+")


def _reserve(path: Path, size: int) -> None:
    """Make a file whose blocks the disk has: writing to mapped memory that it has not would end the process."""
    with path.open("wb") as file:
        if size:
            os.posix_fallocate(file.fileno(), 0, size)


def _mapped(path: Any, kind: Any, length: int, offset: int, mode: Any) -> Any:
    if not length:
        return np.empty(0, dtype=kind)
    return np.memmap(path, dtype=kind, mode=mode, offset=offset, shape=(length,)).view(np.ndarray)
