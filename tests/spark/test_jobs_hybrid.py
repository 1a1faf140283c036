"""The blend's lists: those of a Spark job are those that are made from its exported file, one person at a time; and its weights are chosen, not seen."""

import datetime as dt

import planted
import pytest
from pyspark.sql import functions as F

from core.errors import UsageError
from jobs.engine.blends import Blend
from jobs.engine.events import Event
from jobs.engine.list_files import read
from jobs.engine.lists import Lists
from jobs.engine.personal import Personal
from jobs.modelling.blending import DEFAULT
from jobs.models.hybrid import Hybrid

NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
K = 7
SMALL = {"rank": 4, "iterations": 4, "near": 2}


@pytest.fixture(scope="module")
def fitted(tables, tmp_path_factory):
    """The scorer, and two folders of its files: with the histories, and for a set whose histories are events."""
    scorer = Hybrid(**SMALL, blend="0:0/0/1 1:0.5/0.4/0.1").fit(tables)
    folders = [tmp_path_factory.mktemp(name) for name in ("with_histories", "of_events")]
    for folder, of_events in zip(folders, (False, True), strict=True):
        scorer.write(tables, folder, "planted", of_events=of_events)
    yield scorer, *folders
    scorer.release()


def by_spark(scorer, tables):
    seen = tables.ratings.select("user", "item")
    rows = scorer.recommend(tables.users.select("user"), K, seen).collect()
    return {str(row["user"]): list(zip(map(str, row["items"]), row["scores"], strict=True)) for row in rows}


def as_list(found):
    return [(entry.item, entry.score) for entry in found.entries]


def test_one_list_at_a_time_is_that_of_the_job_to_the_last_bit(fitted, tables):
    scorer, with_histories, of_events = fitted
    wanted = by_spark(scorer, tables)
    assert len(wanted) == planted.USERS
    filed = read(with_histories)
    alone = Personal(Lists(filed.known), filed.items, filed.users, filed.histories)
    said = read(of_events)
    assert said.users == []
    from_events = Personal(Lists(said.known), said.items)
    events = {}
    for row in tables.ratings.collect():
        at = row["at"].astimezone(dt.UTC)
        event = Event(at, f"{row['user']}-{row['item']}", "rating", str(row["item"]), row["rating"], None)
        events.setdefault(str(row["user"]), []).append(event)
    for user, entries in wanted.items():
        assert as_list(alone.recommend(user, [], NOW, K)) == entries
        assert as_list(from_events.recommend(user, events.get(user, []), NOW, K)) == entries


def test_a_stranger_gets_what_is_popular_and_a_cold_item_a_score(fitted, tables):
    scorer, with_histories, _ = fitted
    counts = dict(tables.ratings.groupBy("item").count().collect())
    popular = sorted(counts, key=lambda item: (-counts[item], item))[:K]
    filed = read(with_histories)
    personal = Personal(Lists(filed.known), filed.items, filed.users, filed.histories)
    found = personal.recommend("nobody", [], NOW, K)
    assert [int(entry.item) for entry in found.entries] == popular
    assert {code for entry in found.entries for code, _, _ in entry.reasons} == {"popular"}
    cold = filed.items.index("3")
    assert not filed.known.fitted[cold]
    assert filed.known.popularity[cold] == 0
    (row,) = scorer.score(
        tables.ratings.sparkSession.createDataFrame([(1, 3)], "user int, item int")
    ).collect()
    assert row["prediction"] is not None


def test_without_descriptions_lists_are_of_factors_and_popularity(tables, tmp_path):
    bare = tables.items.select("item", "key")
    for name in ("title", "text", "year", "genres", "people", "tags", "features"):
        bare = bare.withColumn(name, F.lit(None).cast(tables.items.schema[name].dataType))
    described = tables._replace(items=bare)
    scorer = Hybrid(**SMALL, blend="0:0/0/1 1:0.5/0.4/0.1").fit(described)
    assert len(by_spark(scorer, described)) == planted.USERS
    scorer.write(described, tmp_path, "planted", of_events=False)
    filed = read(tmp_path)
    personal = Personal(Lists(filed.known), filed.items, filed.users, filed.histories)
    found = personal.recommend("1", [], NOW, K)
    assert as_list(found) == by_spark(scorer, described)["1"]
    assert {code for entry in found.entries for code, _, _ in entry.reasons} <= {
        "liked",
        "watched",
        "popular",
    }
    scorer.release()


def test_weights_are_chosen_by_what_was_kept_from_training(spark, tables):
    parts = planted.parts(spark)
    train = tables._replace(ratings=parts.train.persist())
    model = Hybrid(**SMALL)
    chosen = model.tuned(train, parts.test, 4.0, 10)
    blend = Blend.parse(chosen.blend)
    assert [band.least for band in blend.bands] == [0, 1, 5, 20]
    assert blend != DEFAULT
    assert chosen.tuned(train, parts.test, 4.0, 10) is chosen, "weights that are given stay"
    few = parts.test.where("user = 1")
    assert Blend.parse(model.tuned(train, few, 4.0, 10).blend) == DEFAULT
    train.ratings.unpersist()


@pytest.mark.parametrize(
    "wrong", [{"blend": "5:1/0/0"}, {"blend": "1/2/3"}, {"near": -1}, {"watched": -1.0}, {"text": -1.0}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError):
        Hybrid(**wrong)
