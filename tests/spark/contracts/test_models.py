"""What every model must do, on a small planted set: the schema, the ranking, and how well at least."""

import math

import planted
import pytest

from core.options import parse
from jobs.models import MODELS
from jobs.prepare.stored import Tables
from jobs.runtime.session import cached_rdds

# Models that would be slow on a toy with their defaults; one that is not named runs with its defaults.
SMALL = {
    "als": {"rank": 4, "iterations": 6, "reg": 0.05, "blocks": 2},
    "als_implicit": {"rank": 4, "iterations": 4, "blocks": 2},
    "als_wr": {"rank": 4, "iterations": 6, "reg": 0.05},
    "bpmf": {"rank": 4, "samples": 40, "kept": 20, "burn": 10},
    "hybrid": {"rank": 4, "iterations": 4, "near": 0},
    "ials": {"rank": 4, "iterations": 4},
}
K = 5


class Fitted:
    def __init__(self, spark, name):
        self.parts = planted.parts(spark)
        self.train = self.parts.train.persist()
        self.train.count()
        self.model = parse(MODELS[name], SMALL.get(name, {}), name)
        self.tables = planted.tables(spark)
        self.before = set(cached_rdds(spark))
        self.scorer = self.model.fit(Tables(self.train, self.tables.items, self.tables.users))


@pytest.fixture(scope="module", params=sorted(MODELS))
def fitted(request, spark):
    fitted = Fitted(spark, request.param)
    yield fitted
    fitted.scorer.release()
    fitted.train.unpersist()


def test_score_answers_each_pair_once(fitted):
    pairs = fitted.parts.test.select("user", "item")
    scored = fitted.scorer.score(pairs)
    assert scored.dtypes == [("user", "int"), ("item", "int"), ("prediction", "float")]
    rows = scored.collect()
    assert sorted((row["user"], row["item"]) for row in rows) == sorted(map(tuple, pairs.collect()))
    assert all(row["prediction"] is None or math.isfinite(row["prediction"]) for row in rows)


def test_ratings_are_predicted_about_as_well_as_by_the_bias_baseline(fitted):
    if not fitted.model.predicts_rating:
        return  # no rating scale, so no error to speak of
    truth = {(row["user"], row["item"]): row["rating"] for row in fitted.parts.test.collect()}

    def rmse(scorer):
        rows = scorer.score(fitted.parts.test.select("user", "item")).collect()
        errors = [
            row["prediction"] - truth[row["user"], row["item"]]
            for row in rows
            if row["prediction"] is not None
        ]
        assert len(errors) > 0.9 * len(truth)
        return math.sqrt(sum(error**2 for error in errors) / len(errors))

    baseline = MODELS["bias"]().fit(Tables(fitted.train, fitted.tables.items, fitted.tables.users))
    assert rmse(fitted.scorer) <= 1.02 * rmse(baseline)
    baseline.release()


@pytest.mark.parametrize("with_seen", [True, False])
def test_recommendations_are_distinct_sorted_and_unseen(fitted, with_seen):
    seen = fitted.train.select("user", "item")
    users = fitted.tables.users.select("user")
    frame = fitted.scorer.recommend(users, K, seen if with_seen else None)
    assert frame.dtypes == [("user", "int"), ("items", "array<int>"), ("scores", "array<float>")]
    rows = frame.collect()
    known = {}
    for row in seen.collect():
        known.setdefault(row["user"], set()).add(row["item"])
    assert len({row["user"] for row in rows}) == len(rows) >= 0.9 * planted.USERS
    candidates = {item for items in known.values() for item in items}
    for row in rows:
        assert len(row["items"]) == len(row["scores"]) == len(set(row["items"])) <= K
        assert set(row["items"]) <= candidates
        ranked = list(zip([-score for score in row["scores"]], row["items"], strict=True))
        assert ranked == sorted(ranked), "best first, ties by smaller item"
        if with_seen:
            assert not set(row["items"]) & known[row["user"]]


def test_recommendations_are_the_best_by_score(spark, fitted):
    user = fitted.train.select("user").first()["user"]
    (row,) = fitted.scorer.recommend(spark.createDataFrame([(user,)], "user int"), K, None).collect()
    every = spark.range(planted.ITEMS).selectExpr(f"int({user}) as user", "int(id) as item")
    scores = {pair["item"]: pair["prediction"] for pair in fitted.scorer.score(every).collect()}
    worst = min(scores[item] for item in row["items"])
    better = [
        item
        for item, score in scores.items()
        if score is not None and score > worst + 1e-4 and item not in row["items"]
    ]
    assert not better


def test_nothing_is_left_on_the_executors(spark, fitted):
    scorer = fitted.model.fit(Tables(fitted.train, fitted.tables.items, fitted.tables.users))
    before = set(cached_rdds(spark))
    scorer.recommend(fitted.tables.users.select("user").limit(2), 1, None).collect()
    scorer.release()
    assert not set(cached_rdds(spark)) - before
    fitted.scorer.release()
    assert not set(cached_rdds(spark)) - fitted.before
    fitted.scorer = fitted.model.fit(Tables(fitted.train, fitted.tables.items, fitted.tables.users))
