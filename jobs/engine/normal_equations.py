"""Normal equations of the rows of a sparse matrix: gathered, summed and solved one row after another, in one thread.

For a row with entries t_c in columns c, and the columns' factors v_c, it solves (B + sum w_c v_c v_c^T + ridge I) x = b + sum w_c t_c v_c:
alternating least squares, explicit and implicit, and, with a draw, a step of Gibbs sampling. One kernel does the work
(`jobs/engine/tiles.py`): it adds P^T P for a panel P of few rows. Panels of gathered factors make the matrix; panels of eight
finished rows make its Cholesky factor. Nothing here calls BLAS, so nothing here starts a thread.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datasets.compiled import compiled
from jobs.engine.arrays import Floats
from jobs.engine.draws import draw_normals
from jobs.engine.neighbours import Csr
from jobs.engine.tiles import STEP, add_products, cycles, dot, finish_rows, prefetch

DEPTH = 32
"""Rows of a panel: with up to 64 factors it fits into a first-level cache beside half of a normal matrix."""

_NONE = np.zeros(0, dtype=np.float32)
_NO_MATRIX = np.zeros((0, 0), dtype=np.float32)


class UndeterminedError(ValueError):
    """The normal matrix of a row has no Cholesky factor, so that its factors are not determined.

    Attributes:
        row: of the matrix; entries: that it has; rank: number of factors.
    """

    def __init__(self, row: int, entries: int, rank: int, name: str = "") -> None:
        super().__init__(
            f"the normal equations of {name or f'row {row}'} ({entries} ratings, rank {rank}) have no unique solution, or the factors have "
            "overflowed: raise the regularisation (reg) or lower the rank"
        )
        self.row, self.entries, self.rank = row, entries, rank

    def of(self, name: str) -> "UndeterminedError":
        """Return the same error of a row that has a name."""
        return UndeterminedError(self.row, self.entries, self.rank, name)


class Prior(NamedTuple):
    """Part of each row's equations that does not depend on its entries.

    Attributes:
        matrix: float32 [rank, rank].
        right: right-hand side, float32 [rank], or [rows, rank] where each row has its own.
    """

    matrix: Floats
    right: Floats

    def plus(self, right: Floats) -> "Prior":
        """Return the same part with more on the right-hand sides, float32 [rows, rank]."""
        return Prior(self.matrix, self.right + right)


class Draw(NamedTuple):
    """Draw from the normal distribution whose precision is the matrix and whose mean is the solution.

    Attributes:
        seed: of all draws; stream: of this half-step.
        scale: factor of the noise: the precision is the matrix over its square.
        first, step: row `n` draws for the id first + n * step.
    """

    seed: int
    stream: int
    scale: float = 1.0
    first: int = 0
    step: int = 1


class Spent(NamedTuple):
    """Shares of the time of `solve` by part, which sum to 1: gathering factors, summing products, solving."""

    gather: float
    products: float
    solve: float


def solve(
    matrix: Csr,
    other: Floats,
    ridge: Floats,
    out: Floats,
    *,
    weights: Floats = _NONE,
    prior: Prior | None = None,
    draw: Draw | None = None,
) -> Spent:
    """Solve the equations of every row; a row without entries gets zeros, unless there is a prior.

    Args:
        matrix: targets of the entries.
        other: float32 [columns, rank], the columns' factors, padded (`padded`).
        ridge: float32 [rows], added to the diagonal.
        out: float32 [rows, rank], receives the solutions.
        weights: float32, of each entry, 0 or more; absent: 1.
        prior: of every row.
        draw: draw instead of solving.

    Raises:
        UndeterminedError: a row's matrix is not positive definite.
    """
    rank, width = out.shape[1], other.shape[1]
    base, right = (_NO_MATRIX, _NO_MATRIX) if prior is None else _widened(prior, width)
    seed, stream, scale, first, step = draw or Draw(0, 0)
    draws = _Draws(draw is not None, np.uint64(seed), np.uint64(stream), np.float32(scale), first, step)
    counted = np.zeros(3, dtype=np.int64)
    failed = int(solve_rows(matrix, other, _Terms(ridge, weights, base, right), draws, out, counted))
    if failed >= 0:
        raise UndeterminedError(failed, int(matrix.indptr[failed + 1] - matrix.indptr[failed]), rank)
    return shares(counted)


def shares(counted: npt.NDArray[np.int64]) -> Spent:
    """Return shares of cycles by part; all in the last where nothing was counted."""
    total = counted.sum()
    return Spent(*(counted / total).tolist()) if total > 0 else Spent(0.0, 0.0, 1.0)


def padded(factors: Floats) -> Floats:
    """Add columns of zeros up to a multiple of STEP; a unit diagonal makes their solution zero."""
    rank = factors.shape[1]
    if rank % STEP == 0:
        return np.ascontiguousarray(factors, dtype=np.float32)
    wide = np.zeros((len(factors), -(-rank // STEP) * STEP), dtype=np.float32)
    wide[:, :rank] = factors
    return wide


def _widened(prior: Prior, width: int) -> tuple[Floats, Floats]:
    rank, given = len(prior.matrix), np.atleast_2d(prior.right)
    base, right = np.zeros((width, width), dtype=np.float32), np.zeros((len(given), width), dtype=np.float32)
    base[:rank, :rank], right[:, :rank] = prior.matrix, given
    return base, right


def squared_errors(rows: Csr, other: Floats, own: Floats) -> npt.NDArray[np.float64]:
    """Return each row's sum of squared differences between its targets and the products of factors, float64 [rows]."""
    out = np.zeros(len(own))
    _squared_errors(rows, other, own, out)
    return out


@compiled(fastmath=("contract", "reassoc"))
def _squared_errors(rows, other, own, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(own)):
        for place in range(rows.indptr[row], rows.indptr[row + 1]):
            column = rows.indices[place]
            product = np.float32(0.0)
            for j in range(own.shape[1]):
                product += own[row, j] * other[column, j]
            out[row] += np.float64(rows.values[place] - product) ** 2


def flops(entries: int, rows: int, rank: int) -> float:
    """Count the additions and multiplications that half-steps need, triangles counted as triangles.

    Args:
        entries: of all half-steps.
        rows: of all half-steps.
        rank: number of factors.
    """
    return float(entries * (rank * (rank + 1) + 2 * rank) + rows * (rank**3 / 3 + 2 * rank**2))


class _Terms(NamedTuple):
    """Terms of rows' equations besides their entries' targets; empty arrays: no weights, no prior.

    `right` is [1, width] for all rows, or [rows, width].
    """

    ridge: Floats
    weights: Floats
    base: Floats
    right: Floats


class _Draws(NamedTuple):
    wanted: bool
    seed: np.uint64
    stream: np.uint64
    scale: np.float32
    first: int
    step: int


class _Space(NamedTuple):
    """Memory of one row after another.

    Attributes:
        matrix: float32 [width, width + STEP]; the right-hand side is in the column behind the square while that is factorised.
        right: the right-hand side, then the solution [width].
        panel, targets: gathered factors [DEPTH, width] and targets [DEPTH].
        inverse: one over the diagonal of the Cholesky factor [width].
        noise: standard normal numbers [width].
    """

    matrix: Floats
    right: Floats
    panel: Floats
    targets: Floats
    inverse: Floats
    noise: Floats


@compiled
def new_space(width):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return memory for rows of `width` factors, a multiple of STEP."""
    return _Space(
        np.zeros((width, width + STEP), dtype=np.float32),
        np.empty(width, dtype=np.float32),
        np.empty((DEPTH, width), dtype=np.float32),
        np.empty(DEPTH, dtype=np.float32),
        np.empty(width, dtype=np.float32),
        np.zeros(width, dtype=np.float32),
    )


@compiled
def solve_space(space):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Solve the equations that were summed up, in place of the right-hand side; False if the matrix is not positive definite."""
    if not _cholesky(space):
        return False
    _backward(space.matrix, space.inverse, space.right)
    return True


@compiled
def solve_rows(rows, other, terms, draws, out, counted):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, PLR0917
    """Solve each row's equations; returns the first row that has no Cholesky factor, or -1."""
    rank, width = out.shape[1], other.shape[1]
    space = new_space(width)
    for row in range(len(rows.indptr) - 1):
        if rows.indptr[row] == rows.indptr[row + 1] and len(terms.right) == 0:
            out[row, :] = 0
            continue
        _assemble(rows, row, other, terms, space, counted)
        begun = cycles()
        for i in range(rank):
            space.matrix[i, i] += terms.ridge[row]
        for i in range(rank, width):
            space.matrix[i, i] = 1
        if not _cholesky(space):
            return row
        if draws.wanted:
            draw_normals(draws.seed, draws.stream, draws.first + row * draws.step, space.noise[:rank])
            for i in range(rank):
                space.right[i] += draws.scale * space.noise[i]
        _backward(space.matrix, space.inverse, space.right)
        for i in range(rank):
            out[row, i] = space.right[i]
        counted[2] += cycles() - begun
    return -1


@compiled
def _assemble(rows, row, other, terms, space, counted):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    """Sum a row's equations up, without the ridge."""
    width = other.shape[1]
    begun = cycles()
    if len(terms.right) > 0:
        space.matrix[:, :width] = terms.base
        space.right[:] = terms.right[row if len(terms.right) > 1 else 0]
    else:
        space.matrix[:, :] = 0
        space.right[:] = 0
    counted[1] += cycles() - begun
    low, high = rows.indptr[row], rows.indptr[row + 1]
    gather_and_add(rows, rows.values[low:high], terms.weights, other, low, high, space, counted)


@compiled
def gather_and_add(rows, targets, weights, other, low, high, space, counted):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, PLR0917
    """Add the products of the factors of entries `low` to `high`, whose targets are given, to matrix and right-hand side."""
    width = other.shape[1]
    for first in range(low, high, DEPTH):
        begun = cycles()
        depth = _gather(rows, weights, other, first, high, space.panel)
        _aim(targets[first - low :], weights[first:], depth, space.targets)
        gathered = cycles()
        add_products(space.matrix, space.panel, depth, np.float32(1.0), 0, width, width)
        for eight in range(0, depth, 8):
            _add_rows(space.right, space.panel, space.targets, eight)
        counted[0] += gathered - begun
        counted[1] += cycles() - gathered


@compiled
def _aim(given, weights, depth, targets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Copy the targets of a panel, times the roots of their weights; zeros up to a multiple of eight."""
    for q in range(depth):
        targets[q] = given[q]
    if len(weights) > 0:
        for q in range(depth):
            targets[q] *= np.sqrt(weights[q])
    for q in range(depth, (depth + 7) // 8 * 8):
        targets[q] = 0


@compiled
def _gather(rows, weights, other, first, high, panel):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    """Copy the factors of the next entries, times the roots of their weights; zeros up to a multiple of eight.

    Meanwhile the processor fetches the factors of those after them, which lie anywhere.
    """
    width = other.shape[1]
    depth = min(DEPTH, high - first)
    following = min(first + 2 * DEPTH, len(rows.indices))
    for place in range(first + depth, following):
        prefetch(other, rows.indices[place])
    for q in range(depth):
        column = rows.indices[first + q]
        for j in range(width):
            panel[q, j] = other[column, j]
    if len(weights) > 0:
        for q in range(depth):
            root = np.sqrt(weights[first + q])
            for j in range(width):
                panel[q, j] *= root
    for q in range(depth, (depth + 7) // 8 * 8):
        panel[q, :] = 0
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
def _cholesky(space):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Replace the upper triangle of the matrix by its Cholesky factor U (U^T U), and the right-hand side by the solution of U^T y = right.

    Eight rows at a time: what the rows above contribute is taken from them, then they are finished.
    """
    matrix, right = space.matrix, space.right
    width = len(matrix)
    for i in range(width):
        matrix[i, width] = right[i]
    for first in range(0, width, STEP):
        if first > 0:
            add_products(matrix, matrix, first, np.float32(-1.0), first, first + STEP, width + STEP)
        if not _diagonal(matrix, space.inverse, first):
            return False
        finish_rows(matrix, space.inverse, first)
    for i in range(width):
        right[i] = matrix[i, width]
    return True


@compiled(fastmath=("contract",))
def _diagonal(matrix, inverse, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Factorise the block on the diagonal, and keep one over its diagonal."""
    block = matrix[first : first + STEP, first : first + STEP]
    for q in range(STEP):
        pivot = block[q, q]
        if not pivot > 0:  # not a number is not either
            return False
        scale = np.float32(1.0) / np.sqrt(pivot)
        inverse[first + q] = scale
        for j in range(STEP):
            block[q, j] *= scale
        for r in range(q + 1, STEP):
            factor = block[q, r]
            for j in range(STEP):
                block[r, j] -= factor * block[q, j]
    return True


@compiled(fastmath=("contract",))
def _backward(matrix, inverse, right):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Solve U x = right in place."""
    width = len(matrix)
    for first in range(width - STEP, -1, -STEP):
        for i in range(first + STEP - 1, first - 1, -1):
            value = right[i] - dot(matrix, i, first + STEP, width, right)
            for j in range(i + 1, first + STEP):
                value -= matrix[i, j] * right[j]
            right[i] = value * inverse[i]
