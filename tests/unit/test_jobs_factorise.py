"""ALS of one thread against plain NumPy in double precision, and that it is one thread."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jobs.engine.factorise import both_ways, factorise, fit_flops, half_step
from jobs.engine.normal_equations import UndeterminedError
from jobs.modelling.fetching import Ratings
from jobs.modelling.single import Clock, Known
from jobs.models.implicit_single import ImplicitSingle

USERS, ITEMS = 40, 29


def entries(seed=0, share=0.4, users=USERS, items=ITEMS):
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((users, items)) < share)
    order = rng.permutation(len(user))
    return user[order], item[order], (1 + 4 * rng.random(len(user))).astype(np.float32)


def solved(matrix, other, reg):
    """Solve each row's penalised normal equations as they stand in the paper."""
    other = other.astype(np.float64)
    out = np.zeros((len(matrix.indptr) - 1, other.shape[1]))
    for row in range(len(out)):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        number = part.stop - part.start
        if number:
            known = other[matrix.indices[part]]
            left = known.T @ known + reg * number * np.eye(other.shape[1])
            out[row] = np.linalg.solve(left, known.T @ matrix.values[part])
    return out


@pytest.mark.parametrize("rank", [1, 2, 7, 8, 10, 16, 17, 33, 48, 70])
def test_a_half_step_solves_the_weighted_normal_equations(rank):
    by_user, by_item = both_ways(*entries(rank), USERS, ITEMS)
    rng = np.random.default_rng(rank)
    for matrix, size in ((by_user, ITEMS), (by_item, USERS)):
        other = rng.normal(size=(size, rank)).astype(np.float32)
        np.testing.assert_allclose(half_step(matrix, other, 0.07), solved(matrix, other, 0.07), atol=2e-4)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 31, 32, 33, 64, 65, 1000])
def test_rows_of_any_length(length):
    rng = np.random.default_rng(length)
    item, rating = np.arange(length), rng.normal(size=length)
    by_user, _ = both_ways(np.zeros(length, int), item, rating, 1, length)
    other = rng.normal(size=(length, 12)).astype(np.float32)
    np.testing.assert_allclose(half_step(by_user, other, 0.1), solved(by_user, other, 0.1), atol=1e-4)


def test_both_ways_are_one_matrix_whatever_the_order_of_the_entries():
    user, item, rating = entries()
    by_user, by_item = both_ways(user, item, rating, USERS + 2, ITEMS + 1)
    dense = np.zeros((USERS + 2, ITEMS + 1), dtype=np.float32)
    dense[user, item] = rating
    for matrix, expected in ((by_user, dense), (by_item, dense.T)):
        rows = np.repeat(np.arange(len(matrix.indptr) - 1), np.diff(matrix.indptr))
        found = np.zeros_like(expected)
        found[rows, matrix.indices] = matrix.values
        np.testing.assert_array_equal(found, expected)
        assert all(
            np.all(np.diff(matrix.indices[low:high]) > 0)
            for low, high in zip(matrix.indptr, matrix.indptr[1:], strict=False)
        )
    other = np.random.default_rng(1).permutation(len(user))
    again = both_ways(user[other], item[other], rating[other], USERS + 2, ITEMS + 1)
    for one, two in zip((*by_user, *by_item), (*again[0], *again[1]), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_fit_lowers_the_objective_and_ends_with_the_users_given_the_items():
    user, item, rating = entries()
    by_user, by_item = both_ways(user, item, rating, USERS, ITEMS)

    def objective(factors):
        rest = rating - np.einsum("nf,nf->n", factors.users[user], factors.items[item])
        numbers = np.diff(by_user.indptr), np.diff(by_item.indptr)
        sizes = [number @ (side**2).sum(axis=1) for number, side in zip(numbers, factors, strict=True)]
        return float(rest @ rest + 0.1 * sum(sizes))

    fits = [factorise(by_user, by_item, rank=5, iterations=n, reg=0.1, seed=3) for n in (1, 2, 5, 20)]
    values = [objective(fit) for fit in fits]
    assert values == sorted(values, reverse=True)
    np.testing.assert_allclose(fits[1].users, solved(by_user, fits[1].items, 0.1), atol=1e-4)
    same, other = (factorise(by_user, by_item, rank=5, iterations=1, reg=0.1, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(same.users, fits[0].users)
    assert np.abs(other.users - same.users).max() > 1e-3


def test_a_row_without_ratings_has_zeros():
    by_user, by_item = both_ways(np.array([0, 2]), np.array([1, 1]), np.array([3.0, 4.0]), 4, 2)
    fit = factorise(by_user, by_item, rank=3, iterations=2, reg=0.1, seed=0)
    assert not fit.users[[1, 3]].any()
    assert not fit.items[0].any()
    assert fit.users[[0, 2]].any(axis=1).all()
    np.testing.assert_array_equal(Known.of(by_user, fit.users).ids, [0, 2])


def test_equations_without_a_unique_solution_are_an_error():
    by_user, _ = both_ways(np.array([0, 0, 1]), np.array([0, 1, 0]), np.ones(3), 2, 2)
    with pytest.raises(UndeterminedError, match=r"row 0 .*2 ratings, rank 5\)"):
        half_step(by_user, np.ones((2, 5), dtype=np.float32), 0.0)
    with pytest.raises(UndeterminedError, match=r"user 0 .*raise the regularisation .reg. or lower the rank"):
        half_step(by_user, np.full((2, 5), np.nan, dtype=np.float32), 0.1, "user")
    with pytest.raises(UndeterminedError, match="row 0"):
        half_step(by_user, np.full((2, 5), np.nan, dtype=np.float32), 0.1)


def test_work_is_counted_as_triangles():
    # Rank 1: a product and a sum for the matrix, the same for the right-hand side, and two of a row's own.
    assert fit_flops(entries=10, rows=0, rank=1, iterations=1) == 10 * 2 * (2 + 2)
    assert fit_flops(entries=0, rows=3, rank=6, iterations=2) == 2 * 3 * (72 + 72)


def test_one_thread_does_the_work():
    matrices = both_ways(*entries(5, 0.5, 700, 500), 700, 500)
    model = ImplicitSingle(rank=48, iterations=2)
    model._solve(Ratings(*matrices))  # imports, and starts what pools there are
    factorise(*matrices, rank=48, iterations=1, reg=0.1, seed=0)
    for work in (
        lambda: factorise(*matrices, rank=48, iterations=20, reg=0.1, seed=0),
        lambda: model._solve(Ratings(*matrices)),
    ):
        clock = Clock()
        with clock.part("solve"):
            work()
        assert clock.threads < 1.1


def test_a_second_thread_would_be_seen():
    def spin():
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass

    clock = Clock()
    with ThreadPoolExecutor(1) as pool, clock.part("solve"):
        other = pool.submit(spin)
        spin()
        other.result()
    assert clock.threads > 1.5


@pytest.mark.parametrize("alpha", [1.0, 3.0])
def test_the_librarys_confidences_are_mllibs(alpha):
    """The last half-step solves for the items: (X'X + reg + sum of c1 x x') y = sum of p (1 + c1) x, c1 = alpha |r|."""
    user, item, rating = entries(7)
    rating[::5] = 0
    rating[1::5] *= -1
    model = ImplicitSingle(rank=4, iterations=3, alpha=alpha, reg=0.3, cg=False)
    by_user, by_item = both_ways(user, item, model._confidence(rating), USERS, ITEMS)
    users, items = (side.astype(np.float64) for side in model._solve(Ratings(by_user, by_item)))
    for one in range(ITEMS):
        known, values = users[user[item == one]], rating[item == one].astype(np.float64)
        weight = alpha * np.abs(values)
        left = users.T @ users + 0.3 * np.eye(4) + (known * weight[:, None]).T @ known
        right = known.T @ np.where(values > 0, 1 + weight, 0)
        np.testing.assert_allclose(items[one], np.linalg.solve(left, right), atol=1e-4)
