"""Ratings in blocks by user and by item on the executors' disks, and work on the blocks of one side.

Ratings are shuffled once. Each partition keeps one block of users and one of items as files (`jobs/engine/block_files.py`) and a
short record of where they lie, which Spark caches. Work on the blocks of a side is one stage, whose tasks run where the records are
and map the files. Spark builds the blocks of a lost executor again from their lineage. A task that runs where its block is not
says so, and that partition is computed from the lineage for it.
"""

import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import RDD, StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import JobError
from datasets.compiled import compiled
from jobs.engine.arrays import ITEMS, NAMES, USERS, Floats, Ints
from jobs.engine.block_files import Kept, NoSpaceError, Writer
from jobs.engine.neighbours import Csr

logger = logging.getLogger(__name__)

_ROWS = 250_000
"""Ratings that are divided among the blocks at a time: large enough that pieces are some ten thousand bytes."""

_PIECE = "key int, side int, data binary"


class Block(NamedTuple):
    """Rows of one side, of which row `n` is that of the id number + n * step."""

    side: int
    number: int
    step: int
    matrix: Csr

    def of(self, row: int) -> int:
        """Return the id of a row."""
        return self.number + row * self.step


class _Record(NamedTuple):
    """Blocks that a partition keeps, one of each side, or the reason why it does not."""

    number: int
    kept: tuple[Kept, ...]
    counts: tuple[Ints, ...]
    sums: Any
    wrong: str


class _Missing(NamedTuple):
    number: int


class _Wrong(NamedTuple):
    text: str


@dataclass(frozen=True)
class Sizes:
    """Numbers of ids of users and of items, and of blocks of each."""

    users: int
    items: int
    blocks: int

    def of(self, side: int) -> int:
        """Return the number of ids of a side."""
        return self.items if side == ITEMS else self.users

    def rows(self, side: int, block: int) -> int:
        """Return the number of rows of a block."""
        return len(range(block, self.of(side), self.blocks))


class Blocks:
    """Ratings in blocks, built when the object is made.

    Attributes:
        sizes: of both sides.
        counts: int32, the number of ratings of each user, and of each item.
        total: sum of all ratings, in an order that depends on nothing.
    """

    def __init__(self, ratings: DataFrame, sizes: Sizes) -> None:
        """Build the blocks of ratings (user int, item int, rating float), in which no (user, item) stands twice.

        Raises:
            JobError: a rating is not a finite number, or a disk is full.
        """
        self.sizes = sizes
        pieces = ratings.select(
            F.col("user").cast("int"), F.col("item").cast("int"), F.col("rating").cast("float")
        ).mapInArrow(_divide(sizes.blocks), _PIECE)
        name = f"recscale-{uuid4().hex[:12]}"
        self._lineage: RDD[_Record] = pieces.repartition(sizes.blocks, "key").rdd.mapPartitionsWithIndex(
            _Build(sizes, keys(sizes.blocks), name)
        )
        # A record that is cached in the JVM is what a task's place is chosen by.
        records = self._lineage.map(_same, preservesPartitioning=True)
        self._records = records.persist(StorageLevel.MEMORY_AND_DISK)
        with self:
            self.counts, self.total = self._counted()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Forget the blocks after an error or an interruption; their files go with the executors' folders.

        A job that removes them would wait for what is still running, and for executors that may be gone.
        """
        if kind is not None:
            self._records.unpersist()

    def map(self, side: int, work: Callable[[Block], Any], numbers: Sequence[int] | None = None) -> list[Any]:
        """Do `work`, which Spark must be able to send, on blocks of a side; return the results in any order.

        Args:
            side: whose blocks.
            work: takes a block.
            numbers: of the blocks; None for all.

        Raises:
            JobError: a block that was lost could not be built again.
        """
        task = _Work(side, self.sizes.blocks, work)
        found, missing = self._ran(
            self._records, task, range(self.sizes.blocks) if numbers is None else numbers
        )
        if missing:  # an idle executor has taken a busy one's tasks: by now the others are idle, too
            more, missing = self._ran(self._records, task, missing)
            found += more
        if missing:
            logger.warning(
                "%d blocks are not where Spark runs their tasks, and are built again for them", len(missing)
            )
            more, missing = self._ran(self._lineage, replace(task, once=True), missing)
            found += more
        if missing:
            raise JobError(
                f"{len(missing)} blocks of ratings were gone as soon as they were built: let nothing clean the folders in spark.local.dir "
                "while a fit runs"
            )
        return found

    def release(self) -> None:
        """Remove the blocks' files."""
        try:
            self._records.foreachPartition(_remove)
        finally:
            self._records.unpersist()

    @staticmethod
    def _ran(records: "RDD[_Record]", task: "_Work", numbers: Sequence[int]) -> tuple[list[Any], list[int]]:
        """Return results, and the numbers of the blocks that were missing."""
        found = records.context.runJob(records.mapPartitions(task), _same, list(numbers))
        for one in found:
            if isinstance(one, _Wrong):
                raise JobError(one.text)
        missing = sorted(one.number for one in found if isinstance(one, _Missing))
        return [one for one in found if not isinstance(one, _Missing)], missing

    def _counted(self) -> tuple[tuple[Ints, Ints], float]:
        sums = np.zeros(self.sizes.users)
        counts = np.zeros(self.sizes.users, np.int32), np.zeros(self.sizes.items, np.int32)
        for record in self._records.collect():
            if record.wrong:
                raise JobError(record.wrong)
            for side in (USERS, ITEMS):
                counts[side][record.number :: self.sizes.blocks] = record.counts[side]
            sums[record.number :: self.sizes.blocks] = record.sums
        return counts, float(sums.sum())


def keys(blocks: int) -> dict[int, int]:
    """Return for each block a number that Spark's hash partitioning puts into the partition of that number."""
    found: dict[int, int] = {}
    candidate = 0
    while len(found) < blocks:
        found.setdefault(_hashed(candidate) % blocks, candidate)
        candidate += 1
    return found


def _hashed(value: int) -> int:
    """Return Spark's hash of an int, as a signed number of 32 bits (A. Appleby, MurmurHash3 x86 32, seed 42)."""
    word = 32

    def turned(number: int, by: int) -> int:
        return (number << by | number >> word - by) & 0xFFFFFFFF

    mixed = turned(value * 0xCC9E2D51 & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF
    mixed = (turned(42 ^ mixed, 13) * 5 + 0xE6546B64 & 0xFFFFFFFF) ^ 4
    mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    mixed ^= mixed >> 16
    return mixed - (1 << word) if mixed >> word - 1 else mixed


def _same(value: Any) -> Any:
    return value


def _divide(blocks: int) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return what cuts ratings into pieces, each the ratings of one block of one side."""
    of_block = np.array([key for _, key in sorted(keys(blocks).items())], dtype=np.int32)

    def divide(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for user, item, rating in _gathered(batches):
            found: list[tuple[int, int, bytes]] = []
            for side, ids in ((USERS, user), (ITEMS, item)):
                number = ids % blocks
                order = np.argsort(number.astype(np.uint16 if blocks < 1 << 16 else np.int32), kind="stable")
                ends = np.cumsum(np.bincount(number, minlength=blocks))
                sorted_columns = [np.ascontiguousarray(array[order]) for array in (user, item, rating)]
                for block in np.flatnonzero(np.diff(ends, prepend=0)):
                    part = slice(ends[block - 1] if block else 0, ends[block])
                    found.append(
                        (
                            int(of_block[block]),
                            side,
                            b"".join(array[part].tobytes() for array in sorted_columns),
                        )
                    )
            key, side_of, data = zip(*found, strict=True)
            yield pa.RecordBatch.from_arrays(
                [pa.array(key, pa.int32()), pa.array(side_of, pa.int32()), pa.array(data, pa.binary())],
                names=["key", "side", "data"],
            )

    return divide


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[list[npt.NDArray[Any]]]:
    """Join batches to larger ones."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= _ROWS:
            yield _columns(waiting)
            waiting = []
    if sum(map(len, waiting)):
        yield _columns(waiting)


def _columns(batches: list[pa.RecordBatch]) -> list[npt.NDArray[Any]]:
    table = pa.Table.from_batches(batches)
    return [table.column(name).to_numpy() for name in ("user", "item", "rating")]


@dataclass(frozen=True)
class _Build:
    """Build a partition's blocks from pieces of them."""

    sizes: Sizes
    keys: dict[int, int]
    name: str

    def __call__(self, number: int, rows: Iterable[Any]) -> Iterator[_Record]:
        folders = os.environ.get("SPARK_LOCAL_DIRS", tempfile.gettempdir()).split(",")
        folder = folders[number % len(folders)]
        writers: list[Writer] = []
        kept: list[Kept] = []
        counts: list[Ints] = []
        try:
            for side in (USERS, ITEMS):
                name = f"{self.name}-{NAMES[side]}-{number}-{uuid4().hex[:8]}"
                writers.append(Writer(self.sizes.rows(side, number), self.sizes.of(1 - side), folder, name))
            for key, side, data in rows:
                assert key == self.keys[number]
                user, item, rating = _entries(data)
                ids, others = (user, item) if side == USERS else (item, user)
                writers[side].add(ids // self.sizes.blocks, others, rating)
            for writer in writers:
                block, count = writer.finish()
                kept.append(block)
                counts.append(count)
            yield _Record(number, tuple(kept), tuple(counts), _sums(kept[USERS].open()), "")
        except (
            NoSpaceError,
            _NotFiniteError,
        ) as error:  # a task that fails is run again, and would fail again
            _remove_files(kept)
            yield _Record(number, (), (), None, str(error))
        finally:
            for writer in writers:
                writer.close()


def _sums(rows: Csr) -> npt.NDArray[np.float64]:
    """Return the sum of each row's values, one after another."""
    out = np.zeros(len(rows.indptr) - 1)
    _sum_rows(rows.indptr, rows.values, out)
    return out


@compiled
def _sum_rows(indptr, values, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(out)):
        for place in range(indptr[row], indptr[row + 1]):
            out[row] += values[place]


def not_finite(user: int, item: int, rating: float) -> str:
    """Return why a rating is refused."""
    return (
        f"the rating of user {user} for item {item} is {rating}, and a rating must be a finite number: "
        "leave such rows out, or run make preprocess, which rejects them"
    )


class _NotFiniteError(ValueError):
    pass


def _entries(data: bytes) -> tuple[Ints, Ints, Floats]:
    """Return users, items and ratings of a piece."""
    count = len(data) // 12
    user, item = (np.frombuffer(data, np.int32, count, 4 * count * place) for place in (0, 1))
    rating = np.frombuffer(data, np.float32, count, 8 * count)
    wrong = np.flatnonzero(~np.isfinite(rating))
    if len(wrong):
        first = wrong[0]
        raise _NotFiniteError(not_finite(user[first], item[first], rating[first]))
    return user, item, rating


@dataclass(frozen=True)
class _Work:
    """Do work on the blocks of one side that a partition's records name; `once`: and remove their files."""

    side: int
    step: int
    work: Callable[[Block], Any]
    once: bool = False

    def __call__(self, records: Iterable[_Record]) -> Iterator[Any]:
        for record in records:
            if record.wrong:  # of a block that was built again
                yield _Wrong(record.wrong)
                continue
            try:
                matrix = record.kept[self.side].open()
            except FileNotFoundError:
                yield _Missing(record.number)
            else:
                yield self.work(Block(self.side, record.number, self.step, matrix))
            if self.once:
                _remove([record])


def _remove(records: Iterable[_Record]) -> None:
    for record in records:
        _remove_files(record.kept)


def _remove_files(kept: Iterable[Kept]) -> None:
    for block in kept:
        Path(block.path).unlink(missing_ok=True)
