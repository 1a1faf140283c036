"""Half-steps of a factorisation on the executors: the factors of one side from those of the other, and what they took.

The other side's factors reach the executors as one broadcast; each block's factors come back as one Arrow batch. A row's factors
depend on its own ratings and the other side's factors alone, so blocks, workers and the order of tasks change nothing.
"""

import gc
import logging
import math
import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import Broadcast, SparkContext

from core.errors import JobError
from core.units import mib
from jobs.engine import subspaces
from jobs.engine.arrays import NAMES, Floats, Ints
from jobs.engine.blocks import Block, Blocks
from jobs.engine.neighbours import Csr, some_rows
from jobs.engine.normal_equations import Draw, Prior, Spent, UndeterminedError, flops, squared_errors
from jobs.engine.rules import Columns, Half, Rule, laid, solved
from jobs.engine.subspaces import Cut, cut, descend

logger = logging.getLogger(__name__)

_ENTRIES = 1 << 20
"""Entries of a block that are solved at a time: what is made for each of them stays small, however large the block is."""


_ROWS = 1 << 16
"""Rows that are solved at a time: of few entries each."""


class Took(NamedTuple):
    """Seconds of one task of a half-step by part, and what it did.

    Attributes:
        process: of the Python worker that ran it.
        load: for the other side's factors; gather, products, solve: of the kernel, with what it is given; pack: for the result.
        entries, rows: solved.
        bytes: of the result.
    """

    process: str
    load: float
    gather: float
    products: float
    solve: float
    pack: float
    entries: int
    rows: int
    bytes: int

    @property
    def busy(self) -> float:
        """Seconds of all parts."""
        return sum(self[1:6])


_NOTHING = Took("", 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0)


@dataclass(frozen=True)
class HalfStep:
    """Account of one half-step.

    Attributes:
        side: whose factors were solved for.
        seconds: of all of it, seen from the driver; sent: of these, until the broadcast was ready.
        tasks: of the blocks.
        loaded: bytes of the other side's factors, added up over the processes that loaded them.
        routed: whether each block got the factors that it needs, not all.
        width: of a subspace; 0: all factors were solved for at once.
    """

    side: int
    seconds: float
    sent: float
    tasks: Sequence[Took]
    loaded: int
    routed: bool = False
    width: int = 0

    def parts(self, slots: int) -> dict[str, float]:
        """Return core-seconds by part on `slots` cores: gather, solve, ship (broadcast, load, result) and wait (all else)."""
        of = {name: sum(getattr(task, name) for task in self.tasks) for name in Took._fields[1:6]}
        gather, solve = of["gather"], of["products"] + of["solve"]
        ship = of["load"] + of["pack"] + self.sent * slots
        return {
            "gather": gather,
            "solve": solve,
            "ship": ship,
            "wait": max(0.0, self.seconds * slots - gather - solve - ship),
        }

    @property
    def shipped(self) -> int:
        """Bytes that went to the executors and came back."""
        return self.loaded + sum(task.bytes for task in self.tasks)

    @property
    def kernel(self) -> float:
        """Core-seconds in the kernel."""
        return sum(task.gather + task.products + task.solve for task in self.tasks)

    def flops(self, rank: int) -> float:
        """Return additions and multiplications."""
        done = sum(task.entries for task in self.tasks), sum(task.rows for task in self.tasks)
        return subspaces.flops(*done, rank, self.width) if self.width else flops(*done, rank)


@dataclass
class Engine:
    """Solves for the factors of either side of ratings in blocks.

    Attributes:
        context: Spark's.
        blocks: the ratings.
        rank: number of factors.
        concurrently: runs several calls at the same time, and returns their results in order.
        slots: tasks that run at a time.
        most: bytes of factors that a Python worker has memory for; of more, each block gets those that it needs.
        accounts: of every half-step so far.
    """

    context: SparkContext
    blocks: Blocks
    rank: int
    concurrently: Callable[..., list[Any]]
    slots: int = 1
    most: float = math.inf
    accounts: list[HalfStep] = field(default_factory=list)
    _needed: dict[int, dict[int, Ints]] = field(default_factory=dict)

    def half_step(
        self,
        side: int,
        other: Floats,
        rule: Rule,
        draw: Draw | None = None,
        *,
        errors: bool = False,
        own: Floats | None = None,
        width: int = 0,
    ) -> Half:
        """Return the factors of a side; zeros of an id without ratings, unless the rule has a prior.

        Args:
            side: whose factors.
            other: those of the other side, float32 [ids, rank].
            rule: the objective.
            draw: draw the factors instead of solving for them; the ids of rows are filled in.
            errors: return the squared errors too.
            own: float32 [ids, rank]; with `width` the side's factors before, without it what each id has on the right-hand side of its
                equations besides the rule's prior, which must be there.
            width: so many factors are solved for at a time (`jobs.engine.subspaces`); 0: all.

        Raises:
            JobError: a row's equations have no unique solution.
        """
        start = time.perf_counter()
        task = _Solve(None, self.rank, rule, rule.prior(other), draw, errors, width)
        routed = other.nbytes + (0 if own is None else own.nbytes) > self.most
        found, ready, loaded = (self._routed if routed else self._whole)(side, other, own, task)
        count, step = self.blocks.sizes.of(side), self.blocks.sizes.blocks
        factors, squares = np.zeros((count, self.rank), dtype=np.float32), np.zeros(count if errors else 0)
        for part in found:
            if part.wrong:
                raise JobError(part.wrong)
            factors[part.number :: step] = _unpacked(part.factors)
            if errors:
                squares[part.number :: step] = part.squares
        took = [part.took for part in found]
        seconds = time.perf_counter() - start
        self.accounts.append(HalfStep(side, seconds, ready, took, loaded, routed, width))
        return Half(factors, squares if errors else None)

    def _whole(
        self, side: int, other: Floats, own: Floats | None, task: "_Solve"
    ) -> tuple[list["_Part"], float, int]:
        """Send all factors to all executors; return the parts, the seconds until they were sent, and bytes that processes loaded."""
        start = time.perf_counter()
        sent = self.context.broadcast(_Other(task.laid(other), None, own))
        ready = time.perf_counter() - start
        try:
            found = self.blocks.map(side, replace(task, other=sent))
        finally:
            sent.destroy()
        size = other.nbytes + (0 if own is None else own.nbytes)
        return found, ready, size * len({part.took.process for part in found})

    def _routed(
        self, side: int, other: Floats, own: Floats | None, task: "_Solve"
    ) -> tuple[list["_Part"], float, int]:
        """Send each block the factors that it needs, as many blocks at a time as tasks run."""
        if side not in self._needed:
            logger.warning(
                "%s of factors are more than the %s of memory that a Python worker has for them: each block gets the rows that it needs",
                mib(other.nbytes), mib(self.most),
            )  # fmt: skip
            self._needed[side] = dict(self.blocks.map(side, _needed))
        needed = self._needed[side]

        def one(number: int) -> list[_Part]:
            before = None if own is None else np.ascontiguousarray(own[number :: self.blocks.sizes.blocks])
            some = _Other(task.laid(other[needed[number]]), needed[number], before)
            sent = self.context.broadcast(some)
            try:
                return self.blocks.map(side, replace(task, other=sent), [number])
            finally:
                sent.destroy()

        found: list[_Part] = []
        numbers = range(self.blocks.sizes.blocks)
        for first in range(0, len(numbers), self.slots):
            together = [partial(one, number) for number in numbers[first : first + self.slots]]
            found += [part for parts in self.concurrently(*together) for part in parts]
        loaded = sum(len(ids) for ids in needed.values()) * 4 * (self.rank + 1)
        return found, 0.0, loaded + (0 if own is None else own.nbytes)


class _Other(NamedTuple):
    """Factors that a task needs.

    Attributes:
        factors: of the other side, as the kernel takes them.
        ids: whose these are, ascending; None: of all.
        own: of `Engine.half_step`, of all ids, or of the block's alone where `ids` are; None: there are none.
    """

    factors: Columns | Cut
    ids: Ints | None
    own: Floats | None


def _needed(block: Block) -> tuple[int, Ints]:
    """Return a block's number, and the ids of the other side in it."""
    there = np.zeros(int(block.matrix.indices.max(initial=-1)) + 1, dtype=np.bool_)
    there[block.matrix.indices] = True
    return block.number, np.flatnonzero(there).astype(np.int32)


class _Part(NamedTuple):
    """Result of one block; `wrong` is why there is none."""

    number: int
    factors: bytes
    squares: npt.NDArray[np.float64] | None
    took: Took
    wrong: str = ""


_settled = False
"""Whether this process has loaded what solving takes."""


def _settle() -> None:
    """Let the Python worker's garbage collection, which it does after each task, pass over what was loaded for good."""
    global _settled  # noqa: PLW0603 - once in a process
    if not _settled:
        gc.collect()
        gc.freeze()
        _settled = True


@dataclass(frozen=True)
class _Solve:
    """Solve the equations of a block's rows; a failure is returned, because Spark would run a failed task again."""

    other: "Broadcast[_Other] | None"
    rank: int
    rule: Rule
    prior: Prior | None
    draw: Draw | None
    errors: bool
    width: int

    def laid(self, other: Floats) -> Columns | Cut:
        """Return factors of the other side as the kernel takes them."""
        return cut(other, self.width) if self.width else laid(other, biased=self.rule.biased)

    def __call__(self, block: Block) -> _Part:
        clock = _Clock()
        assert self.other is not None
        other, ids, own = self.other.value
        load = clock.lap()
        matrix, rows = block.matrix, len(block.matrix.indptr) - 1
        out = np.zeros((rows, self.rank), dtype=np.float32)
        if own is not None and ids is None:
            own = own[block.number :: block.step]
        parts, squares = np.zeros(3), np.zeros(rows if self.errors else 0)
        for first, last in _chunks(matrix.indptr):
            draw = self.draw and self.draw._replace(first=block.of(first), step=block.step)
            try:
                rows_of = some_rows(matrix, first, last)
                if ids is not None:
                    rows_of = rows_of._replace(indices=np.searchsorted(ids, rows_of.indices).astype(np.int32))
                if isinstance(other, Columns):
                    rows_of = other.rest(rows_of)
                spent = self._solved(
                    rows_of, other, out[first:last], None if own is None else own[first:last], draw
                )
            except UndeterminedError as error:
                name = f"{NAMES[block.side]} {block.of(first + error.row)}"
                return _Part(block.number, b"", None, _NOTHING, str(error.of(name)))
            parts += clock.lap() * np.array(spent)
            if self.errors and isinstance(other, Columns):
                squares[first:last] = squared_errors(rows_of, other.factors, out[first:last])
                parts[2] += clock.lap()
        packed = _packed(out)
        _settle()
        gather, products, solve = parts.tolist()
        done = len(matrix.indices), rows, len(packed)
        took = Took(
            f"{socket.gethostname()} {os.getpid()}", load, gather, products, solve, clock.lap(), *done
        )
        return _Part(block.number, packed, squares if self.errors else None, took)

    def _solved(
        self, rows: Csr, other: Columns | Cut, out: Floats, own: Floats | None, draw: Draw | None
    ) -> Spent:
        prior = self.prior
        if own is None:
            assert isinstance(other, Columns)  # subspaces have factors before
            return solved(rows, other.factors, self.rule, out, prior=prior, draw=draw)
        assert prior is not None  # the rule must have one
        if isinstance(other, Columns):
            return solved(rows, other.factors, self.rule, out, prior=prior.plus(own), draw=draw)
        out[:] = own
        targets, weights, ridge = self.rule.equations(rows)
        return descend(rows._replace(values=targets), other, ridge, out, prior=prior, weights=weights)


class _Clock:
    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since the last call."""
        now = time.perf_counter()
        self._last, before = now, self._last
        return now - before


def _chunks(indptr: Any) -> Iterable[tuple[int, int]]:
    """Cut rows into runs of about as many entries as are solved at a time."""
    first, rows = 0, len(indptr) - 1
    while first < rows:
        last = int(np.searchsorted(indptr, indptr[first] + _ENTRIES, side="right")) - 1
        last = min(rows, first + _ROWS, max(first + 1, last))
        yield first, last
        first = last


def _packed(factors: Floats) -> bytes:
    column = pa.FixedSizeListArray.from_arrays(pa.array(factors.reshape(-1)), factors.shape[1])
    batch = pa.RecordBatch.from_arrays([column], names=["factors"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())


def _unpacked(data: bytes) -> Floats:
    (batch,) = pa.ipc.open_stream(pa.py_buffer(data))
    column = batch.column("factors")
    flat: Floats = column.flatten().to_numpy()
    return flat.reshape(len(column), column.type.list_size)
