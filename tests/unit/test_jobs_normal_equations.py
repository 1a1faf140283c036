"""The kernel of every factorisation against NumPy in double precision: weights, priors, draws and their random numbers."""

import numpy as np
import pytest

from datasets.synthetic import random_numbers
from jobs.engine.draws import draw_normals, unit_vectors
from jobs.engine.neighbours import csr
from jobs.engine.normal_equations import Draw, Prior, UndeterminedError, padded, solve
from jobs.engine.tiles import add_products, dot, finish_rows

RANKS = [1, 3, 8, 10, 16, 40, 64, 65]


def given(seed, rows=23, columns=31, share=0.5):
    rng = np.random.default_rng(seed)
    row, column = np.nonzero(rng.random((rows, columns)) < share)
    return rng, csr(row, column, rng.normal(size=len(row)), rows)


def expected(matrix, other, ridge, weights, prior):
    rank = other.shape[1]
    base, right = (np.zeros((rank, rank)), np.zeros(rank)) if prior is None else prior
    out = []
    for row in range(len(matrix.indptr) - 1):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        known, weight = other[matrix.indices[part]].astype(np.float64), weights[part].astype(np.float64)
        left = base + known.T @ (weight[:, None] * known) + ridge[row] * np.eye(rank)
        if prior is not None or part.stop > part.start:
            out.append(np.linalg.solve(left, right + known.T @ (weight * matrix.values[part])))
        else:
            out.append(np.zeros(rank))
    return np.array(out)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("with_prior", [False, True])
def test_rows_are_solved_with_weights_and_a_prior(rank, weighted, with_prior):
    rng, matrix = given(rank)
    other = rng.normal(size=(31, rank)).astype(np.float32)
    ridge = rng.uniform(1, 2, 23).astype(np.float32)
    weights = rng.uniform(0, 3, len(matrix.values)).astype(np.float32)
    root = rng.normal(size=(rank, rank))
    prior = (
        Prior((root @ root.T).astype(np.float32), rng.normal(size=rank).astype(np.float32))
        if with_prior
        else None
    )
    out = np.empty((23, rank), dtype=np.float32)
    more = {"weights": weights} if weighted else {}
    spent = solve(matrix, padded(other), ridge, out, prior=prior, **more)
    assert sum(spent) == pytest.approx(1)
    used = weights if weighted else np.ones_like(weights)
    np.testing.assert_allclose(out, expected(matrix, other, ridge, used, prior), atol=2e-4)


def test_a_row_without_entries_has_the_priors_solution_or_zeros():
    matrix = csr(np.array([1]), np.array([0]), np.array([2.0]), 3)
    other, out = np.ones((1, 2), dtype=np.float32), np.full((3, 2), 9, dtype=np.float32)
    solve(matrix, padded(other), np.ones(3, dtype=np.float32), out)
    np.testing.assert_array_equal(out[[0, 2]], 0)
    prior = Prior(np.eye(2, dtype=np.float32), np.array([1, 2], dtype=np.float32))
    solve(matrix, padded(other), np.ones(3, dtype=np.float32), out, prior=prior)
    np.testing.assert_allclose(out[[0, 2]], [[0.5, 1], [0.5, 1]])


def test_a_row_that_is_not_determined_is_named():
    matrix = csr(np.array([0, 1]), np.array([0, 0]), np.ones(2), 2)
    with pytest.raises(UndeterminedError, match=r"row 0 \(1 ratings, rank 3\)") as caught:
        solve(
            matrix, padded(np.ones((1, 3), np.float32)), np.zeros(2, np.float32), np.empty((2, 3), np.float32)
        )
    assert "of user 7 (1" in str(caught.value.of("user 7"))


def test_draws_have_the_mean_and_the_covariance_of_the_equations():
    rank, rows = 5, 40_000
    rng = np.random.default_rng(3)
    other = rng.normal(size=(9, rank)).astype(np.float32)
    values = rng.normal(size=9)
    matrix = csr(np.repeat(np.arange(rows), 9), np.tile(np.arange(9), rows), np.tile(values, rows), rows)
    out = np.empty((rows, rank), dtype=np.float32)
    solve(matrix, padded(other), np.ones(rows, np.float32), out, draw=Draw(7, 2))
    precision = other.T.astype(np.float64) @ other + np.eye(rank)
    mean, covariance = np.linalg.solve(precision, other.T @ values), np.linalg.inv(precision)
    standard = (out - mean) @ np.linalg.cholesky(precision)
    assert np.abs(standard.mean(axis=0)).max() < 4 / np.sqrt(rows)
    np.testing.assert_allclose(np.cov(out.T), covariance, atol=0.02 * covariance.max())


def test_a_scale_scales_the_noise_alone():
    rng, matrix = given(6, rows=5)
    other, ridge = padded(rng.normal(size=(31, 4)).astype(np.float32)), np.ones(5, np.float32)
    mean, once, twice = (np.empty((5, 4), dtype=np.float32) for _ in range(3))
    solve(matrix, other, ridge, mean)
    solve(matrix, other, ridge, once, draw=Draw(1, 4, 1.0))
    solve(matrix, other, ridge, twice, draw=Draw(1, 4, 2.0))
    np.testing.assert_allclose(twice - mean, 2 * (once - mean), atol=1e-5)


def test_a_rows_draw_depends_on_its_id_alone():
    rng, matrix = given(5, rows=12)
    other, ridge = padded(rng.normal(size=(31, 6)).astype(np.float32)), np.ones(12, np.float32)
    whole, part, again = (np.empty((n, 6), dtype=np.float32) for n in (12, 4, 12))
    solve(matrix, other, ridge, whole, draw=Draw(1, 4))
    rows = [2, 5, 8, 11]
    places = [slice(matrix.indptr[row], matrix.indptr[row + 1]) for row in rows]
    some = csr(
        np.repeat(np.arange(4), [place.stop - place.start for place in places]),
        *(np.concatenate([column[place] for place in places]) for column in matrix[1:]),
        4,
    )
    solve(some, other, ridge[:4], part, draw=Draw(1, 4, first=2, step=3))
    np.testing.assert_array_equal(part, whole[rows])
    for other_draw in (Draw(2, 4), Draw(1, 5)):
        solve(matrix, other, ridge, again, draw=other_draw)
        assert np.abs(again - whole).max() > 0.01


def test_normal_numbers_are_normal_and_those_of_other_rows_and_streams_are_others():
    out = np.empty((6, 100_003), dtype=np.float32)
    for line, (seed, stream, row) in zip(
        out, [(5, 1, 9), (5, 1, 10), (5, 2, 9), (6, 1, 9), (5, 2, 10), (6, 2, 9)], strict=True
    ):
        draw_normals(np.uint64(seed), np.uint64(stream), row, line)
    np.testing.assert_allclose(out.mean(axis=1), 0, atol=0.02)
    np.testing.assert_allclose(out.std(axis=1), 1, atol=0.01)
    np.testing.assert_allclose((out**4).mean(axis=1), 3, atol=0.15)
    assert np.abs(np.corrcoef(out) - np.eye(6)).max() < 0.02
    assert abs(np.corrcoef(out[0, :-1], out[0, 1:])[0, 1]) < 0.02


def test_a_fit_shares_no_numbers_with_generated_data_of_its_seed():
    data, fit = np.empty(50, dtype=np.float32), np.empty(50, dtype=np.float32)
    for purpose in range(9):
        random_numbers.normals(np.uint64(1), np.uint64(purpose), 3, data)
        draw_normals(np.uint64(1), np.uint64(purpose), 3, fit)
        assert not np.isin(fit, data).any()


def test_first_factors_are_unit_vectors_that_do_not_depend_on_their_number():
    few, many = unit_vectors(3, 7, 1, 0), unit_vectors(50, 7, 1, 0)
    np.testing.assert_array_equal(many[:3], few)
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1, atol=1e-6)
    assert np.abs(unit_vectors(3, 7, 1, 1) - few).max() > 0.1


@pytest.mark.parametrize("size", [8, 16, 24, 40, 64])
def test_products_are_added_to_the_rows_that_are_named(size):
    rng = np.random.default_rng(size)
    matrix, panel = (rng.normal(size=(n, size + 8)).astype(np.float32) for n in (size, 11))
    for first, last in ((0, size), (size - 8, size)):
        found = matrix.copy()
        add_products(found, panel, 11, np.float32(-1.0), first, last, size + 8)
        products = panel[:, :size].T.astype(np.float64) @ panel
        upper = np.triu(np.ones((size, size + 8)))
        upper[:first], upper[last:] = 0, 0
        wrong = (found - (matrix - products)) * upper
        assert np.abs(wrong).max() < 1e-5
        np.testing.assert_array_equal(found[:first], matrix[:first])


def test_rows_are_finished_and_dots_are_dots():
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(24, 32)).astype(np.float32)
    inverse = rng.uniform(0.1, 0.2, 24).astype(np.float32)
    block = np.triu(matrix[8:16, 8:16].astype(np.float64), 1) + np.diag(1 / inverse[8:16].astype(np.float64))
    solved = np.linalg.solve(block.T, matrix[8:16, 16:])
    found = matrix.copy()
    finish_rows(found, inverse, 8)
    np.testing.assert_allclose(found[8:16, 16:], solved, atol=1e-5)
    vector = rng.normal(size=32).astype(np.float32)
    assert dot(matrix, 3, 8, 24, vector) == pytest.approx(float(matrix[3, 8:24] @ vector[8:24]), abs=1e-4)
    assert dot(matrix, 3, 8, 8, vector) == 0
