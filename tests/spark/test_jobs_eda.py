"""Exploring planted data whose aggregates are known by hand: six ratings, four items, tags, genres and features."""

import json
import math

import pytest

from core.errors import JobError, UsageError
from datasets.source import ITEMS
from jobs.apps.eda import JOB
from jobs.prepare import explore, stored
from jobs.prepare.build import statistics
from jobs.prepare.stored import RATINGS

# item 0: 1, 3, 5 stars; item 1: 4, 2; item 2: 5; item 3: nobody rated it
ROWS = [(0, 0, 1.0), (1, 0, 3.0), (2, 0, 5.0), (0, 1, 4.0), (1, 1, 2.0), (2, 2, 5.0)]
CATALOGUE = [
    (0, 1994, ["Drama", "Comedy"], {"dark": 2, "slow": 1}, {"tempo": 100.0, "key": 1.0}),
    (1, 1999, ["Drama"], {"dark": 1}, {"tempo": 200.0, "key": 1.0}),
    (2, 2001, [], None, {"tempo": float("nan")}),
    (3, None, None, {"dark": 4}, None),
]
DATASET = "movielens/latest-small"


def catalogue(spark, rows=CATALOGUE):
    described = [(item, f"key{item}", None, None, year, genres, None, tags, features)
                 for item, year, genres, tags, features in rows]  # fmt: skip
    schema = "item int, key string, title string, text string, " + ", ".join(
        f"{field.name} {field.dataType.simpleString()}"
        for field in ITEMS
        if field.name not in ("item", "title", "text")
    )
    return spark.createDataFrame(described, schema)


def fill(context, spark, rows=ROWS, items=CATALOGUE):
    """Leave in the store what preprocessing would."""
    ratings = spark.createDataFrame([(*row, None, None) for row in rows], RATINGS)
    users = spark.createDataFrame([(user, f"key{user}") for user in range(3)], "user int, key string")
    tables = {
        "ratings": ratings, "users": users, "items": catalogue(spark, items),
        "user_stats": statistics(ratings, "user"), "item_stats": statistics(ratings, "item"),
    }  # fmt: skip
    versions = {name: context.store.write(name, frame.coalesce(1)) for name, frame in tables.items()}
    facts = {"dataset": DATASET, "dataset_options": "{}", "data_digest": "d", "scale": ""}
    stored.finish(context.store, spark, facts, versions)
    return context


@pytest.fixture
def explored(context, spark):
    made = fill(context("eda", {}, dataset=DATASET), spark)
    result = JOB.run(made)
    assert [time.phase for time in made.phases.times] == ["interactions", "catalogue"]
    return result, json.loads(result.info["aggregates"])


def test_planted_data_is_described_as_counted_by_hand(explored):
    result, found = explored
    assert result.counts == {"items": 4, "rows": 6, "users": 3}
    ratings = found["ratings"]
    assert (ratings["n"], ratings["low"], ratings["high"]) == (6, 1.0, 5.0)
    assert ratings["mean"] == pytest.approx(20 / 6)
    assert ratings["values"] == [[1.0, 1.0, 1], [2.0, 2.0, 1], [3.0, 3.0, 1], [4.0, 4.0, 1], [5.0, 5.0, 2]]
    users, items = found["users"], found["items"]
    assert (users["count"], users["least"], users["median"], users["most"]) == (3, 2, 2, 2)
    assert users["bins"] == [
        {"bin": 2, "n": 3, "mean": pytest.approx((2.5 + 2.5 + 5) / 3), "quantiles": [2.5, 2.5, 5.0]}
    ]
    assert [(row["bin"], row["n"], row["mean"]) for row in items["bins"]] == [(1, 1, 5.0), (2, 2, 3.0)]
    assert found["intervals"] == [
        {"items": 4, "ratings": 6, "unrated": 1},
        *[{"items": 0, "ratings": 0, "unrated": 0}] * 3,
    ]
    tags = found["tags"]
    assert (tags["items"], tags["uses"]) == (3, 8)
    assert tags["histogram"] == [[0, 1], [1, 1], [2, 1], [3, 1]]
    assert [(row["bin"], row["mean"]) for row in tags["averages"]] == [(0, 5.0), (1, 3.0), (2, 3.0)]
    assert tags["top"] == [["dark", 7], ["slow", 1]]
    assert found["genres"] == {
        "without": 2, "others": 0, "top": [["Drama", 2, 5, 3.0], ["Comedy", 1, 3, 3.0]]
    }  # fmt: skip
    assert found["decades"] == [[1990, 2], [2000, 1]]
    tempo, key = found["features"]["each"]["tempo"], found["features"]["each"]["key"]
    assert (tempo["n"], tempo["mean"], tempo["low"], tempo["high"]) == (2, 150.0, 100.0, 200.0)
    assert (tempo["counts"][0], tempo["counts"][-1], sum(tempo["counts"])) == (1, 1, 2)
    assert key["counts"][0] == 2  # a feature that is the same for all has one bin


def test_what_the_data_has_not_is_absent(context, spark):
    bare = [(item, None, None, None, None) for item in range(4)]
    rows = [(user, item, None) for user, item, _ in ROWS]
    result = JOB.run(fill(context("eda", {}, dataset=DATASET), spark, rows, bare))
    found = json.loads(result.info["aggregates"])
    assert [name for name, value in found.items() if value is None] == [
        "ratings", "genres", "decades", "tags", "features"
    ]  # fmt: skip
    assert found["items"]["bins"][0] == {"bin": 1, "n": 1, "mean": None, "quantiles": None}


def test_items_without_ratings_are_read_from_their_source(context, tmp_path):
    from datasets.dataset import find  # noqa: PLC0415 - one test needs it

    path = find("spotify/tracks").source.sample("tracks", tmp_path / "data")
    made = context("eda", {}, dataset="spotify/tracks", dataset_path=str(path))
    result = JOB.run(made)
    found = json.loads(result.info["aggregates"])
    assert result.counts["items"] > 0
    assert "ratings" not in found
    assert "danceability" in found["features"]["each"]
    assert found["decades"]
    assert [time.phase for time in made.phases.times] == ["catalogue"]


def test_data_that_was_not_prepared_says_what_to_do(context):
    with pytest.raises(JobError, match="make preprocess"):
        JOB.run(context("eda", {}, dataset=DATASET))
    with pytest.raises(UsageError, match="unknown"):
        JOB.run(context("eda", {"depth": 3}, dataset=DATASET))


def test_bins_and_intervals_hold_every_count_once(spark):
    counts = sorted({0, 1, 49, 50, 51, 99, 100, 200, 201, *(2**k + d for k in range(1, 40) for d in (-1, 0))})
    rows = spark.createDataFrame([(n,) for n in counts], "n long")
    found = rows.select(
        "n", explore.log_bin(rows.n).alias("bin"), explore.interval(rows.n).alias("at")
    ).collect()
    for row in found:
        least, most = explore.bin_range(row["bin"])
        assert least <= row["n"] <= most
        low, high = explore.INTERVALS[row["at"]]
        assert low <= row["n"] <= (math.inf if high is None else high)


def test_many_different_ratings_are_put_into_equal_parts_of_the_scale(spark):
    found = explore.ratings(spark.range(301).selectExpr("cast(id / 100 as float) as rating"))
    assert len(found["values"]) == explore.BINS
    assert sum(count for _, _, count in found["values"]) == 301
    assert found["values"][0][:2] == [0.0, pytest.approx(0.1)]
    assert found["values"][-1][1] == pytest.approx(3.0)
