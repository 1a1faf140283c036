"""Content models in Spark: what they take from a catalogue, and predictions and rankings against dense matrices."""

import json
import math

import numpy as np
import pytest

from core.errors import JobError, UsageError
from datasets.source import ITEMS
from jobs.apps.train import JOB
from jobs.engine.clusters import cluster
from jobs.modelling.similar import SIMILAR, SimilarItems
from jobs.modelling.terms import catalogue
from jobs.models.content import Content
from jobs.models.content_kmeans import ContentKmeans
from jobs.prepare import stored
from jobs.prepare.stored import RATINGS, Tables

COLUMNS = "item int, key string, " + ", ".join(
    f"{field.name} {field.dataType.simpleString()}" for field in ITEMS if field.name != "item"
)
# item, title, text, year, genres, people, tags, features
MOVIES = [
    (0, "The Night Train (1981)", None, 1981, ["Drama"], ["Ann Lee"], None, None),
    (1, "Night Train Again (1985)", None, 1985, ["Drama", "War"], ["Ann Lee"], {"slow": 3}, None),
    (2, "Ночной поезд", "тихий поезд 夜", 1990, ["Drama"], None, {"Slow": 1, "night": 2}, {"tempo": 90.0}),
    (3, "Laughing Ducks", None, 1999, ["Comedy"], ["Bo"], None, {"tempo": 120.0}),
    (4, "Ducks Laughing Again", "ducks ducks", 2001, ["Comedy"], ["Bo"], None, {"tempo": 125.0}),
    (5, None, None, None, None, None, None, None),
    (6, "Поезд смеётся", None, 1999, ["Comedy"], [], {}, {"tempo": float("nan")}),
    (7, "War Ducks", None, 1983, ["War", "Comedy"], None, None, None),
    (8, "Night of the Train", None, 1982, ["Drama", "War"], ["Ann Lee"], None, None),  # nobody rates it
    (9, "夜", None, None, None, None, None, {"tempo": 91.0}),  # nor this
]
RATED = 8


def items(spark, rows=MOVIES, partitions=3):
    return spark.createDataFrame([(row[0], f"k{row[0]}", *row[1:]) for row in rows], COLUMNS).repartition(
        partitions
    )


def ratings(rated=True, seed=3):
    rng = np.random.default_rng(seed)
    return [
        (user, item, float(rng.integers(1, 6)) if rated else None, None, None)
        for user in range(12)
        for item in range(RATED)
        if rng.random() < 0.6
    ]


def tables(spark, rows=None, movies=MOVIES, partitions=3):
    frame = spark.createDataFrame(ratings() if rows is None else rows, RATINGS).repartition(partitions)
    users = spark.range(14).selectExpr("int(id) user", "string(id) key")
    return Tables(frame, items(spark, movies, partitions), users)


MODEL = Content(neighbours=4, sharpness=2.0, damping=0.5, clip=False, blocks=3)


def scores(scorer, spark, users=range(13), wanted=range(10)):
    pairs = spark.createDataFrame([(user, item) for user in users for item in wanted], "user int, item int")
    frame = scorer.score(pairs.repartition(3))
    assert frame.schema.simpleString() == "struct<user:int,item:int,prediction:float>"
    return {(row.user, row.item): row.prediction for row in frame.collect()}


def recommended(scorer, users, k, seen=None):
    return {row.user: (row["items"], row.scores) for row in scorer.recommend(users, k, seen).collect()}


class Dense:
    """The whole model as matrices over 12 users and 10 items, from the vectors."""

    def __init__(self, vectors, rows, model):
        by_item, by_term = vectors
        matrix = np.zeros((10, len(by_term.indptr) - 1))
        matrix[np.repeat(np.arange(10), np.diff(by_item.indptr)), by_item.indices] = by_item.values
        self.cosine = matrix @ matrix.T
        self.rating = np.full((12, 10), np.nan)
        for user, item, rating, *_ in rows:
            self.rating[user, item] = rating
        mask = ~np.isnan(self.rating)
        self.mask = mask
        self.mean = np.nanmean(self.rating)
        item_bias = np.nansum(self.rating - self.mean, axis=0) / (mask.sum(axis=0) + model.reg_item)
        rest = self.rating - self.mean - item_bias
        self.user_bias = np.nansum(rest, axis=1) / (mask.sum(axis=1) + model.reg_user)
        near = self.cosine * mask.any(axis=0)
        np.fill_diagonal(near, 0)
        near = (
            np.where(near >= np.sort(near, axis=1)[:, [-min(model.neighbours, 10)]], near, 0)
            ** model.sharpness
        )
        support = mask.sum(axis=0)
        guess = near @ (support * item_bias) / (near @ support + model.reg_item)
        residual = np.nan_to_num(self.rating - self.mean - item_bias - self.user_bias[:, None])
        self.item_bias = np.where(mask.any(axis=0), item_bias, guess)
        weight = mask.astype(float) @ near.T
        base = self.mean + self.item_bias + self.user_bias[:, None]
        self.prediction = base + residual @ near.T / (model.damping + weight)
        liked = mask & (self.rating >= np.nanmean(self.rating, axis=1)[:, None])
        profile = liked.astype(float) @ matrix
        self.profile = (profile / np.linalg.norm(profile, axis=1)[:, None]) @ matrix.T


@pytest.fixture(scope="module")
def known(spark):
    return catalogue(items(spark), np.arange(RATED), MODEL.weights, MODEL.min_items, MODEL.knots)


@pytest.fixture(scope="module")
def fitted(spark):
    scorer = MODEL.fit(tables(spark))
    yield scorer
    scorer.release()


CLUSTERED = ContentKmeans(clusters=(2, 3), damping=1.0, clip=False)


@pytest.fixture(scope="module")
def clustered(spark):
    scorer = CLUSTERED.fit(tables(spark))
    yield scorer
    scorer.release()


def test_the_catalogue_gives_words_of_any_script_and_numbers_by_knots(known):
    assert known.ids.tolist() == list(range(10))
    # Words of one item alone, years in titles, empty texts and NaN are no terms; tags are compared without case.
    words = {"word night", "word train", "word поезд", "word again", "word ducks", "word laughing", "word 夜"}
    assert {name for name in known.names if name.startswith("word ")} == words | {"word the"}
    assert {name for name in known.names if name.startswith(("genre", "tag", "person"))} == {
        "genre Drama", "genre War", "genre Comedy", "tag slow", "person Ann Lee", "person Bo",
    }  # fmt: skip
    numbers = {name.partition(" ")[0] for name in known.names} - {"word", "genre", "tag", "person"}
    assert numbers == {"year", "tempo"}
    lengths = np.diff(known.vectors.by_item.indptr)
    assert [item for item in range(10) if lengths[item] == 0] == [5]
    at = known.names.index("word ducks")
    column = known.vectors.by_term
    assert column.indices[column.indptr[at] : column.indptr[at + 1]].tolist() == [3, 4, 7]


def test_predicts_and_ranks_as_a_dense_computation_does(spark, known, fitted):
    data = tables(spark)
    dense = Dense(known.vectors, ratings(), MODEL)
    answer = scores(fitted, spark)
    for user in range(12):
        assert [answer[user, item] for item in range(10)] == pytest.approx(dense.prediction[user], abs=1e-5)
    assert [answer[12, item] for item in range(10)] == pytest.approx(dense.mean + dense.item_bias, abs=1e-5)
    seen = data.ratings.select("user", "item")
    for left_out in (None, seen):
        answer = recommended(fitted, data.users, 10, left_out)
        assert set(answer) == set(range(14))
        for user in range(12):
            line = np.where(dense.mask[user] & (left_out is not None), -np.inf, dense.prediction[user])
            assert sorted(answer[user][0]) == np.nonzero(np.isfinite(line))[0].tolist()
            assert answer[user][1] == pytest.approx(line[answer[user][0]], abs=1e-5)
            assert answer[user][1] == sorted(answer[user][1], reverse=True)


def test_profiles_rank_items_that_nobody_rated(spark, known):
    data = tables(spark)
    scorer = Content(rank_by="profile", blocks=2).fit(data)
    dense = Dense(known.vectors, ratings(), MODEL)
    answer = recommended(scorer, data.users, 10, data.ratings.select("user", "item"))
    for user in range(12):
        found, values = answer[user]
        assert {8, 9} <= set(found)
        assert values == pytest.approx(dense.profile[user][found], abs=1e-5)
        assert values == sorted(values, reverse=True)
    scorer.release()


def test_pairs_of_unknown_users_and_items_have_the_baselines_rating(spark, known, fitted):
    answer = scores(fitted, spark, users=(0, 99), wanted=(999, 5))
    dense = Dense(known.vectors, ratings(), MODEL)
    assert answer[99, 999] == pytest.approx(dense.mean, abs=1e-5)
    assert answer[0, 999] == pytest.approx(dense.mean + dense.user_bias[0], abs=1e-5)


@pytest.mark.parametrize("model", [Content(blocks=2), ContentKmeans(clusters=(3,))])
def test_interactions_without_ratings(spark, known, model):
    rows = ratings(rated=False)
    data = tables(spark, rows)
    scorer = model.fit(data)
    answer = scores(scorer, spark, wanted=(*range(10), 999))
    assert all(answer[user, 999] is None for user in range(13))
    assert all(0 <= answer[user, item] <= 1 + 1e-5 for user in range(13) for item in range(10))
    for user, (found, values) in recommended(scorer, data.users.where("user < 13"), 10).items():
        assert values == pytest.approx([answer[user, item] for item in found], abs=1e-5)
        assert len(found) == 10
    if isinstance(model, Content):
        dense = Dense(known.vectors, [(*row[:2], 1.0) for row in rows], MODEL)
        assert [answer[3, item] for item in range(10)] == pytest.approx(dense.profile[3], abs=1e-5)
    scorer.release()


def test_another_partitioning_gives_the_same_model(spark, fitted, clustered):
    for model, scorer in ((MODEL, fitted), (CLUSTERED, clustered)):
        again = model.fit(tables(spark, partitions=1))
        assert scores(again, spark) == pytest.approx(scores(scorer, spark), abs=1e-5)
        again.release()


def test_similar_items_say_why(known, fitted):
    assert isinstance(fitted, SimilarItems)
    frame = fitted.similar_items(3)
    assert ", ".join(f"{name} {kind}" for name, kind in frame.dtypes) == SIMILAR
    rows = {row.item: row for row in frame.collect()}
    assert set(rows) == set(range(10))
    dense = Dense(known.vectors, ratings(), MODEL)
    for item, row in rows.items():
        line = dense.cosine[item].copy()
        line[item] = 0
        best = np.sort(line)[::-1][:3]
        assert row.scores == pytest.approx(best[best > 0], abs=1e-5)
        assert len(row["items"]) == len(row.reasons) == len(row.scores)
        assert all(row.reasons)
    assert rows[5]["items"] == []
    assert rows[9]["items"] == [2, *rows[9]["items"][1:]]
    assert "word 夜" in rows[9].reasons[0]
    assert "tempo about 9" in rows[9].reasons[0]
    assert "person Ann Lee" in rows[8].reasons[0]


@pytest.mark.parametrize("model", [Content(), ContentKmeans()])
def test_a_catalogue_that_says_nothing_is_refused(spark, model):
    with pytest.raises(JobError, match="the catalogue is empty"):
        model.fit(tables(spark, movies=[]))
    blank = [(item, *[None] * 7) for item in range(RATED)]
    with pytest.raises(JobError, match=r"no 2 of the 8 items .*min_items"):
        model.fit(tables(spark, movies=blank))
    with pytest.raises(JobError, match="training part"):
        model.fit(tables(spark, rows=[]))


def test_refuses_what_would_not_fit(spark, monkeypatch):
    monkeypatch.setattr("jobs.models.content._NEIGHBOUR_BYTES", 1 << 40)
    with pytest.raises(JobError, match=r"content on 10 items with 4 neighbours and \d+ terms needs .* MiB"):
        MODEL.fit(tables(spark))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"text": -1.0}, r"weights .*'text': -1\.0"),
        (
            dict.fromkeys(("text", "genres", "tags", "people", "features"), 0.0),
            r"weights .*above 0.*'features': 0\.0",
        ),
        ({"knots": 1}, r"knots 2 or more.*knots=1"),
    ],
)
def test_options_that_make_no_vectors_are_refused(changes, named):
    for model in (Content, ContentKmeans):
        with pytest.raises(UsageError, match=named):
            model(**changes)


def test_clusters_predict_by_their_mean_residual(spark, known, clustered):
    metrics, texts = clustered.describe()
    assert sum(json.loads(texts["cluster_sizes"])) == 9
    tried = [cluster(known.vectors.by_item, len(known.names), k, seed=1, iterations=20) for k in (2, 3)]
    assert metrics["silhouette"] == pytest.approx(max(one.silhouette for one in tried), abs=1e-6)
    own = clustered.clusters.of_item
    assert own[5] == -1
    dense = Dense(known.vectors, ratings(), MODEL)
    answer = scores(clustered, spark)
    base = dense.mean + dense.item_bias + dense.user_bias[:, None]
    rest = np.nan_to_num(dense.rating - base)
    for user in range(12):
        for item in range(RATED):
            inside = dense.mask[user] & (own == own[item]) & (own >= 0)
            expected = base[user, item] + rest[user][inside].sum() / (1.0 + inside.sum())
            assert answer[user, item] == pytest.approx(expected, abs=1e-5)
    assert all(math.isfinite(answer[user, 8]) for user in range(13))
    with pytest.raises(UsageError, match=r"clusters .*got \(0,\)"):
        ContentKmeans(clusters=(0,))


def stored_tables(context, data):
    facts = {"dataset": "movielens/100k", "dataset_options": "{}", "data_digest": "d", "scale": ""}
    versions = {
        name: context.store.write(name, getattr(data, name)) for name in ("ratings", "items", "users")
    }
    stored.finish(context.store, context.spark, facts, versions)


def test_train_stores_similar_items(spark, context):
    params = {"test": 0.3, "k": 3, "top_n": 3}
    given = context("train", params, model={"name": "content", "blocks": 2})
    stored_tables(given, tables(spark, ratings(rated=False)))
    result = JOB.run(given)
    assert "rmse" not in result.metrics
    assert result.metrics["coverage"] == 1.0
    similar = given.store.read("similar_items_content")
    assert similar.columns == ["item", "items", "scores", "reasons"]
    assert similar.count() == 10


def test_train_says_how_items_were_clustered(spark, context):
    given = context(
        "train",
        {"top_n": 0, "split": "cold_items", "test": 0.3},
        model={"name": "content_kmeans", "clusters": "3"},
    )
    stored_tables(given, tables(spark))
    result = JOB.run(given)
    assert result.metrics["clusters"] == 3
    assert "silhouette" in result.metrics
    assert sum(json.loads(result.info["cluster_sizes"])) == 9
    assert result.counts["cold_rows"] == result.counts["test_rows"] > 0
    assert not given.store.has("similar_items_content_kmeans")
