"""The verdict on quality, paired over users: planted differences, coverage, and what is refused."""

import numpy as np
import pytest

from core.errors import UsageError
from experiments.studies.compare.users import ndcg, qualities, rmse, same_rows
from jobs.judge.per_user import PerUser, read


def users(count=400, seed=1, error=0.9, shift=0.0, other=None, **changes):
    """Users with some rows each; those of `other` again where it is given, with other errors."""
    random = np.random.default_rng(seed)
    rows = random.integers(1, 40, count) if other is None else other.rows
    level = random.gamma(20, 1 / 20, count) if other is None else np.sqrt(other.squared / other.rows) / error
    squared = rows * (error * level * (1 + shift)) ** 2 * random.gamma(200, 1 / 200, count)
    values = {
        "user": np.arange(count),
        "rows": rows,
        "scored": rows,
        "check": rows * 7919,
        "squared": squared,
        "ndcg": np.full(count, np.nan),
    }
    return PerUser(**(values | changes))


def ranked(values):
    count = len(values)
    blank = users(count, squared=np.full(count, np.nan))
    return PerUser(**(vars(blank) | {"ndcg": np.asarray(values, dtype=float)}))


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.05, "worse"), (-0.05, "better"), (0.0, "indistinguishable")]
)
def test_planted_errors_are_told(shift, verdict):
    first = users()
    found = rmse(first, users(seed=2, shift=shift, other=first))
    assert found.baseline == pytest.approx(np.sqrt(first.squared.sum() / first.rows.sum()))
    assert found.verdict == verdict
    assert found.low < found.difference < found.high


def test_interval_of_rmse_agrees_with_the_bootstrap_of_users():
    first = users()
    second = users(seed=2, shift=0.02, other=first)
    found = rmse(first, second)
    random = np.random.default_rng(4)
    drawn = random.integers(0, 400, (4000, 400))
    total = first.rows[drawn].sum(axis=1)
    differences = np.sqrt(second.squared[drawn].sum(axis=1) / total) - np.sqrt(
        first.squared[drawn].sum(axis=1) / total
    )
    low, high = np.percentile(differences, [2.5, 97.5])
    assert found.high - found.low == pytest.approx(high - low, rel=0.06)
    assert found.low == pytest.approx(low, abs=0.1 * (high - low))


def test_ninety_five_of_a_hundred_intervals_of_rmse_hold_no_difference_where_there_is_none():
    held = 0
    for seed in range(300):
        first = users(120, seed=2 * seed)
        second = users(120, seed=2 * seed + 1, other=first)
        first = users(120, seed=10_000 + seed, other=second)  # both drawn around the same levels
        found = rmse(users(120, seed=20_000 + seed, other=second), first)
        held += found.low <= 0.0 <= found.high
    assert 0.91 <= held / 300 <= 0.985


def test_ranking_is_paired_over_users_who_have_a_relevant_item():
    random = np.random.default_rng(5)
    base = random.uniform(0, 1, 200)
    base[:50] = np.nan
    found = ndcg(ranked(base), ranked(np.clip(base - 0.1, 0, 1)))
    assert (found.verdict, found.users) == ("worse", 150)
    assert found.contender < found.baseline
    assert ndcg(ranked(base), ranked(base)).verdict == "indistinguishable"
    assert ndcg(ranked(np.clip(base - 0.1, 0, 1)), ranked(base)).verdict == "better"


def test_what_fitting_twice_may_leave_is_no_difference():
    first = users()
    second = PerUser(**(vars(first) | {"squared": first.squared * 1.00005}))
    found = rmse(first, second)
    assert found.low > 0  # every user is worse, by next to nothing
    assert found.verdict == "indistinguishable"


def test_a_tolerance_is_a_share_of_the_baseline():
    first = users()
    second = PerUser(**(vars(first) | {"squared": first.squared * 1.02**2}))
    found = rmse(first, second)
    assert found.beyond(0.01) == "worse"
    assert found.beyond(0.03) == "indistinguishable"


def test_two_metrics_share_the_five_percent():
    random = np.random.default_rng(8)
    first = PerUser(**(vars(users()) | {"ndcg": random.uniform(0, 1, 400)}))
    found, refused = qualities(first, first)
    assert [(item.metric, item.level, item.verdict) for item in found] == [
        ("rmse", 0.975, "indistinguishable"),
        ("ndcg", 0.975, "indistinguishable"),
    ]
    assert refused == []
    (alone,), _ = qualities(users(), users())
    assert alone.level == 0.95


def test_errors_over_different_rows_are_not_compared():
    first = users()
    (found,), refused = qualities(first, PerUser(**(vars(first) | {"scored": first.rows - 1})))
    assert (found.metric, found.verdict) == ("coverage", "worse")
    assert found.low <= found.difference <= found.high < 0
    assert "RMSE is not compared" in refused[0]


def test_few_users_give_no_verdict():
    few = users(29)
    found = rmse(few, PerUser(**(vars(few) | {"squared": few.squared * 4})))
    assert (found.verdict, found.low) == ("too few", None)


def saved(path, side):
    np.savez_compressed(path, **vars(side))
    return path


def test_sides_with_other_test_rows_are_refused(tmp_path):
    first = users()
    files = {"baseline": saved(tmp_path / "a.npz", first), "contender": saved(tmp_path / "b.npz", first)}
    same_rows(files)
    assert np.array_equal(read(files["baseline"]).squared, first.squared)
    saved(files["contender"], PerUser(**(vars(first) | {"check": first.check + 1})))
    with pytest.raises(UsageError, match="judge different test rows"):
        same_rows(files)
    files["contender"].unlink()
    same_rows(files)  # an older revision leaves no such file: nothing to check
