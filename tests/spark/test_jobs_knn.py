"""Neighbourhood recommendations in Spark against a dense computation, and on real ratings."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from core.errors import JobError
from jobs.judge.evaluate import evaluate, with_predictions
from jobs.models.knn import Knn
from jobs.prepare.stored import RATINGS, Tables

USERS = np.array([2, 5, 9, 11, 12, 20, 31, 44, 50, 51, 60, 71])
ITEMS = np.array([1, 3, 4, 8, 15, 16, 23, 42, 77])


def table(spark, rows):
    ratings = spark.createDataFrame([(int(u), int(i), float(r), None, None) for u, i, r in rows], RATINGS)
    users = ratings.select("user").distinct().selectExpr("user", "string(user) key")
    items = ratings.select("item").distinct().selectExpr("item", "string(item) key")
    return Tables(ratings.repartition(3), items, users)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(11)
    return [(u, i, rng.integers(1, 6)) for u in USERS for i in ITEMS if rng.random() < 0.6]


MODEL = Knn(neighbours=3, shrink=2.0, min_support=2, damping=0.1, blocks=4)


class Dense:
    """The whole model as matrices over USERS x ITEMS."""

    def __init__(self, rows, model):
        self.matrix = np.full((len(USERS), len(ITEMS)), np.nan)
        for user, item, rating in rows:
            self.matrix[np.searchsorted(USERS, user), np.searchsorted(ITEMS, item)] = rating
        self.mask = ~np.isnan(self.matrix)
        self.mean = np.nanmean(self.matrix)
        self.item_bias = np.nansum(self.matrix - self.mean, axis=0) / (self.mask.sum(axis=0) + model.reg_item)
        rest = self.matrix - self.mean - self.item_bias
        self.user_bias = np.nansum(rest, axis=1) / (self.mask.sum(axis=1) + model.reg_user)
        self.base = self.mean + self.item_bias + self.user_bias[:, None]
        rest = np.nan_to_num(self.matrix - self.base)
        lengths = np.linalg.norm(rest, axis=0)
        both = self.mask.T.astype(int) @ self.mask.astype(int)
        near = (rest.T @ rest) / np.outer(lengths, lengths) * both / (both + model.shrink)
        near[(both < model.min_support) | (near < 0)] = 0
        np.fill_diagonal(near, 0)
        near[near < -np.sort(-near, axis=1)[:, [model.neighbours - 1]]] = 0
        weight = self.mask.astype(float) @ near.T
        self.prediction = self.base + (rest @ near.T) / (model.damping + weight)


def test_predicts_as_a_dense_computation_does(spark, rows):
    scorer = MODEL.fit(table(spark, rows))
    dense = Dense(rows, MODEL)
    pairs = [(int(user), int(item)) for user in USERS for item in ITEMS]
    scored = scorer.score(spark.createDataFrame(pairs, "user int, item int").repartition(3))
    assert scored.schema.simpleString() == "struct<user:int,item:int,prediction:float>"
    answer = {(row.user, row.item): row.prediction for row in scored.collect()}
    expected = dict(zip(pairs, np.clip(dense.prediction, 1, 5).ravel().tolist(), strict=True))
    assert answer == pytest.approx(expected, abs=1e-5)
    scorer.release()


def test_unknown_users_and_items_fall_back_to_the_baseline(spark, rows):
    scorer = MODEL.fit(table(spark, rows))
    dense = Dense(rows, MODEL)
    cold = spark.createDataFrame([(2, 999), (999, 3), (999, 999), (-1, 1000)], "user int, item int")
    answer = {(row.user, row.item): row.prediction for row in scorer.score(cold).collect()}
    expected = {
        (2, 999): dense.mean + dense.user_bias[0],
        (999, 3): dense.mean + dense.item_bias[1],
        (999, 999): dense.mean,
        (-1, 1000): dense.mean,
    }
    assert answer == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("leave_out", [False, True])
def test_ranks_by_what_it_predicts(spark, rows, leave_out):
    tables = table(spark, rows)
    scorer = MODEL.fit(tables)
    dense = Dense(rows, MODEL)
    asked = spark.createDataFrame([(int(user),) for user in (*USERS[:7], 999)], "user int")
    frame = scorer.recommend(asked, 4, tables.ratings.select("user", "item") if leave_out else None)
    answer = {row.user: (row["items"], row.scores) for row in frame.collect()}
    assert set(answer) == {*USERS[:7].tolist(), 999}
    for place, user in enumerate(USERS[:7]):
        line = np.where(dense.mask[place] & leave_out, -np.inf, dense.prediction[place])
        order = [item for item in np.argsort(-line)[:4] if np.isfinite(line[item])]
        assert answer[user][0] == ITEMS[order].tolist()
        assert answer[user][1] == pytest.approx(line[order].tolist(), abs=1e-5)
    order = np.argsort(-dense.item_bias)[:4]
    assert answer[999][0] == ITEMS[order].tolist()
    assert answer[999][1] == pytest.approx((dense.mean + dense.item_bias[order]).tolist(), abs=1e-5)


def test_refuses_ratings_that_would_not_fit_and_none_at_all(spark, rows, monkeypatch):
    tables = table(spark, rows)
    MODEL.preflight(tables)
    monkeypatch.setattr("jobs.models.knn.RATING_BYTES", 1 << 40)
    with pytest.raises(JobError, match=r"knn on \d+ ratings needs .* MiB .*\(MEMORY=\d+g"):
        MODEL.preflight(tables)
    played = [(*row[:2], math.nan) for row in rows]
    nothing = table(spark, played)
    nothing = nothing._replace(ratings=nothing.ratings.replace(math.nan, None, "rating"))
    with pytest.raises(JobError, match="needs ratings"):
        MODEL.fit(nothing)


@pytest.mark.realdata
def test_beats_the_baseline_on_movielens_100k(spark):
    folder = Path(os.environ["RECSCALE_DATA"]) / "ml-100k"
    parts = [
        table(spark, np.loadtxt(folder / name, usecols=(0, 1, 2)).tolist()) for name in ("u1.base", "u1.test")
    ]
    scorer = Knn().fit(parts[0])
    result = evaluate(
        with_predictions(parts[1].ratings, scorer.score(parts[1].ratings.select("user", "item"))),
        parts[0].ratings, None,
        predicts_rating=True, scale=(1.0, 5.0, 1.0), k=10, relevant=4.0,
    )  # fmt: skip
    assert result.metrics["coverage"] == 1.0
    assert 0.92 < result.metrics["rmse"] < 0.945
    assert result.metrics["rmse"] < result.metrics["rmse_bias"] - 0.01
