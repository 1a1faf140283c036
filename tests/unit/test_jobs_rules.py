"""Objectives of factorisations as normal equations, and fold-in, which gives what a fit gave."""

import numpy as np
import pytest

from jobs.apps.fold_in import SIDES, FoldInParams, _Timed
from jobs.engine.factorise import both_ways, factorise
from jobs.engine.neighbours import csr
from jobs.engine.normal_equations import UndeterminedError
from jobs.engine.rules import FoldIn, Unobserved, Weighted

USERS, ITEMS, RANK = 30, 21, 5


def interactions(seed=0):
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((USERS, ITEMS)) < 0.3)
    return rng, user, item


def test_fold_in_gives_the_fitted_factors_of_all_users():
    rng, user, item = interactions()
    by_user, by_item = both_ways(user, item, rng.normal(3, 1, len(user)), USERS, ITEMS)
    fit = factorise(by_user, by_item, rank=RANK, iterations=3, reg=0.1, seed=1)
    np.testing.assert_allclose(FoldIn(fit.items, Weighted(0.1))(by_user), fit.users, rtol=1e-5)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("counted", [False, True])
def test_preferences_weigh_observed_and_unobserved_pairs(exponent, counted):
    """Against the objective itself, differentiated: the sum over all pairs, observed or not."""
    rng, user, item = interactions(2)
    values = rng.uniform(0.5, 4, len(user)) if counted else np.ones(len(user))
    values[::7] *= -1
    rows = csr(user, item, values, USERS)
    other = rng.normal(size=(ITEMS, RANK)).astype(np.float32)
    found = FoldIn(other, Unobserved(0.2, exponent, 0.3, ITEMS))(rows)
    wide = other.astype(np.float64)
    for one in range(USERS):
        weights, targets = np.zeros(ITEMS), np.zeros(ITEMS)
        weights[item[user == one]] = np.abs(values[user == one])
        targets[item[user == one]] = values[user == one] > 0
        scores = wide @ found[one]
        penalty = 0.2 * ((user == one).sum() + 0.3 * ITEMS) ** exponent
        slope = wide.T @ (weights * (scores - targets)) + 0.3 * wide.T @ scores + penalty * found[one]
        np.testing.assert_allclose(slope, 0, atol=1e-4)


def test_biases_are_solved_for_with_the_factors():
    """Against the objective, differentiated: products of factors and both biases, all penalised alike."""
    rng, user, item = interactions(4)
    values = rng.normal(size=len(user)).astype(np.float32)
    rows = csr(user, item, values, USERS)
    other = rng.normal(size=(ITEMS, RANK + 1)).astype(np.float32)
    found = FoldIn(other, Weighted(0.2, biased=True))(rows)
    for one in range(USERS):
        of = user == one
        beside = np.hstack([other[item[of], :RANK], np.ones((of.sum(), 1))])
        off = beside @ found[one] + other[item[of], RANK] - values[of]
        np.testing.assert_allclose(beside.T @ off + 0.2 * of.sum() * found[one], 0, atol=1e-4)


def test_a_person_without_history_has_zeros_and_one_that_is_not_determined_is_an_error():
    empty = csr(np.zeros(0, int), np.zeros(0, int), np.zeros(0), 2)
    other = np.ones((ITEMS, RANK), dtype=np.float32)
    assert not FoldIn(other, Weighted(0.1))(empty).any()
    assert not FoldIn(other, Unobserved(0.1, 1.0, 0.1, ITEMS))(empty).any()
    one = csr(np.zeros(2, int), np.arange(2), np.ones(2), 1)
    with pytest.raises(UndeterminedError, match=r"row 0 \(2 ratings"):
        FoldIn(other, Weighted(0.0))(one)


def test_a_batch_is_what_its_people_are_alone():
    rng, user, item = interactions(3)
    rows = csr(user, item, rng.normal(size=len(user)), USERS)
    fold_in = FoldIn(rng.normal(size=(ITEMS, RANK)).astype(np.float32), Weighted(0.1))
    together = fold_in(rows)
    for one in range(USERS):
        alone = csr(
            np.zeros((user == one).sum(), int),
            item[user == one],
            rows.values[rows.indptr[one] : rows.indptr[one + 1]],
            1,
        )
        np.testing.assert_array_equal(fold_in(alone)[0], together[one])


def test_people_are_folded_in_as_by_the_library():
    """What the experiment compares is one answer, whichever comes first."""
    (found,) = _Timed(FoldInParams(users=40, ratings=30, items=200, rank=9))([SIDES])
    assert found["apart"] < 1e-5
    assert min(found[side] for side in SIDES) > 0
    assert len(found["first"]) == 40 * 9
