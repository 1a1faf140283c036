"""On the publisher's own fold of MovieLens 100K, models are better than the baselines by about what others report."""

import os
from pathlib import Path

import pytest

from datasets.dataset import find
from jobs.judge.evaluate import evaluate, with_predictions
from jobs.models.als import Als
from jobs.models.content import Content
from jobs.prepare.build import clean
from jobs.prepare.cleaning import Limits
from jobs.prepare.split import Split, split
from jobs.prepare.stored import RATINGS, Tables

pytestmark = [pytest.mark.realdata, pytest.mark.long]


@pytest.fixture(scope="module")
def cleaned(spark):
    folder = Path(os.environ["RECSCALE_DATA"]) / "ml-100k"
    found = clean(find("movielens/100k").read(spark, folder), Limits(1.0, 5.0, 1.0), 0, 0.0, str(folder))
    yield found
    found.release()


@pytest.fixture(scope="module")
def parts(cleaned):
    ratings = cleaned.ratings.select(*RATINGS.fieldNames())
    found = Split(*(part.persist() for part in split(ratings, "fold", test=0.1, seed=0, n=1, fold="u1")))
    yield found
    for part in found:
        part.unpersist()


def test_content_on_the_first_fold_of_100k(cleaned, parts):
    scorer = Content(blocks=2).fit(Tables(parts.train, cleaned.items, cleaned.users))
    found = evaluate(
        with_predictions(parts.test, scorer.score(parts.test.select("user", "item"))),
        parts.train,
        None,
        predicts_rating=True,
        scale=(1.0, 5.0, 1.0),
        k=10,
        relevant=4.0,
    )
    assert found.metrics["coverage"] == 1.0
    assert 0.93 < found.metrics["rmse"] < found.metrics["rmse_bias"] - 0.01
    (row,) = scorer.similar_items(3).join(cleaned.items.where("title like 'Star Wars%'"), "item").collect()
    titles = {each.item: each.title for each in cleaned.items.collect()}
    assert "Empire Strikes Back, The (1980)" in {titles[item] for item in row["items"]}
    scorer.release()


def test_als_on_the_first_fold_of_100k(cleaned, parts):
    assert (cleaned.rows_out, cleaned.n_users, cleaned.n_items) == (100_000, 943, 1682)
    assert (parts.train.count(), parts.test.count()) == (80_000, 20_000)
    tables = Tables(parts.train, cleaned.items, cleaned.users)
    model = Als(rank=10, reg=0.1, blocks=2)
    model.preflight(tables)
    scorer = model.fit(tables)
    found = evaluate(
        with_predictions(parts.test, scorer.score(parts.test.select("user", "item"))),
        parts.train,
        None,
        predicts_rating=True,
        scale=(1.0, 5.0, 1.0),
        k=10,
        relevant=4.0,
    )
    assert found.metrics["coverage"] == 1.0
    assert found.metrics["rmse"] < found.metrics["rmse_bias"] < found.metrics["rmse_global_mean"]
    assert 0.91 < found.metrics["rmse"] < 0.96
    scorer.release()
