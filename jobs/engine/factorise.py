"""Explicit alternating least squares in one thread, in compiled code; knows nothing of Spark.

The objective is MLlib's: squared errors, and each row's factors penalised in proportion to its number of ratings
(ALS-WR: Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-Scale Parallel Collaborative Filtering for the Netflix
Prize", AAIM 2008). Sums are float32, where MLlib has double. The kernel is that of the executors (`jobs/engine/normal_equations.py`).
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array

from jobs.engine.arrays import USERS, Floats
from jobs.engine.draws import unit_vectors
from jobs.engine.neighbours import Csr, from_scipy
from jobs.engine.normal_equations import UndeterminedError, flops, padded, solve


class Factors(NamedTuple):
    """users float32 [n, rank] and items float32 [m, rank]; zeros for a row without ratings."""

    users: Floats
    items: Floats


def both_ways(
    rows: npt.NDArray[Any], columns: npt.NDArray[Any], values: npt.NDArray[Any], n: int, m: int
) -> tuple[Csr, Csr]:
    """Build a matrix [n, m] and its transpose from entries in any order, which does not change the result; no (row, column) twice."""
    known = np.asarray(values, np.float32), (np.asarray(rows, np.int32), np.asarray(columns, np.int32))
    by_row = coo_array(known, shape=(n, m)).tocsr()
    return from_scipy(by_row), from_scipy(by_row.T.tocsr())


def factorise(by_user: Csr, by_item: Csr, *, rank: int, iterations: int, reg: float, seed: int) -> Factors:
    """Fit by alternating least squares; like MLlib, from random unit vectors, and each iteration the items first.

    Args:
        by_user: the ratings, a row a user.
        by_item: the same ratings, a row an item.
        rank: number of factors.
        iterations: one solves the items and then the users.
        reg: penalty of a row's squared factors, times its number of ratings.
        seed: of the users' first factors.

    Raises:
        UndeterminedError: without regularisation a row's factors are not determined.
    """
    users = unit_vectors(len(by_user.indptr) - 1, rank, seed, USERS)
    items = np.zeros((len(by_item.indptr) - 1, rank), dtype=np.float32)
    for _ in range(iterations):
        items = half_step(by_item, users, reg, "item")
        users = half_step(by_user, items, reg, "user")
    return Factors(users, items)


def half_step(matrix: Csr, other: Floats, reg: float, side: str = "row") -> Floats:
    """Solve for the factors of a matrix's rows, given those of its columns [m, rank]; raises as `factorise` does."""
    out = np.zeros((len(matrix.indptr) - 1, other.shape[1]), dtype=np.float32)
    ridge = np.float32(reg) * np.diff(matrix.indptr).astype(np.float32)
    try:
        solve(matrix, padded(other), ridge, out)
    except UndeterminedError as error:
        raise error.of(f"{side} {error.row}") from None
    return out


def fit_flops(entries: int, rows: int, rank: int, iterations: int) -> float:
    """Count the additions and multiplications of an ALS fit.

    Args:
        entries: ratings.
        rows: users and items together.
        rank: number of factors.
        iterations: of both sides.
    """
    return iterations * flops(2 * entries, rows, rank)
