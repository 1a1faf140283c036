"""Models against what can be computed by hand, and what ALS does with rows that it cannot know."""

import numpy as np
import planted
import pytest

from core.errors import JobError
from jobs.modelling.baseline import fit_bias
from jobs.modelling.preflight import check_als
from jobs.models.als import Als
from jobs.models.bias import Bias
from jobs.models.popularity import Popularity
from jobs.prepare.stored import RATINGS, Tables


def small(**changes):
    return Als(**{"rank": 4, "iterations": 5, "blocks": 2, **changes})


def test_bias_is_what_numpy_computes(spark):
    user, item, rating = (np.array(column) for column in list(zip(*planted.rows(), strict=True))[:3])
    mean = rating.mean()
    item_bias = np.zeros(planted.ITEMS)
    user_bias = np.zeros(planted.USERS)
    for i in range(planted.ITEMS):
        rest = rating[item == i] - mean
        item_bias[i] = rest.sum() / (len(rest) + 3.0)
    for u in range(planted.USERS):
        rest = (rating - mean - item_bias[item])[user == u]
        user_bias[u] = rest.sum() / (len(rest) + 7.0)
    fit = fit_bias(planted.tables(spark).ratings, 7.0, 3.0)
    pairs = spark.createDataFrame([(3, 4), (3, 999), (999, 4), (999, 999)], "user int, item int")
    found = {(row[0], row[1]): row[2] for row in fit.predict(pairs).collect()}
    assert found[3, 4] == pytest.approx(mean + user_bias[3] + item_bias[4], abs=1e-5)
    assert found[3, 999] == pytest.approx(mean + user_bias[3], abs=1e-5)
    assert found[999, 4] == pytest.approx(mean + item_bias[4], abs=1e-5)
    assert found[999, 999] == pytest.approx(mean, abs=1e-5)
    assert (fit.low, fit.high) == (0.5, 5.0)


def test_bias_without_ratings_is_an_error(spark):
    frame = spark.createDataFrame([(0, 0, None, None, None)], RATINGS)
    with pytest.raises(JobError, match="als_implicit"):
        fit_bias(frame, 1.0, 1.0)


def test_cold_rows_of_als_fall_back_to_the_bias_baseline(spark):
    tables = planted.tables(spark)
    warm = tables._replace(ratings=tables.ratings.where("user <> 1 and item <> 2"))
    model = small(clip=False)
    pairs = spark.createDataFrame([(1, 3), (3, 2), (1, 2), (3, 3)], "user int, item int")
    scorer = model.fit(warm)
    found = {(row[0], row[1]): row[2] for row in scorer.score(pairs).collect()}
    baseline = fit_bias(warm.ratings, model.reg_user, model.reg_item).predict(pairs)
    expected = {(row[0], row[1]): row[2] for row in baseline.collect()}
    for pair in ((1, 3), (3, 2), (1, 2)):
        assert found[pair] == pytest.approx(expected[pair], abs=1e-5)
    assert abs(found[3, 3] - expected[3, 3]) > 1e-4
    scorer.release()


def test_als_clips_to_the_ratings_of_training(spark):
    tables = planted.tables(spark)
    inner = tables._replace(ratings=tables.ratings.where("rating between 2 and 4"))
    pairs = tables.ratings.select("user", "item")
    for clip in (True, False):
        scorer = small(clip=clip, reg=0.01).fit(inner)
        values = [row["prediction"] for row in scorer.score(pairs).collect()]
        assert (min(values) >= 2.0 and max(values) <= 4.0) is clip
        scorer.release()


def test_als_on_residuals_ranks_as_it_scores(spark):
    tables = planted.tables(spark)
    scorer = small(on_residuals=True, clip=False).fit(tables)
    (row,) = scorer.recommend(spark.createDataFrame([(7,)], "user int"), 50, None).collect()
    pairs = spark.createDataFrame([(7, item) for item in row["items"]], "user int, item int")
    found = {pair["item"]: pair["prediction"] for pair in scorer.score(pairs).collect()}
    assert row["scores"] == pytest.approx([found[item] for item in row["items"]], abs=1e-4)
    scorer.release()


def test_popularity_counts(spark):
    rows = [
        (0, 5, 1.0, None, None),
        (1, 5, None, None, None),
        (1, 4, 2.0, None, None),
        (2, 3, 2.0, None, None),
    ]
    ratings = spark.createDataFrame(rows, RATINGS)
    users = spark.createDataFrame([(0,), (1,), (9,)], "user int")
    scorer = Popularity().fit(Tables(ratings, None, None))
    found = {
        row["user"]: row["items"]
        for row in scorer.recommend(users, 2, ratings.select("user", "item")).collect()
    }
    assert found == {0: [3, 4], 1: [3], 9: [5, 3]}
    scorer.release()


def test_bias_knows_every_user(spark):
    tables = planted.tables(spark)
    scorer = Bias().fit(tables)
    rows = scorer.recommend(spark.createDataFrame([(5,), (12345,)], "user int"), 3, None).collect()
    assert sorted(row["user"] for row in rows) == [5, 12345]
    assert rows[0]["items"] == rows[1]["items"]
    scorer.release()


def with_rows(spark, rows):
    tables = planted.tables(spark)
    return tables._replace(ratings=tables.ratings.unionByName(spark.createDataFrame(rows, RATINGS)))


def test_preflight_lets_good_tables_through(spark):
    small().preflight(planted.tables(spark))


def test_preflight_refuses_what_als_would_get_wrong(spark):
    tables = planted.tables(spark)
    user, item = planted.rows()[0][:2]
    with pytest.raises(JobError, match=f"user {user} and item {item} have 2 ratings"):
        check_als(with_rows(spark, [(user, item, 1.0, None, None)]), 4, 2)
    with pytest.raises(JobError, match="ids are not dense"):
        check_als(with_rows(spark, [(planted.USERS, 0, 1.0, None, None)]), 4, 2)
    with pytest.raises(JobError, match="ids are not dense: users -3"):
        check_als(with_rows(spark, [(-3, 0, 1.0, None, None)]), 4, 2)
    with pytest.raises(JobError, match="int32 ids"):
        check_als(
            tables._replace(ratings=tables.ratings.withColumn("user", tables.ratings["user"].cast("long"))),
            4,
            2,
        )
    with pytest.raises(JobError, match=r"rank 100000000 needs about .* MiB .* lower the rank"):
        check_als(tables, 100_000_000, 2)
    with pytest.raises(JobError, match=r"^1 of .* no rating.*use als_implicit"):
        small().preflight(with_rows(spark, [(0, 0, None, None, None)]))


def test_preflight_needs_a_checkpoint_directory(spark):
    context = spark.sparkContext._jsc.sc()
    kept = context.getCheckpointDir().get()
    field = context.getClass().getDeclaredField("checkpointDir")
    field.setAccessible(True)
    field.set(context, spark._jvm.scala.Option.empty())
    try:
        with pytest.raises(JobError, match="no checkpoint directory"):
            check_als(planted.tables(spark), 4, 2)
    finally:
        spark.sparkContext.setCheckpointDir(kept)
