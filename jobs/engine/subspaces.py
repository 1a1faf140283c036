"""Least squares for rows of many factors, some of the factors at a time: the others are held, and what they leave is solved for.

S. Rendle, W. Krichene, L. Zhang, Y. Koren, "iALS++: Speeding up Matrix Factorization with Subspace Optimization", 2021. A row with n entries takes n * rank * width
and rank * width^2 operations in place of n * rank^2 and rank^3. Each subspace is solved by the kernel of `jobs.engine.normal_equations`.
"""

from typing import NamedTuple

import numpy as np

from datasets.compiled import compiled
from jobs.engine.arrays import Floats
from jobs.engine.neighbours import Csr
from jobs.engine.normal_equations import (
    Prior,
    Spent,
    UndeterminedError,
    gather_and_add,
    new_space,
    shares,
    solve_space,
)
from jobs.engine.tiles import STEP, cycles

_NONE = np.zeros(0, dtype=np.float32)


class Cut(NamedTuple):
    """Factors cut into subspaces: float32 [subspaces, ids, width], the last one padded with zeros."""

    factors: Floats
    rank: int


def cut(factors: Floats, width: int) -> Cut:
    """Cut factors [ids, rank] into subspaces of `width`, a multiple of STEP."""
    ids, rank = factors.shape
    count = -(-rank // width)
    out = np.zeros((count, ids, width), dtype=np.float32)
    for number in range(count):
        part = factors[:, number * width : (number + 1) * width]
        out[number, :, : part.shape[1]] = part
    return Cut(out, rank)


def descend(
    rows: Csr, other: Cut, ridge: Floats, own: Floats, *, prior: Prior, weights: Floats | None = None
) -> Spent:
    """Improve the factors of rows, one subspace after another, each once.

    Args:
        rows: targets of the entries.
        other: the columns' factors.
        ridge: float32 [rows], added to the diagonal.
        own: float32 [rows, rank], the rows' factors, which are changed in place.
        prior: of every row; its right-hand side is zero.
        weights: float32 of each entry; None: all are 1.

    Raises:
        UndeterminedError: the matrix of a row's subspace is not positive definite.
    """
    count, _, width = other.factors.shape
    wide = np.zeros((len(own), count * width), dtype=np.float32)
    wide[:, : other.rank] = own
    base = np.zeros((count * width, count * width), dtype=np.float32)
    base[: other.rank, : other.rank] = prior.matrix
    counted = np.zeros(3, dtype=np.int64)
    failed = int(
        _descend(
            rows, other.factors, ridge, _NONE if weights is None else weights, base, wide, other.rank, counted
        )
    )
    if failed >= 0:
        raise UndeterminedError(failed, int(rows.indptr[failed + 1] - rows.indptr[failed]), other.rank)
    own[:] = wide[:, : other.rank]
    return shares(counted)


def width_of(width: int) -> int:
    """Return the width that subspaces have: the next multiple of STEP."""
    return -(-width // STEP) * STEP


def flops(entries: int, rows: int, rank: int, width: int) -> float:
    """Count the additions and multiplications of going over all subspaces once, as `jobs.engine.normal_equations.flops` does."""
    count = -(-rank // width)
    solving = count * (width**3 / 3 + 2 * width**2) + 2 * rank**2
    return float(entries * (count * width * (width + 1) + 6 * rank) + rows * solving)


@compiled
def _descend(rows, other, ridge, weights, base, own, rank, counted):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    count, width = other.shape[0], other.shape[2]
    space = new_space(width)
    longest = 0
    for row in range(len(own)):
        longest = max(longest, rows.indptr[row + 1] - rows.indptr[row])
    left = np.empty(longest, dtype=np.float32)
    for row in range(len(own)):
        begun = cycles()
        _leave(rows, row, other, own[row], left)
        counted[0] += cycles() - begun
        for number in range(count):
            begun = cycles()
            _hold(space, base, own[row], ridge[row], number * width)
            counted[1] += cycles() - begun
            low, high = rows.indptr[row], rows.indptr[row + 1]
            gather_and_add(rows, left, weights, other[number], low, high, space, counted)
            begun = cycles()
            for i in range(width):
                if number * width + i < rank:
                    space.matrix[i, i] += ridge[row]
                else:
                    space.matrix[i, i] = 1
            if not solve_space(space):
                return row
            for i in range(width):
                own[row, number * width + i] += space.right[i]
            _take(rows, row, other[number], space.right, left)
            counted[2] += cycles() - begun
    return -1


@compiled(fastmath=("contract", "reassoc"))
def _leave(rows, row, other, own, left):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write what the row's factors leave of the targets of its entries."""
    low = rows.indptr[row]
    for place in range(low, rows.indptr[row + 1]):
        left[place - low] = rows.values[place]
    for number in range(other.shape[0]):
        _take(rows, row, other[number], own[number * other.shape[2] : (number + 1) * other.shape[2]], left)


@compiled(fastmath=("contract", "reassoc"))
def _take(rows, row, other, step, left):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Take from what is left of each target the product of its column's factors and `step`."""
    low = rows.indptr[row]
    for place in range(low, rows.indptr[row + 1]):
        column = rows.indices[place]
        product = np.float32(0.0)
        for j in range(len(step)):
            product += other[column, j] * step[j]
        left[place - low] -= product


@compiled(fastmath=("contract", "reassoc"))
def _hold(space, base, own, ridge, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Begin the equations of a subspace: the prior's part, with what all factors of the row already give to it."""
    width = len(space.right)
    for i in range(width):
        given = ridge * own[first + i]
        for j in range(len(own)):
            given += base[first + i, j] * own[j]
        space.right[i] = -given
        for j in range(width):
            space.matrix[i, j] = base[first + i, first + j]
