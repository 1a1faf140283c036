"""Terms of time and memory after Ernest, and the choice of those that the runs can tell apart.

S. Venkataraman, Z. Yang, M. Franklin, B. Recht, I. Stoica, "Ernest: Efficient Performance Prediction for Large-Scale
Advanced Analytics", NSDI 2016.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cluster.shape import Shape

LEAST_CORE_COUNTS = 3


@dataclass(frozen=True)
class Load:
    """A number of rows on a number of workers, with the cores that these have together."""

    rows: float
    cores: float
    workers: int

    @classmethod
    def of(cls, rows: float, shape: Shape) -> "Load":
        """Return the load of rows on a cluster shape."""
        return cls(rows, cores_of(shape), shape.workers)


@dataclass(frozen=True)
class Term:
    """One term of the sum: its name, its meaning, and its value for a load."""

    name: str
    meaning: str
    value: Callable[[Load], float]


@dataclass(frozen=True)
class Terms:
    """Terms that a set of runs can tell apart.

    Attributes:
        chosen: the terms.
        notes: terms that were left out, and why.
        only: the only number of cores (or workers) for which this holds; None where it holds for others, too.
    """

    chosen: tuple[Term, ...]
    notes: tuple[str, ...] = ()
    only: float | None = None

    @property
    def names(self) -> list[str]:
        """Names of the terms, such as "rows/cores"."""
        return [term.name for term in self.chosen]

    def columns(self, loads: Iterable[Load]) -> Any:
        """Return one row a load, one column a term."""
        return np.array([[term.value(load) for term in self.chosen] for load in loads], dtype=float)


CONSTANT = Term("1", "cost of every run", lambda _: 1.0)
ROWS = Term("rows", "work that grows with the rows", lambda load: load.rows)
ROWS_PER_CORE = Term("rows/cores", "work that all cores share", lambda load: load.rows / load.cores)
LOG_CORES = Term("log cores", "gathering in a tree", lambda load: math.log(max(1.0, load.cores)))
CORES = Term("cores", "cost of every further core", lambda load: load.cores)
ROWS_PER_WORKER = Term(
    "rows/workers", "each worker's part of the rows", lambda load: load.rows / load.workers
)


def cores_of(shape: Shape) -> float:
    """Return the number of cores of a shape's workers together; a limited core counts as its share."""
    return float(shape.capacity)


def time_terms(loads: Sequence[Load]) -> Terms:
    """Choose the terms of a time; the terms of cores need three different numbers of cores."""
    counts = sorted({load.cores for load in loads})
    if len(counts) == 1:
        note = (
            f"all runs had {counts[0]:g} cores, so no other number can be predicted, and work is assumed to grow with the "
            "rows alone"
        )
        return Terms((CONSTANT, ROWS), (note,), only=counts[0])
    if len(counts) < LEAST_CORE_COUNTS:
        listed = " and ".join(f"{count:g}" for count in counts)
        note = (
            f"the runs had {listed} cores: two numbers of cores do not tell what further cores cost (log cores, cores), so "
            "these terms are left out and work is assumed to be shared without loss, which is too optimistic for "
            "many cores"
        )
        return Terms((CONSTANT, ROWS_PER_CORE), (note,))
    if counts[-1] <= 1:  # all logarithms are 0
        return Terms((CONSTANT, ROWS_PER_CORE, CORES))
    return Terms((CONSTANT, ROWS_PER_CORE, LOG_CORES, CORES))


def memory_terms(loads: Sequence[Load]) -> Terms:
    """Choose the terms of an executor's memory; each worker has one executor."""
    workers = sorted({load.workers for load in loads})
    if len(workers) == 1:
        note = (
            f"memory was measured with {workers[0]} worker(s) only, and is not predicted for any other number"
        )
        return Terms((CONSTANT, ROWS), (note,), only=workers[0])
    return Terms((CONSTANT, ROWS_PER_WORKER))
