"""The train job on a few planted rows: what it refuses, what it warns of, and which rows it takes for relevant."""

import pytest

from core.errors import JobError
from jobs.apps.train import JOB
from jobs.modelling.implicit_confidence import strength, strength_of
from jobs.prepare import stored
from jobs.prepare.stored import RATINGS

USERS, ITEMS = 12, 10
SMALL = {"rank": "2", "iterations": "2", "blocks": "2"}
JUDGED = {"test": "0.3", "k": "3", "top_n": "3"}


def given(context, spark, rating, model, fields=SMALL, **params):
    """A context whose store holds what preprocessing leaves of planted ratings: rating(user, item)."""
    rows = [
        (user, item, rating(user, item), None, None)
        for user in range(USERS)
        for item in range(ITEMS)
        if (user + item) % 4
    ]
    made = context("train", {**JUDGED, **params}, model={"name": model, **fields})
    tables = {
        "ratings": spark.createDataFrame(rows, RATINGS).repartition(2),
        "users": spark.range(USERS).selectExpr("int(id) user", "string(id) key"),
        "items": spark.range(ITEMS).selectExpr("int(id) item", "string(id) key"),
    }
    values = [row[2] for row in rows if row[2] is not None]
    scale = f"{min(values)},{max(values)},0.0" if values else ""
    versions = {name: made.store.write(name, frame.coalesce(1)) for name, frame in tables.items()}
    facts = {
        "dataset": "movielens/100k", "dataset_options": "{}", "data_digest": "d", "scale": scale,
        "n_users": str(USERS), "n_items": str(ITEMS),
    }  # fmt: skip
    stored.finish(made.store, spark, facts, versions)
    return made


def counts(user, item):
    return 800.0 if (user * 7 + item) % 29 == 1 else 1.0 + (user + item) % 3


def test_ratings_without_a_preference_are_refused_by_every_model_of_preferences(spark, context):
    for model, more in (
        ("als_implicit", {}),
        ("als_implicit", {"select": '{"rank": [2, 3]}'}),
        ("implicit_single", {}),
    ):
        alone = model == "implicit_single"
        fields = {key: value for key, value in SMALL.items() if not (alone and key == "blocks")}
        made = given(context, spark, lambda user, item: -1.0 - (user + item) % 5, model, fields, **more)
        with pytest.raises(
            JobError, match="no rating of the training part is above 0: they go from -5 to -1"
        ):
            JOB.run(made)
        assert made.phases.times == []


def test_a_dislike_beside_preferences_is_fitted(spark, context):
    made = given(context, spark, lambda user, item: 1.0 if (user + item) % 3 else -1.0, "als_implicit")
    assert JOB.run(made).metrics["coverage"] > 0


def test_counts_are_all_relevant_and_a_model_of_ratings_is_warned(spark, context):
    made = given(context, spark, counts, "als")
    result = JOB.run(made)
    assert any("als_implicit" in text and "from 1 to 800" in text for text in made.warnings)
    assert result.info["relevant"] == "every row"
    assert result.counts["ranked_users"] > 0
    assert result.metrics["rmse"] > 0


def test_the_logarithm_of_counts_makes_another_model(spark, context):
    lists = []
    for confidence in ("linear", "log"):
        made = given(context, spark, counts, "als_implicit", {**SMALL, "confidence": confidence})
        result = JOB.run(made)
        assert made.warnings == []
        lists.append(result.fingerprint)
    assert lists[0] != pytest.approx(lists[1], abs=1e-3)


def test_rankings_follow_the_scale_and_a_threshold_above_it_is_warned_of(spark, context):
    def zero_or_one(user, item):
        return float((user + item) % 2)

    result = JOB.run(given(context, spark, zero_or_one, "als"))
    assert (result.info["relevant"], result.counts["ranked_users"] > 0) == ("0.75", True)
    assert "ndcg_at_3" in result.metrics
    made = given(context, spark, zero_or_one, "als", relevant="4")
    result = JOB.run(made)
    assert "ndcg_at_3" not in result.metrics
    assert any("at least 4" in text for text in made.warnings)


def test_spark_and_numpy_take_the_same_confidence(spark):
    ratings = [0.25, 1.0, 900.0, 0.0, -3.0]
    frame = spark.createDataFrame([(value,) for value in [*ratings, None]], "rating float").coalesce(1)
    for kind in ("linear", "log"):
        found = [row[0] for row in frame.select(strength(frame["rating"], kind, 0.5)).collect()]
        assert found == pytest.approx([float(x) for x in strength_of([*ratings, 1.0], kind, 0.5)], rel=1e-6)
