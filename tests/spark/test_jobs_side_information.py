"""Side information of Bayesian factorisation: the catalogue's terms and who rated what, and what is refused."""

import numpy as np
import planted
import pytest

from core.errors import JobError
from jobs.engine.arrays import ITEMS, USERS
from jobs.modelling import side_information as side
from jobs.modelling.fetching import fetch
from jobs.models.bpmf import Bpmf

SIZES = planted.USERS, planted.ITEMS


def looked_at(tables):
    user, item, _ = fetch(tables.ratings)
    known = np.bincount(user, minlength=SIZES[USERS]) > 0, np.bincount(item, minlength=SIZES[ITEMS]) > 0
    return user, item, known


def test_who_rated_what_is_a_feature_of_both_sides_and_terms_of_items(tables):
    user, item, known = looked_at(tables)
    assert side.side_information(tables, known, None, contents=False) == (None, None)
    of_users, of_items = side.side_information(tables, known, (user, item), contents=False)
    rated = np.zeros(SIZES)
    rated[user, item] = 1
    rated = np.delete(rated, 3, axis=1)  # nobody rated it, so it is no feature
    rows = of_users.rows.toarray()
    np.testing.assert_allclose(
        rows, rated / np.maximum(np.linalg.norm(rated, axis=1, keepdims=True), 1), rtol=1e-6
    )
    assert not rows[7].any()
    np.testing.assert_allclose(
        of_users.axes @ np.diag(of_users.squares) @ of_users.axes.T, rows.T @ rows, atol=1e-4
    )
    assert of_items.rows.shape == (SIZES[ITEMS], SIZES[USERS] - 1)
    none, with_terms = side.side_information(tables, known, None, contents=True)
    assert none is None
    terms = with_terms.rows.toarray()
    assert not terms[3].any()
    np.testing.assert_allclose(np.delete(np.linalg.norm(terms, axis=1), 3), 1, rtol=1e-5)
    same_genre = terms @ terms.T > 0
    assert same_genre[0, 4]
    both = side.side_information(tables, known, (user, item), contents=True)[ITEMS]
    assert both.rows.shape[1] == terms.shape[1] + of_items.rows.shape[1]


def test_of_too_many_features_the_most_frequent_are_kept(tables, monkeypatch):
    user, item, known = looked_at(tables)
    monkeypatch.setattr(side, "MOST", 20)
    of_users, of_items = side.side_information(tables, known, (user, item), contents=True)
    count = np.bincount(item, minlength=SIZES[ITEMS])
    assert of_users.rows.shape[1] == 20
    assert of_items.rows.shape[1] == 20
    kept = np.sort(np.diff(of_users.columns.indptr))
    np.testing.assert_array_equal(kept, np.sort(count)[-20:])


def test_a_fit_with_side_information_predicts_as_well_and_says_where_there_is_none(spark, tables):
    parts = planted.parts(spark)
    train = planted.tables(spark)._replace(ratings=parts.train)
    scorer = Bpmf(rank=3, samples=60, kept=60, burn=20, histories=True, contents=True).fit(train)
    both = scorer.score(parts.test).join(parts.test, ["user", "item"]).toPandas()
    assert np.sqrt(np.mean((both["prediction"] - both["rating"]) ** 2)) < 0.36
    scorer.release()
    bare = train.items.selectExpr(
        "item", "key", "title", "text", "year", "cast(null as array<string>) genres",
        "cast(null as array<string>) people", "tags", "cast(null as map<string,float>) features",
    )  # fmt: skip
    with pytest.raises(JobError, match=r"no two items have a word.*or leave contents out"):
        Bpmf(samples=2, kept=2, contents=True).fit(train._replace(items=bare))
