"""Explicit alternating least squares in one thread, in compiled code; knows nothing of Spark.

The objective is MLlib's: squared errors, and each row's factors penalised in proportion to its number of ratings
(ALS-WR: Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-Scale Parallel Collaborative Filtering for the Netflix
Prize", AAIM 2008). Sums are float32, where MLlib has double.

One kernel does the work (`jobs/engine/tiles.py`): A += s * P^T P for a panel P of few rows. Panels of the other side's factors
make a row's normal matrix; panels of eight finished columns make its Cholesky factor. Nothing here calls BLAS, so
nothing here starts a thread.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array

from datasets.compiled import compiled
from jobs.engine.arrays import Floats
from jobs.engine.neighbours import Csr, from_scipy
from jobs.engine.tiles import COLUMNS, add_products


class Factors(NamedTuple):
    """users float32 [n, rank] and items float32 [m, rank]; zeros for a row without ratings."""

    users: Floats
    items: Floats


class UndeterminedError(ValueError):
    """The normal matrix of a row has no Cholesky factor, so that its factors are not determined."""


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
    start = np.random.default_rng(seed).standard_normal((len(by_user.indptr) - 1, rank))
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    users = _padded(start.astype(np.float32))
    items = np.zeros((len(by_item.indptr) - 1, users.shape[1]), dtype=np.float32)
    for _ in range(iterations):
        _solve(by_item, users, reg, items, rank=rank, side="item")
        _solve(by_user, items, reg, users, rank=rank, side="user")
    return Factors(*(np.ascontiguousarray(factors[:, :rank]) for factors in (users, items)))


def half_step(matrix: Csr, other: Floats, reg: float) -> Floats:
    """Solve for the factors of a matrix's rows, given those of its columns [m, rank]; raises as `factorise` does."""
    rank = other.shape[1]
    wide = _padded(other)
    out = np.zeros((len(matrix.indptr) - 1, wide.shape[1]), dtype=np.float32)
    _solve(matrix, wide, reg, out, rank=rank, side="row")
    return out[:, :rank]


def flops(entries: int, rows: int, rank: int, iterations: int) -> float:
    """Count the additions and multiplications that an ALS fit needs, triangles counted as triangles.

    Args:
        entries: ratings.
        rows: users and items together.
        rank: number of factors.
        iterations: of both sides.
    """
    normal = 2 * entries * (rank * (rank + 1) + 2 * rank)
    return float(iterations) * (normal + rows * (rank**3 / 3 + 2 * rank**2))


def _padded(factors: Floats) -> Floats:
    """Add columns of zeros up to a whole number of tiles; a unit diagonal makes their solution zero."""
    rank = factors.shape[1]
    wide = np.zeros((len(factors), -(-rank // COLUMNS) * COLUMNS), dtype=np.float32)
    wide[:, :rank] = factors
    return wide


def _solve(matrix: Csr, other: Floats, reg: float, out: Floats, *, rank: int, side: str) -> None:
    failed = int(solve_rows(matrix.indptr, matrix.indices, matrix.values, other, np.float32(reg), rank, out))
    if failed >= 0:
        ratings = int(matrix.indptr[failed + 1] - matrix.indptr[failed])
        raise UndeterminedError(
            f"the normal equations of {side} {failed} ({ratings} ratings, rank {rank}, reg {reg}) have no unique "
            "solution, or the factors have overflowed: raise reg or lower the rank"
        )


@compiled
def solve_rows(indptr, indices, values, other, reg, rank, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, PLR0917
    """Solve each row's normal equations; returns the first row that has no Cholesky factor, or -1."""
    width = other.shape[1]
    matrix, right = np.empty((width, width), dtype=np.float32), np.empty(width, dtype=np.float32)
    panel, weights = np.empty((32, width), dtype=np.float32), np.empty(32, dtype=np.float32)
    for row in range(len(indptr) - 1):
        low, high = indptr[row], indptr[row + 1]
        if low == high:
            out[row, :] = 0
            continue
        matrix[:, :] = 0
        right[:] = 0
        for first in range(low, high, 32):
            depth = _gather(indices, values, other, first, high, panel, weights)
            add_products(matrix, panel, depth, np.float32(1.0), 0)
            for low_row in range(0, depth, 8):
                _add_rows(right, panel, weights, low_row)
        weighted = reg * np.float32(high - low)
        for i in range(rank):
            matrix[i, i] += weighted
        for i in range(rank, width):
            matrix[i, i] = 1
        if not _cholesky(matrix, right, panel, weights):
            return row
        _backward(matrix, right, out[row])
    return -1


@compiled
def _gather(indices, values, other, first, high, panel, weights):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    """Copy the factors and the ratings of the next entries; zeros up to a multiple of eight."""
    width = other.shape[1]
    depth = min(len(weights), high - first)
    for q in range(depth):
        column = indices[first + q]
        for j in range(width):
            panel[q, j] = other[column, j]
        weights[q] = values[first + q]
    for q in range(depth, (depth + 7) // 8 * 8):
        panel[q, :] = 0
        weights[q] = 0
    return depth


@compiled(fastmath=("contract",))
def _add_rows(total, panel, weights, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add eight rows of the panel, each times its weight."""
    rows = panel[first : first + 8]
    w0, w1, w2, w3 = weights[first], weights[first + 1], weights[first + 2], weights[first + 3]
    w4, w5, w6, w7 = weights[first + 4], weights[first + 5], weights[first + 6], weights[first + 7]
    for j in range(len(total)):
        some = w0 * rows[0, j] + w1 * rows[1, j] + w2 * rows[2, j] + w3 * rows[3, j]
        more = w4 * rows[4, j] + w5 * rows[5, j] + w6 * rows[6, j] + w7 * rows[7, j]
        total[j] += some + more


@compiled
def _cholesky(matrix, right, panel, weights):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Replace the lower triangle by its Cholesky factor, and the right-hand side by the forward solution.

    Eight columns at a time: they are finished in the panel, a row each, and then taken from all that is right of them.
    """
    width = matrix.shape[1]
    for first in range(0, width, 8):
        for i in range(first, width):
            for q in range(8):
                panel[q, i] = matrix[i, first + q]
        panel[:8, :first] = 0
        if not _eight_columns(panel, first):
            return False
        for i in range(first, width):
            for q in range(8):
                matrix[i, first + q] = panel[q, i]
        for q in range(8):
            value = right[first + q]
            for earlier in range(q):
                value += weights[earlier] * panel[earlier, first + q]
            right[first + q] = value / panel[q, first + q]
            weights[q] = -right[first + q]
        panel[:8, : first + 8] = 0
        add_products(matrix, panel, 8, np.float32(-1.0), first + 8)
        _add_rows(right, panel, weights, 0)
    return True


@compiled(fastmath=("contract",))
def _eight_columns(panel, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Finish eight columns of the factor, of which row `q` of the panel holds column `first + q`."""
    width = panel.shape[1]
    for q in range(8):
        pivot = panel[q, first + q]
        if not pivot > 0:  # not a number is not either
            return False
        scale = np.float32(1.0) / np.sqrt(pivot)
        for i in range(width):
            panel[q, i] *= scale
        for r in range(q + 1, 8):
            factor = panel[q, first + r]
            for i in range(width):
                panel[r, i] -= factor * panel[q, i]
    return True


@compiled(fastmath=("contract",))
def _backward(matrix, right, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Solve with the transposed Cholesky factor."""
    for i in range(matrix.shape[1] - 1, -1, -1):
        value = right[i] / matrix[i, i]
        out[i] = value
        line = matrix[i]
        for j in range(i):
            right[j] -= value * line[j]
