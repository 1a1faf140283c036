"""The benchmark of top-N: both ways are timed in both orders, and a disagreement is an error."""

import dataclasses

import pytest
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from jobs.apps import topn
from jobs.apps.topn import JOB, TopnParams, compare, generated

SMALL = {"users": 60, "items": 83, "rank": 4, "k": 5, "blocks": 2}


def test_times_both_ways_in_both_orders_and_compares_them(spark, context):
    given = context("topn", SMALL, warmups=1, repeats=2)
    kept = spark.sparkContext._jsc.getPersistentRDDs().size()
    result = JOB.run(given)
    assert [(time.phase, time.kind) for time in given.phases.times] == [
        ("recommend_mllib", "cold"),
        ("recommend_blocked", "cold"),
        ("recommend_blocked", "repeat"),
        ("recommend_mllib", "repeat"),
        ("recommend_mllib", "repeat"),
        ("recommend_blocked", "repeat"),
    ]
    assert result.counts["pairs"] == 60 * 83
    assert result.counts["users"] == 60
    assert 0 <= result.metrics["max_score_difference"] <= 1e-4
    for side in ("mllib", "blocked"):
        assert result.metrics[f"m_pairs_per_s_{side}"] > 0
    assert len(result.fingerprint) == 60
    assert [row[0] for row in result.table] == ["way", "mllib", "blocked"]
    assert spark.sparkContext._jsc.getPersistentRDDs().size() == kept


@pytest.mark.parametrize(("users", "items"), [(40, 70), (70, 40)])
def test_every_user_and_item_is_rated_and_the_seed_decides(spark, users, items):
    params = TopnParams(users=users, items=items)
    rows = generated(spark, params).collect()
    assert {row.user for row in rows} == set(range(users))
    assert {row["item"] for row in rows} == set(range(items))
    assert {row.rating for row in rows} == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert sorted(rows) == sorted(generated(spark, params).collect())
    assert sorted(rows) != sorted(generated(spark, dataclasses.replace(params, seed=2)).collect())


def answers(spark, wrong):
    mllib = spark.createDataFrame(
        [(1, [(4, 2.0), (5, 1.0)]), (2, [(4, 3.0), (6, 3.0)])],
        "user int, recommendations array<struct<item: int, rating: float>>",
    )
    blocked = {1: ([4, 5], [2.0, 1.0]), 2: ([6, 4], [3.0, 3.0]), **wrong}
    rows = [(user, *lists) for user, lists in blocked.items() if lists]
    return mllib, spark.createDataFrame(rows, "user int, items array<int>, scores array<float>")


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({}, {"both": 2, "lengths": 0, "difference": 0.0, "other_ids": 2}),
        ({1: ([4, 5], [2.0, 1.5])}, {"both": 2, "lengths": 0, "difference": 0.5}),
        ({1: ([4], [2.0])}, {"both": 2, "lengths": 1}),
        ({1: None, 3: ([4], [2.0])}, {"both": 1, "mllib": 2, "blocked": 2}),
    ],
)
def test_comparison_sees_scores_lengths_and_users(spark, wrong, expected):
    facts = compare(*answers(spark, wrong))
    assert {name: facts[name] for name in expected} == pytest.approx(expected)
    if wrong:
        with pytest.raises(JobError, match="disagree"):
            topn._agree(facts, TopnParams(users=2))
    else:
        topn._agree(facts, TopnParams(users=2))


def test_a_wrong_ranking_fails_the_job(context, monkeypatch):
    right = topn.recommend_factors
    monkeypatch.setattr(
        topn,
        "recommend_factors",
        lambda *given: right(*given).withColumn("scores", F.transform("scores", lambda score: score + 0.01)),
    )
    with pytest.raises(JobError, match="disagree"):
        JOB.run(context("topn", SMALL))


def test_parameters_are_checked(context):
    assert {"users", "items", "rank", "k", "seed", "iterations"} <= JOB.parameters()
    with pytest.raises(UsageError, match="did you mean 'rank'"):
        JOB.run(context("topn", {"ranks": 3}))
    with pytest.raises(UsageError, match="users in parameters of topn"):
        JOB.run(context("topn", {"users": 0}))
