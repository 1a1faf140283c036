"""Solving for some factors at a time: it ends where solving for all of them at once does."""

import numpy as np
import pytest

from jobs.engine.neighbours import csr
from jobs.engine.normal_equations import Prior, UndeterminedError, padded, solve
from jobs.engine.subspaces import cut, descend, width_of

ROWS, COLUMNS = 11, 60


def given(rank, seed=1):
    rng = np.random.default_rng(seed)
    row, column = np.nonzero(rng.random((ROWS, COLUMNS)) < 0.4)
    row, column = row[row != 4], column[row != 4]
    matrix = csr(row, column, rng.normal(size=len(row)), ROWS)
    other = rng.normal(size=(COLUMNS, rank)).astype(np.float32)
    prior = Prior((0.1 * other.T @ other).astype(np.float32), np.zeros(rank, np.float32))
    weights = rng.uniform(0.5, 2, len(row)).astype(np.float32)
    return rng, matrix, other, prior, weights


@pytest.mark.parametrize(("rank", "width"), [(24, 8), (20, 8), (40, 16), (33, 64)])
@pytest.mark.parametrize("weighted", [False, True])
def test_passes_over_the_subspaces_end_at_the_solution(rank, width, weighted):
    rng, matrix, other, prior, weights = given(rank)
    used, ridge = weights if weighted else None, np.full(ROWS, 3.0, np.float32)
    expected, own = np.empty((ROWS, rank), np.float32), rng.normal(size=(ROWS, rank)).astype(np.float32)
    solve(matrix, padded(other), ridge, expected, prior=prior, **({"weights": weights} if weighted else {}))

    def apart():
        return np.abs(own - expected).max()

    before = apart()
    spent = descend(matrix, cut(other, width), ridge, own, prior=prior, weights=used)
    assert sum(spent) == pytest.approx(1)
    assert apart() < before
    for _ in range(300):
        descend(matrix, cut(other, width), ridge, own, prior=prior, weights=used)
    assert apart() < 1e-3


def test_one_subspace_is_one_solution():
    rng, matrix, other, prior, _ = given(12)
    ridge, expected = np.full(ROWS, 1.0, np.float32), np.empty((ROWS, 12), np.float32)
    solve(matrix, padded(other), ridge, expected, prior=prior)
    own = rng.normal(size=(ROWS, 12)).astype(np.float32)
    descend(matrix, cut(other, 16), ridge, own, prior=prior)
    np.testing.assert_allclose(own, expected, atol=1e-4)
    np.testing.assert_allclose(own[4], 0, atol=1e-5)  # a row without entries


def test_widths_and_rows_that_are_not_determined():
    assert [width_of(width) for width in (1, 8, 9, 64)] == [8, 8, 16, 64]
    _, matrix, other, _, _ = given(10)
    nothing = Prior(np.zeros((10, 10), np.float32), np.zeros(10, np.float32))
    own = np.zeros((ROWS, 10), np.float32)
    with pytest.raises(UndeterminedError, match=r"row 4 \(0 ratings, rank 10\)"):
        descend(matrix, cut(other, 8), np.zeros(ROWS, np.float32), own, prior=nothing)
