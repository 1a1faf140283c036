"""Models of one thread against MLlib's: the same half-step, the same quality, the same answers at the edges."""

import math

import numpy as np
import planted
import pytest

from core.errors import JobError
from jobs.engine.factorise import half_step
from jobs.modelling import fetching
from jobs.modelling.baseline import fit_bias
from jobs.modelling.fetching import arranged, check_driver, fetch
from jobs.modelling.mllib import AlsSettings, fit_als
from jobs.models.als import Als
from jobs.models.als_single import AlsSingle
from jobs.models.implicit_single import ImplicitSingle
from jobs.prepare.stored import RATINGS


def rmse(scorer, test):
    truth = {(row["user"], row["item"]): row["rating"] for row in test.collect()}
    rows = scorer.score(test.select("user", "item")).collect()
    return math.sqrt(np.mean([(row["prediction"] - truth[row["user"], row["item"]]) ** 2 for row in rows]))


def test_a_half_step_from_mllibs_item_factors_gives_mllibs_user_factors(spark):
    ratings = planted.tables(spark).ratings
    fitted = fit_als(ratings, AlsSettings(6, 1, 0.08, 2, 1, 5, implicit=False))
    items, users = (
        {row["id"]: row["features"] for row in frame.collect()} for frame in (fitted.items, fitted.users)
    )
    fitted.release()
    by_user = arranged(*fetch(ratings)).by_user
    other = np.array([items[number] for number in range(planted.ITEMS)], dtype=np.float32)
    expected = np.array([users[number] for number in range(planted.USERS)])
    np.testing.assert_allclose(half_step(by_user, other, 0.08), expected, atol=2e-5)


def test_quality_is_that_of_als(spark):
    parts = planted.parts(spark)
    train, test = parts.train.persist(), parts.test.persist()
    tables = planted.tables(spark)._replace(ratings=train)
    same = {"rank": 3, "iterations": 10, "reg": 0.05}
    theirs, ours = Als(**same, blocks=2).fit(tables), AlsSingle(**same).fit(tables)
    assert rmse(ours, test) == pytest.approx(rmse(theirs, test), abs=0.005)
    metrics, _ = ours.describe()
    assert metrics["single_threads"] < 1.1
    assert metrics["single_solve_gflops"] > 0
    theirs.release()
    train.unpersist()
    test.unpersist()


def test_unknown_users_and_items_get_the_bias_baseline(spark):
    tables = planted.tables(spark)
    warm = tables._replace(ratings=tables.ratings.where("user <> 1 and item <> 2 and user <> 79"))
    model = AlsSingle(rank=4, iterations=2, clip=False)
    pairs = spark.createDataFrame([(1, 3), (3, 2), (1, 2), (3, 3), (79, 3), (500, 600)], "user int, item int")
    scorer = model.fit(warm)
    found = {(row[0], row[1]): row[2] for row in scorer.score(pairs).collect()}
    baseline = fit_bias(warm.ratings, model.reg_user, model.reg_item).predict(pairs)
    expected = {(row[0], row[1]): row[2] for row in baseline.collect()}
    for pair in ((1, 3), (3, 2), (1, 2), (79, 3), (500, 600)):
        assert found[pair] == pytest.approx(expected[pair], abs=1e-5)
    assert abs(found[3, 3] - expected[3, 3]) > 1e-4


def test_predictions_are_clipped_to_the_ratings_of_training(spark):
    tables = planted.tables(spark)
    inner = tables._replace(ratings=tables.ratings.where("rating between 2 and 4"))
    pairs = tables.ratings.select("user", "item").persist()
    for clip in (True, False):
        scored = AlsSingle(rank=4, iterations=3, reg=0.01, clip=clip).fit(inner).score(pairs)
        values = [row["prediction"] for row in scored.collect()]
        assert (min(values) >= 2.0 and max(values) <= 4.0) is clip
    pairs.unpersist()


def test_an_unknown_side_has_no_preference_and_no_list(spark):
    ratings = spark.createDataFrame(
        [(0, 5, 1.0, None, None), (2, 5, None, None, None), (2, 3, 2.0, None, None)], RATINGS
    )
    scorer = ImplicitSingle(rank=2, iterations=2).fit(planted.tables(spark)._replace(ratings=ratings))
    pairs = spark.createDataFrame([(1, 5), (0, 4), (0, 3)], "user int, item int")
    found = {(row[0], row[1]): row[2] for row in scorer.score(pairs).collect()}
    assert found[1, 5] is None
    assert found[0, 4] is None
    assert math.isfinite(found[0, 3])
    users = spark.createDataFrame([(2,), (1,), (0,)], "user int")
    lists = {
        row["user"]: row["items"]
        for row in scorer.recommend(users, 3, ratings.select("user", "item")).collect()
    }
    assert lists == {0: [3], 2: []}


def test_ratings_that_do_not_fit_in_the_driver_are_refused(spark, monkeypatch):
    with pytest.raises(JobError, match=r"als_single .* 10,000,000,000 ratings .* MiB.*\(als, "):
        check_driver(spark, 10**10, 0, "als_single")
    monkeypatch.setattr(fetching, "ENTRY_BYTES", 0)
    with pytest.raises(JobError, match=r"raise spark\.driver\.maxResultSize"):
        check_driver(spark, 10**8, 0, "als_single")
    with pytest.raises(JobError, match=r"driver's heap .*spark\.driver_memory=\d+g"):
        check_driver(spark, 6 * 10**7, 0, "als_single")


def test_each_model_looks_whether_its_ratings_fit(spark, monkeypatch):
    monkeypatch.setattr(fetching, "ENTRY_BYTES", 10**12)
    for name, model in (("als_single", AlsSingle()), ("implicit_single", ImplicitSingle())):
        with pytest.raises(JobError, match=f"{name} fetches all"):
            model.preflight(planted.tables(spark))


def test_what_als_refuses_is_refused(spark):
    tables = planted.tables(spark)
    null = tables.ratings.unionByName(spark.createDataFrame([(0, 0, None, None, None)], RATINGS))
    with pytest.raises(JobError, match="use implicit_single"):
        AlsSingle().preflight(tables._replace(ratings=null))
    twice = tables._replace(ratings=tables.ratings.unionByName(tables.ratings.limit(1)))
    with pytest.raises(JobError, match="have 2 ratings"):
        ImplicitSingle().preflight(twice)
    with pytest.raises(JobError, match=r"raise the regularisation \(reg\) or lower the rank"):
        AlsSingle(rank=60, reg=0.0, iterations=2).fit(tables)
    with pytest.raises(JobError, match="training part"):
        AlsSingle().fit(tables._replace(ratings=tables.ratings.limit(0)))
