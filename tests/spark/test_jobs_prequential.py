"""Prequential judgement against lists made one by one, and the job that trains again and again in time order."""

import datetime as dt
import random

import numpy as np
import planted
import pytest
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from jobs.apps.prequential import JOB
from jobs.engine.lists import Away, Lists
from jobs.engine.neighbours import Csr
from jobs.judge.prequential import POLICIES, Epoch, Judge, Past
from jobs.models.hybrid import Hybrid
from jobs.prepare import stored
from jobs.prepare.stored import RATINGS

MODEL = {"name": "hybrid", "rank": 4, "iterations": 3, "blend": "0:0/0/1 1:0.7/0.2/0.1", "near": 2}
K = 5


@pytest.fixture(scope="module")
def timed(spark):
    """Planted ratings, three a second in a drawn order, and three without a time."""
    rows = planted.rows()
    random.Random(3).shuffle(rows)
    placed = [
        (user, item, rating, dt.datetime.fromtimestamp(number // 3, dt.UTC) if number > 2 else None, None)
        for number, (user, item, rating, _, _) in enumerate(rows)
    ]
    tables = planted.tables(spark)._replace(ratings=spark.createDataFrame(placed, RATINGS).persist())
    tables.ratings.count()
    yield tables
    tables.ratings.unpersist()


def test_a_like_counts_if_it_is_in_the_list_made_just_before_it(timed):
    model = Hybrid(**{key: value for key, value in MODEL.items() if key != "name"})
    first = model.known(timed._replace(ratings=timed.ratings.where(F.unix_seconds("at") < 270)))
    latest = model.known(timed._replace(ratings=timed.ratings.where(F.unix_seconds("at") < 400)))
    judge = Judge(Lists(first), Lists(latest), Epoch(270, 400, 630), K)
    hits, gains, likes = np.zeros(4, int), np.zeros(4), 0
    found_likes, found_hits, found_gains = 0, np.zeros(4, int), np.zeros(4)
    by_user = {}
    for row in timed.ratings.where(F.unix_seconds("at") < 630).collect():
        if row["at"] is not None:
            by_user.setdefault(row["user"], []).append(
                (int(row["at"].timestamp()), row["item"], row["rating"])
            )
    for said in by_user.values():
        said.sort()
        times, items, ratings = (np.array(column) for column in zip(*said, strict=True))
        preferences = first.meanings.of_ratings(ratings.astype(np.float32))
        for number in np.flatnonzero((times >= 400) & (preferences == 1)):
            likes += 1
            for policy, (lists, until) in enumerate(
                ((first, 270), (first, times[number]), (latest, 400), (latest, times[number]))
            ):
                known = [at for at in range(len(times)) if times[at] < until and preferences[at]]
                known.sort(key=items.__getitem__)
                history = Csr(np.array([0, len(known)]), items[known].astype(np.int32), preferences[known])
                before = items[:number].astype(np.int32)
                ids, _ = Lists(lists).made(history, K, Away(np.array([0, number]), before))
                (place,) = np.where(ids[0] == items[number])
                hits[policy] += len(place)
                gains[policy] += sum(1 / np.log2(place + 2))
        one = judge.of(Past(times.astype(np.int64), items.astype(np.int32), preferences))
        found_likes, found_hits, found_gains = (
            found_likes + one.likes,
            found_hits + one.hits,
            found_gains + one.gains,
        )
    assert likes == found_likes > 100
    assert list(hits) == list(found_hits)
    assert gains == pytest.approx(found_gains)
    assert len(set(hits)) > 1


@pytest.fixture
def judged(context, spark):
    """Make the context of the job on tables: judged(tables, **parameters)."""

    def make(tables, model=MODEL, **params):
        made = context("prequential", {"k": str(K), **params}, model=model)
        frames = {"ratings": tables.ratings, "users": tables.users, "items": tables.items}
        versions = {name: made.store.write(name, frame.coalesce(1)) for name, frame in frames.items()}
        facts = {
            "dataset": "movielens/1m", "dataset_options": "{}", "data_digest": "d", "scale": "0.5,5.0,0.5",
            "n_users": str(planted.USERS), "n_items": str(planted.ITEMS),
        }  # fmt: skip
        stored.finish(made.store, spark, facts, versions)
        return made

    return make


def test_the_first_part_knows_nothing_newer_and_later_ones_gain(timed, judged, spark):
    made = judged(timed, start="0.4", epochs="3")
    before = spark.sparkContext._jsc.getPersistentRDDs().size()
    result = JOB.run(made)
    assert spark.sparkContext._jsc.getPersistentRDDs().size() == before
    assert [time.phase for time in made.phases.times] == ["fit", "judge"] * 3
    metrics = result.metrics
    for policy in POLICIES:
        assert 0 < metrics[f"prequential_recall_{policy}"] < 1
        assert 0 < metrics[f"prequential_ndcg_{policy}"] < 1
        assert [step for step, _ in result.series[f"prequential_recall_course_{policy}"]] == [0, 1, 2]
    first = {policy: result.series[f"prequential_recall_course_{policy}"][0][1] for policy in POLICIES}
    assert first["frozen"] == first["retrained"]
    assert first["fold_in"] == first["both"]
    for name in ("retrained", "both"):
        gain = metrics[f"prequential_recall_{name}"] - metrics["prequential_recall_frozen"]
        low, high = (metrics[f"prequential_recall_gain_{name}_{end}"] for end in ("low", "high"))
        assert metrics[f"prequential_recall_gain_{name}"] == pytest.approx(gain)
        assert low <= gain <= high
        share = metrics["prequential_recall_fold_in"] - metrics["prequential_recall_frozen"]
        told = metrics.get(f"prequential_recall_kept_of_{name}")
        assert told == (pytest.approx(share / gain) if low > 0 else None)
    likes = timed.ratings.where("rating >= 4 and at is not null").count()
    assert 0.4 * likes < result.counts["likes"] < 0.8 * likes


def test_a_hidden_end_is_judged_against_a_first_model_that_knows_none_of_the_person(
    timed, judged, monkeypatch
):
    last = F.when(F.pmod(F.col("user") * 7 + F.col("item") * 11, F.lit(4)) == 0, "last5|last10")
    ratings = timed.ratings.withColumn("fold", last).withColumn("at", F.lit(None).cast("timestamp")).persist()
    tables, fitted = timed._replace(ratings=ratings), []
    known = Hybrid.known

    def noted(self, tables):
        fitted.append(tables.ratings.select("user", "item").toPandas())
        return known(self, tables)

    monkeypatch.setattr(Hybrid, "known", noted)
    made = judged(tables, hidden="last5", start="0.4")
    result = JOB.run(made)
    assert [time.phase for time in made.phases.times] == ["fit", "fit", "judge"]
    first, latest = fitted
    hidden = ratings.where("fold IS NOT NULL").toPandas()
    others = set(latest["user"]) - set(first["user"])
    assert 0.3 * planted.USERS < len(others) < 0.9 * planted.USERS
    rows = ratings.toPandas()
    assert len(first) == (~rows["user"].isin(others)).sum(), "whole"
    assert len(latest) == len(rows) - hidden["user"].isin(others).sum()
    assert result.counts["likes"] == (hidden["user"].isin(others) & (hidden["rating"] >= 4)).sum() > 20
    assert result.counts["epochs"] == 1
    metrics = result.metrics
    for what in ("recall", "ndcg"):
        assert metrics[f"prequential_{what}_retrained"] == metrics[f"prequential_{what}_both"]
        assert metrics[f"prequential_{what}_fold_in"] > metrics[f"prequential_{what}_frozen"]
    with pytest.raises(UsageError, match="unknown fold 'last7'"):
        JOB.run(judged(tables, hidden="last7"))
    with pytest.raises(JobError, match="no published folds"):
        JOB.run(judged(timed, hidden="last5"))
    ratings.unpersist()


def test_what_cannot_be_judged_in_time_order_is_refused(timed, judged):
    without = timed._replace(ratings=timed.ratings.withColumn("at", F.lit(None).cast("timestamp")))
    with pytest.raises(JobError, match="no row of this data set has a time"):
        JOB.run(judged(without))
    at_once = timed._replace(ratings=timed.ratings.withColumn("at", F.lit(dt.datetime(2020, 1, 1))))
    with pytest.raises(JobError, match="set fewer epochs"):
        JOB.run(judged(at_once))
    with pytest.raises(UsageError, match="start in parameters of prequential"):
        JOB.run(judged(timed, start="1"))
    with pytest.raises(UsageError, match="model 'als' has none"):
        JOB.run(judged(timed, model={"name": "als"}))
    with pytest.raises(UsageError, match="unknown key 'regg' in parameters of model hybrid"):
        JOB.run(judged(timed, model={"name": "hybrid", "regg": 1}))
