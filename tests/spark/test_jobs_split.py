"""Splits hold every row once, and depend on the rows alone."""

from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from jobs.prepare.split import split
from jobs.prepare.stored import RATINGS


def ratings(spark, partitions=3, users=30, items=20, at=lambda u, i: u * 7 % 11 + i):
    rows = [
        (u, i, float(1 + (u + i) % 5), datetime.fromtimestamp(at(u, i), UTC), fold(u, i))
        for u in range(users)
        for i in range(items)
        if (u * 31 + i * 17) % 3 or i == 0
    ]
    return spark.createDataFrame(rows, RATINGS).repartition(partitions)


def fold(u, i):
    return f"u1:{'test' if i % 5 == 0 else 'base'}|u2:{'test' if i % 5 == 1 else 'base'}"


def pairs(frame):
    return sorted((row["user"], row["item"]) for row in frame.select("user", "item").collect())


def cut(frame, kind, **changes):
    return split(frame, kind, **{"test": 0.2, "seed": 3, "n": 2, "fold": "u1", **changes})


@pytest.mark.parametrize("kind", ["random", "leave_last", "time", "fold", "cold_items", "cold_users"])
def test_every_row_is_in_one_part_and_the_parts_are_stable(spark, kind):
    frame = ratings(spark)
    train, test = (pairs(part) for part in cut(frame, kind))
    assert sorted(train + test) == pairs(frame)
    assert not set(train) & set(test)
    again = cut(ratings(spark, partitions=7).orderBy("rating"), kind)
    assert (pairs(again.train), pairs(again.test)) == (train, test)
    assert again.train.columns == RATINGS.fieldNames()


def test_random_takes_its_share_and_follows_the_seed(spark):
    frame = ratings(spark, users=100, items=60)
    share = cut(frame, "random").test.count() / frame.count()
    assert share == pytest.approx(0.2, abs=0.02)
    assert pairs(cut(frame, "random").test) != pairs(cut(frame, "random", seed=4).test)


@pytest.mark.parametrize(("kind", "side", "other"), [("cold_items", 1, 0), ("cold_users", 0, 1)])
def test_cold_sides_are_in_one_part_whole(spark, kind, side, other):
    frame = ratings(spark, users=100, items=60)
    train, test = (pairs(part) for part in cut(frame, kind))
    cold = {pair[side] for pair in test}
    assert not cold & {pair[side] for pair in train}
    assert len(cold) / len({pair[side] for pair in train + test}) == pytest.approx(0.2, abs=0.1)
    assert {pair[other] for pair in test} <= {pair[other] for pair in train}
    assert pairs(cut(frame, kind, seed=4).test) != test


def test_leave_last_breaks_ties_by_item_and_leaves_small_users_alone(spark):
    now = datetime.fromtimestamp(5, UTC)
    rows = [(0, i, 3.0, now, None) for i in range(5)] + [(1, 0, 3.0, now, None), (1, 1, 3.0, now, None)]
    test = cut(spark.createDataFrame(rows, RATINGS), "leave_last").test
    assert pairs(test) == [(0, 3), (0, 4)]


def test_time_takes_exactly_the_latest_rows(spark):
    frame = ratings(spark)
    rows = sorted((row["at"], row["user"], row["item"]) for row in frame.collect())
    wanted = -(-len(rows) // 5)
    assert pairs(cut(frame, "time").test) == sorted((user, item) for _, user, item in rows[-wanted:])


def test_time_with_one_time_for_all_rows(spark):
    frame = ratings(spark, at=lambda _u, _i: 1_234_567_890)
    assert cut(frame, "time").test.count() == -(-frame.count() // 5)


def test_fold_takes_the_publishers_rows(spark):
    assert {item % 5 for _, item in pairs(cut(ratings(spark), "fold", fold="u2").test)} == {1}


def test_a_fold_may_be_named_alone(spark):
    frame = ratings(spark).withColumn("fold", F.concat(F.lit("u"), F.col("item") % 5))
    assert {item % 5 for _, item in pairs(cut(frame, "fold", fold="u2").test)} == {2}


def test_wrong_arguments(spark):
    frame = ratings(spark)
    with pytest.raises(UsageError, match="did you mean 'random'"):
        cut(frame, "randon")
    with pytest.raises(UsageError, match="did you mean 'u1'"):
        cut(frame, "fold", fold="u11")
    for kind in ("random", "cold_items"):
        with pytest.raises(UsageError, match="between 0 and 1"):
            cut(frame, kind, test=1.0)


def test_an_empty_part_is_an_error(spark):
    few = ratings(spark, users=1, items=1)
    with pytest.raises(JobError, match="no row in the test part"):
        cut(few, "random", test=1e-9)
    with pytest.raises(JobError, match="no row in the test part"):
        cut(few, "leave_last")
    with pytest.raises(JobError, match="no row in the train part"):
        cut(few, "time")


def test_data_without_times_or_folds(spark):
    frame = spark.createDataFrame([(0, 0, 1.0, None, None), (0, 1, 1.0, None, None)], RATINGS)
    for kind in ("time", "leave_last"):
        with pytest.raises(JobError, match="split=random"):
            cut(frame, kind)
    with pytest.raises(JobError, match=r"split=fold.*split=random"):
        cut(frame, "fold")
