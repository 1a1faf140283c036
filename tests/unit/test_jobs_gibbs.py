"""Draws of Gibbs sampling against the distributions that they are of, chains on planted factors, features and biases, and the health of chains."""

import itertools

import numpy as np
import pytest

from jobs.engine.factorise import both_ways
from jobs.engine.gibbs import Ground, Whole, chain, drawn_noise, drawn_normal, generator
from jobs.engine.links import Features, Link, drawn_link
from jobs.modelling.chains import effective_size, r_hat

USERS, ITEMS, RANK, NOISE = 150, 120, 3, 0.3


def planted():
    rng = np.random.default_rng(4)
    user, item = np.nonzero(rng.random((USERS, ITEMS)) < 0.4)
    users, items = rng.normal(size=(USERS, RANK)), rng.normal(size=(ITEMS, RANK))
    rating = np.einsum("nf,nf->n", users[user], items[item]) + NOISE * rng.normal(size=len(user))
    test = rng.random(len(user)) < 0.2
    return (user[~test], item[~test], rating[~test]), (user[test], item[test], rating[test])


def sweeps(train, count, seed=1, rank=RANK, features=(None, None)):
    by_user, by_item = both_ways(*train, USERS + 1, ITEMS)
    known = np.diff(by_user.indptr) > 0, np.diff(by_item.indptr) > 0
    ground = Ground(Whole(by_user, by_item), known, len(train[0]), features)
    return list(itertools.islice(chain(ground, rank, seed), count))


def predicted(sample, user, item):
    users, items = sample.users[user], sample.items[item]
    return np.einsum("nf,nf->n", users[:, :-1], items[:, :-1]) + users[:, -1] + items[:, -1]


def test_mean_and_precision_of_factors_are_those_of_the_factors():
    rng = np.random.default_rng(1)
    root = np.eye(RANK) + 0.2 * rng.normal(size=(RANK, RANK))
    factors = rng.normal(size=(50_000, RANK)) @ root + [1, -2, 3]
    draws = [drawn_normal(factors, generator(1, sweep, 0)) for sweep in range(20)]
    mean = np.mean([draw.mean for draw in draws], axis=0)
    precision = np.mean([draw.precision for draw in draws], axis=0)
    np.testing.assert_allclose(mean, [1, -2, 3], atol=0.05)
    np.testing.assert_allclose(precision @ np.cov(factors.T), np.eye(RANK), atol=0.05)
    assert np.std([draw.mean[0] for draw in draws]) > 0


def test_a_link_matrix_tells_of_the_precision_as_its_rows_would():
    """Many entries and no rows: the mean of the Wishart distribution is freedom times the inverse of I + strength * B^T B."""
    rng = np.random.default_rng(3)
    link = Link(rng.normal(size=(400, RANK)) @ np.diag([1.0, 2.0, 0.5]), 3.0)
    draws = [drawn_normal(np.zeros((1, RANK)), generator(5, sweep, 0), link) for sweep in range(300)]
    mean = np.mean([draw.precision for draw in draws], axis=0)
    expected = (RANK + 1 + 400) * np.linalg.inv(np.eye(RANK) + 3 * link.matrix.T @ link.matrix)
    np.testing.assert_allclose(mean, expected, atol=0.03 * expected.max())


def test_biases_do_not_begin_more_alike_than_factors():
    """With many ids a chain that began with biases of zero would take them to be zero for long."""
    rng = np.random.default_rng(6)
    known = np.ones(20_000, bool), np.ones(2, bool)
    user = np.arange(20_000, dtype=np.int32)
    rating = rng.normal(size=20_000)
    by_user, by_item = both_ways(
        np.r_[user, user], np.repeat([0, 1], 20_000), np.r_[rating, rating], 20_000, 2
    )
    ground = Ground(Whole(by_user, by_item), known, 40_000)
    first = next(chain(ground, 1, 1))
    assert first.users[:, -1].std() > 0.2


def test_few_rows_leave_the_prior():
    """A Wishart distribution of scale I with as many degrees of freedom as factors has the mean rank * I."""
    draws = [drawn_normal(np.zeros((1, RANK)), generator(2, sweep, 0)) for sweep in range(4000)]
    mean = np.mean([draw.precision for draw in draws], axis=0)
    np.testing.assert_allclose(mean, (RANK + 1) * np.eye(RANK), atol=0.25)


def test_the_noise_is_that_of_the_errors():
    draws = [drawn_noise(400.0, 10_000, generator(1, sweep, 2)) for sweep in range(200)]
    assert np.mean(draws) == pytest.approx(25, rel=0.01)
    assert np.std(draws) == pytest.approx(25 * (2 / 10_000) ** 0.5, rel=0.2)


def test_a_chain_finds_planted_factors_and_their_noise():
    train, (user, item, rating) = planted()
    kept = sweeps(train, 120)[40:]
    mean = np.mean([predicted(one, user, item) for one in kept], axis=0)
    assert np.sqrt(np.mean((mean - rating) ** 2)) < 1.15 * NOISE
    assert np.mean([one.noise for one in kept]) == pytest.approx(1 / NOISE**2, rel=0.1)
    assert kept[-1].rmse < 1.05 * NOISE
    assert not kept[-1].users[-1].any()  # nobody


def test_biases_are_found_where_there_is_nothing_else():
    rng = np.random.default_rng(7)
    user, item = np.nonzero(rng.random((USERS, ITEMS)) < 0.3)
    of_users, of_items = rng.normal(size=USERS), rng.normal(size=ITEMS)
    rating = of_users[user] + of_items[item] + NOISE * rng.normal(size=len(user))
    kept = sweeps((user, item, rating), 60, rank=1)[20:]
    mean = np.mean([predicted(one, user, item) for one in kept], axis=0)
    assert np.sqrt(np.mean((mean - of_users[user] - of_items[item]) ** 2)) < 0.6 * NOISE


def test_a_link_matrix_is_drawn_from_its_distribution():
    """Mean and deviation against those of the normal distribution, computed in the features' own axes."""
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(200, 6)).astype(np.float32)
    rows[:, 5] = rows[:, 4]  # two that cannot be told apart
    root = np.eye(RANK) + 0.3 * rng.normal(size=(RANK, RANK))
    precision = root @ root.T
    rest = rows @ rng.normal(size=(6, RANK)) + rng.normal(size=(200, RANK))
    before = Link(np.zeros((6, RANK)), 2.0)
    features = Features.of(rows)
    draws = np.array(
        [
            drawn_link(features, rest, precision, before, generator(3, sweep, 0)).matrix
            for sweep in range(4000)
        ]
    )
    spread = np.linalg.inv(rows.T @ rows + 2 * np.eye(6))
    np.testing.assert_allclose(draws.mean(axis=0), spread @ rows.T @ rest, atol=0.03)
    expected = np.kron(spread, np.linalg.inv(precision))
    np.testing.assert_allclose(np.cov(draws.reshape(4000, -1).T), expected, atol=0.05)
    strengths = [
        drawn_link(features, rest, precision, before, generator(4, n, 0)).precision for n in range(200)
    ]
    sizes = np.einsum("nfi,ij,nfj->n", draws, precision, draws)
    assert np.mean(strengths) == pytest.approx(np.mean((1 + 9) / (1 + sizes / 2)), rel=0.1)


def test_features_tell_of_ids_with_few_ratings():
    """Items whose factors are sums of their features': with two ratings each they are predicted better with the features."""
    rng = np.random.default_rng(9)
    labels = (rng.random((ITEMS, 8)) < 0.3).astype(np.float32)
    items = labels @ rng.normal(size=(8, RANK)) / 1.5
    users = rng.normal(size=(USERS, RANK))
    user, item = np.nonzero(np.ones((USERS, ITEMS)))
    rating = np.einsum("nf,nf->n", users[user], items[item]) + NOISE * rng.normal(size=len(user))
    seen = rng.random(len(user)) < np.where(item < 60, 0.3, 3 / USERS)
    few = ~seen & (item >= 60) & np.isin(item, item[seen])
    train = user[seen], item[seen], rating[seen]
    known = np.bincount(item[seen], minlength=ITEMS) > 0
    errors = []
    for features in (None, Features.of(labels * known[:, None])):
        kept = sweeps(train, 100, features=(None, features))[40:]
        mean = np.mean([predicted(one, user[few], item[few]) for one in kept], axis=0)
        errors.append(np.sqrt(np.mean((mean - rating[few]) ** 2)))
    assert errors[1] < 0.6 * errors[0]


def test_equal_seeds_give_equal_chains_and_others_others():
    train, _ = planted()
    one, same, other = (sweeps(train, 3, seed)[-1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.users, same.users)
    assert one.noise == same.noise
    assert np.abs(one.users - other.users).max() > 0.1


def walk(seed, draws, alike, chains=4):
    rng = np.random.default_rng(seed)
    noise, out = rng.normal(size=(chains, draws)), np.zeros((chains, draws))
    out[:, 0] = noise[:, 0] / np.sqrt(1 - alike**2)
    for n in range(1, draws):
        out[:, n] = alike * out[:, n - 1] + noise[:, n]
    return out


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.9])
def test_effective_size_of_a_process_whose_size_is_known(alike):
    sizes = [effective_size(walk(seed, 1000, alike)) for seed in range(10)]
    assert np.median(sizes) == pytest.approx(4000 * (1 - alike) / (1 + alike), rel=0.2)


def test_chains_that_agree_and_chains_that_do_not():
    agreed = walk(1, 500, 0.3)
    assert 0.99 < r_hat(agreed) < 1.02
    assert r_hat(agreed + np.array([[0], [0], [0], [3]])) > 1.3
    assert r_hat(agreed + np.linspace(0, 5, 500)) > 1.3  # one that drifts differs from itself
    assert r_hat(np.ones((2, 10))) == 1
    assert np.isnan(r_hat(agreed[:, :3]))
    assert np.isnan(effective_size(agreed[:, :3]))
