"""The scorer against an independent one: scikit-learn where it has the metric, plain Python where it has not."""

import math
import random

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, ndcg_score

from jobs.judge import per_user
from jobs.judge.evaluate import by_user, evaluate, with_predictions
from jobs.models.bias import Bias
from jobs.prepare.profile import profile_of
from jobs.prepare.split import Split
from jobs.prepare.stored import RATINGS

SCALE = (1.0, 5.0, 1.0)


class Fixed:
    """A scorer that answers what it was given."""

    def __init__(self, frame):
        self.frame = frame

    def score(self, pairs):
        return pairs.join(self.frame, ["user", "item"], "left")


def ratings(spark, rows):
    return spark.createDataFrame([(*row, None, None) for row in rows], RATINGS).repartition(3)


def predictions(spark, rows):
    return spark.createDataFrame(rows, "user int, item int, prediction float")


def lists(spark, found):
    rows = [(user, items, [float(-n) for n in range(len(items))]) for user, items in found.items()]
    return spark.createDataFrame(rows, "user int, items array<int>, scores array<float>")


def judge(spark, train, test, scores=(), found=None, **changes):
    arguments = {"predicts_rating": True, "scale": SCALE, "k": 10, "relevant": 4.0, **changes}
    recommendations = None if found is None else lists(spark, found)
    parts = Split(ratings(spark, train), ratings(spark, test))
    scored = Fixed(predictions(spark, list(scores))).score(parts.test.select("user", "item"))
    judged = with_predictions(parts.test, scored, len(test) if "profile" in changes else None)
    return evaluate(judged, parts.train, recommendations, **arguments)


def baseline(train, reg_user, reg_item):
    """The bias baseline once more, with dictionaries."""
    mean = np.mean([rating for *_, rating in train])
    item_bias, user_bias = {}, {}
    for item in {item for _, item, _ in train}:
        rest = [rating - mean for _, other, rating in train if other == item]
        item_bias[item] = sum(rest) / (len(rest) + reg_item)
    for user in {user for user, *_ in train}:
        rest = [rating - mean - item_bias[item] for other, item, rating in train if other == user]
        user_bias[user] = sum(rest) / (len(rest) + reg_user)
    return mean, lambda user, item: min(5.0, max(1.0, mean + user_bias.get(user, 0) + item_bias.get(item, 0)))


@pytest.mark.parametrize("seed", range(3))
def test_errors_coverage_and_baselines_agree_with_scikit_learn(spark, seed):
    draw = random.Random(seed)
    cells = draw.sample([(user, item) for user in range(14) for item in range(12)], 90)
    rows = [(user, item, float(draw.randint(1, 5))) for user, item in cells]
    train = [row for row in rows[:60] if row[0] < 12 and row[1] < 11]  # users 12, 13 and item 11 are cold
    test = rows[60:]
    missing = [None, math.nan, math.inf]
    scores = [
        (user, item, draw.choice(missing) if draw.random() < 0.25 else round(draw.uniform(0, 6), 2))
        for user, item, _ in test
    ]
    result = judge(spark, train, test, scores)
    kept = [
        (*row, float(np.float32(score)))
        for row, (*_, score) in zip(test, scores, strict=True)
        if score not in (None, math.inf) and not math.isnan(score)
    ]
    truth = [row[2] for row in kept]
    users, items = {row[0] for row in train}, {row[1] for row in train}
    warm = [row for row in kept if row[0] in users and row[1] in items]
    mean, predict = baseline(train, Bias().reg_user, Bias().reg_item)
    expected = {
        "rmse": math.sqrt(mean_squared_error(truth, [row[3] for row in kept])),
        "mae": mean_absolute_error(truth, [row[3] for row in kept]),
        "rmse_covered": math.sqrt(mean_squared_error([row[2] for row in warm], [row[3] for row in warm])),
        "rmse_global_mean": math.sqrt(mean_squared_error(truth, [mean] * len(truth))),
        "rmse_bias": math.sqrt(mean_squared_error(truth, [predict(row[0], row[1]) for row in kept])),
        "coverage": len(kept) / len(test),
    }
    assert result.metrics == pytest.approx(expected, abs=1e-6)
    assert result.counts == {
        "test_rows": len(test),
        "scored_rows": len(kept),
        "cold_users": len({row[0] for row in test} - users),
        "cold_items": len({row[1] for row in test} - items),
        "cold_rows": sum(row[0] not in users or row[1] not in items for row in test),
    }


@pytest.mark.parametrize("unrated", [False, True])
def test_what_is_known_of_training_changes_no_number(spark, unrated):
    """With a profile nothing is counted again, and what is small is sent to the executors."""
    train = [(1, 1, 4.0), (1, 2, 2.0), (2, 1, 5.0), (3, 3, None if unrated else 3.0)]
    test = [(1, 3, 4.0), (2, 2, 1.0), (3, 1, 5.0), (9, 1, 4.0), (2, 9, None)]
    scores = [(1, 3, 3.5), (2, 2, 2.5), (3, 1, None), (9, 1, 4.0)]
    found = {1: [3, 4], 2: [9], 3: [2, 1]}
    sides = [spark.range(10).selectExpr(f"int(id) as {side}") for side in ("user", "item")]
    profile = profile_of(ratings(spark, train), *sides)
    for rated in (True, False):
        plain = judge(spark, train, test, scores, found, k=3, predicts_rating=rated)
        other = judge(spark, train, test, scores, found, k=3, predicts_rating=rated, profile=profile)
        assert other.metrics == pytest.approx(plain.metrics)  # sums in another order
        assert other.counts == plain.counts
        assert (plain.counts["cold_rows"], plain.counts["ranked_users"]) == (2, 4)


def ranking_oracle(test, found, k, threshold):
    """Go through ranks one by one and keep running sums."""
    users = sorted({user for user, _, rating in test if rating is None or rating >= threshold})
    sums = dict.fromkeys(("precision", "recall", "ndcg", "map"), 0.0)
    for user in users:
        liked = {i for u, i, rating in test if u == user and (rating is None or rating >= threshold)}
        hits, gain, ideal, average = 0, 0.0, 0.0, 0.0
        for rank in range(1, k + 1):
            if rank <= len(liked):
                ideal += math.log(2) / math.log(rank + 1)
            if rank <= len(found.get(user, [])) and found[user][rank - 1] in liked:
                hits += 1
                gain += math.log(2) / math.log(rank + 1)
                average += hits / rank
        sums["precision"] += hits / k
        sums["recall"] += hits / len(liked)
        sums["ndcg"] += gain / ideal
        sums["map"] += average / min(k, len(liked))
    return {f"{name}_at_{k}": value / len(users) for name, value in sums.items()}, len(users)


@pytest.mark.parametrize("seed", range(4))
def test_ranking_agrees_with_a_plain_oracle(spark, seed):
    draw = random.Random(100 + seed)
    k = [1, 3, 5, 10][seed]
    rated = seed % 2 == 0
    cells = draw.sample([(user, item) for user in range(20) for item in range(30)], 200)
    test = [(user, item, float(draw.randint(1, 5)) if rated else None) for user, item in cells]
    found = {
        user: draw.sample(range(30), draw.choice([0, 1, 3, 10, 15]))
        for user in range(25)
        if draw.random() < 0.8
    }
    result = judge(spark, [(0, 0, 3.0)], test, found=found, k=k, predicts_rating=False, relevant=4.0)
    expected, users = ranking_oracle(test, found, k, 4.0)
    assert result.counts["ranked_users"] == users
    assert {name: result.metrics[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_ndcg_agrees_with_scikit_learn(spark):
    draw = np.random.default_rng(5)
    truth = draw.integers(0, 2, size=(12, 20))
    truth[:, 0] = 1  # scikit-learn counts users without a relevant item, this scorer leaves them out
    scores = draw.permuted(np.tile(np.arange(20.0), (12, 1)), axis=1)
    test = [(user, int(item), 5.0) for user in range(12) for item in np.flatnonzero(truth[user])]
    found = {user: [int(item) for item in np.argsort(-scores[user])] for user in range(12)}
    result = judge(spark, [(0, 0, 3.0)], test, found=found, k=7, predicts_rating=False)
    assert result.metrics["ndcg_at_7"] == pytest.approx(ndcg_score(truth, scores, k=7), abs=1e-12)


def test_by_hand(spark):
    """Two relevant of user 1 at ranks 1 and 3 of three; user 2 has no list; user 3 likes nothing."""
    test = [(1, 10, 5.0), (1, 11, 4.0), (1, 12, 3.9), (2, 10, 5.0), (3, 10, 1.0)]
    result = judge(spark, test, test, found={1: [10, 12, 11], 3: [10]}, k=3, predicts_rating=False)
    assert result.counts["ranked_users"] == 2
    assert result.metrics["precision_at_3"] == pytest.approx((2 / 3) / 2)
    assert result.metrics["recall_at_3"] == pytest.approx(1 / 2)
    assert result.metrics["ndcg_at_3"] == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3)) / 2)
    assert result.metrics["map_at_3"] == pytest.approx((1 + 2 / 3) / 2 / 2)


@pytest.mark.parametrize("changes", [{"predicts_rating": False}, {"scale": None}])
def test_without_a_rating_scale_there_is_no_error(spark, changes):
    result = judge(spark, [(1, 1, 3.0)], [(1, 1, 4.0), (2, 1, 1.0)], [(1, 1, 70.0)], **changes)
    assert result.metrics == {"coverage": 0.5}
    assert result.counts["scored_rows"] == 1


def test_every_row_may_be_relevant(spark):
    test = [(1, 1, 1.0), (1, 2, 2.0), (2, 3, 3.0)]
    result = judge(spark, [(0, 0, 3.0)], test, found={1: [1, 2], 2: [9]}, k=2, relevant=None)
    assert result.counts["ranked_users"] == 2
    assert result.metrics["recall_at_2"] == pytest.approx(0.5)


def test_nothing_scored_and_nothing_relevant_leave_metrics_out(spark):
    result = judge(spark, [(1, 1, 3.0)], [(1, 1, 1.0)], found={1: [1]})
    assert result.metrics == {"coverage": 0.0}
    assert result.counts["ranked_users"] == 0


def test_who_has_interactions_without_a_rating_is_known(spark):
    rows = [(1, 1, 4.0), (2, 2, None)]
    test = [(2, 1, 3.0), (1, 2, 4.0), (3, 1, 4.0)]
    counts = judge(spark, rows, test).counts
    assert (counts["cold_users"], counts["cold_items"], counts["cold_rows"]) == (1, 0, 1)


def test_users_are_judged_one_by_one_and_add_up_to_the_whole(spark, tmp_path):
    """User 1 scored well, 2 badly and in part, 3 not at all; 4 has no rating that is relevant."""
    test = [(1, 10, 5.0), (1, 11, 4.0), (2, 10, 5.0), (2, 12, 1.0), (3, 10, 4.0), (4, 11, 1.0)]
    scores = [(1, 10, 4.5), (1, 11, 4.0), (2, 10, 2.0), (2, 12, None), (3, 10, math.nan), (4, 11, 3.0)]
    found = {1: [10, 12, 11], 2: [11, 12, 10], 4: [11]}
    scored = predictions(spark, scores)
    frame = by_user(
        with_predictions(ratings(spark, test), scored), lists(spark, found), scale=SCALE, k=3, relevant=4.0
    )
    per_user.write(frame, tmp_path / "users.npz")
    users = per_user.read(tmp_path / "users.npz")
    assert users.user.tolist() == [1, 2, 3, 4]
    assert users.rows.tolist() == [2, 2, 1, 1]
    assert users.scored.tolist() == [2, 1, 0, 1]
    assert users.squared.tolist() == pytest.approx([0.25, 9.0, math.nan, 4.0], nan_ok=True)
    first = (1 + 1 / 2) / (1 + 1 / math.log2(3))
    assert users.ndcg.tolist() == pytest.approx([first, 0.5, 0.0, math.nan], nan_ok=True)
    whole = judge(spark, test, test, scores, found, k=3)
    assert whole.metrics["rmse"] == pytest.approx(math.sqrt(np.nansum(users.squared) / users.scored.sum()))
    assert whole.metrics["ndcg_at_3"] == pytest.approx(np.nanmean(users.ndcg))

    def checks(rows):
        one = by_user(with_predictions(ratings(spark, rows), scored), None, scale=None, k=3, relevant=4.0)
        return {row["user"]: (row["check"], row["squared"], row["ndcg"]) for row in one.collect()}

    assert (
        checks(test)
        == checks(test[::-1])
        == {
            user: (check, None, None)
            for user, check in zip(users.user.tolist(), users.check.tolist(), strict=True)
        }
    )  # the same rows in another order
    other = checks([*test[:-1], (4, 11, 2.0)])
    assert [user for user, (check, *_) in other.items() if check != checks(test)[user][0]] == [4]
