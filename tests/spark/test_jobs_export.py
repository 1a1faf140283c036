"""Exported models against Spark's own scores and lists, used without Spark."""

import subprocess
import sys

import numpy as np
import pandas as pd
import planted
import pytest

from experiments.record.factor_model import FactorModel
from experiments.record.registry import save
from jobs.modelling.export import FILE, export
from jobs.models import MODELS

ALS = {"rank": 4, "iterations": 4, "blocks": 2}
EXPORTED = [
    ("als", ALS),
    ("als", {**ALS, "on_residuals": True, "clip": False}),
    ("als_implicit", ALS),
    ("als_wr", {"rank": 4, "iterations": 4, "parts": 3}),
    ("als_wr", {"rank": 3, "iterations": 4, "biases": True}),
    ("bpmf", {"rank": 3, "samples": 6, "kept": 4, "burn": 2}),
    ("ials", {"rank": 4, "iterations": 4}),
    ("bias", {}),
    ("popularity", {}),
]
WITHOUT_SPARK = """
import sys
sys.modules["pyspark"] = None  # an import of it is an error
import mlflow.pyfunc, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
print(model.predict(pd.DataFrame({"user": ["3"], "item": ["4"]}))["prediction"][0])
print(" ".join(model.predict(pd.DataFrame({"user": ["3"]}), params={"k": 5})["items"][0]))
"""


def exported(spark, name, options, folder):
    tables = planted.tables(spark)
    cold = tables._replace(ratings=tables.ratings.where("user <> 1 and item <> 2"))
    scorer = MODELS[name](**options).fit(cold)
    export(scorer.exported(), cold, folder)
    return cold, scorer


@pytest.mark.parametrize(("name", "options"), EXPORTED)
def test_scores_and_lists_are_those_of_spark(spark, tmp_path, name, options):
    tables, scorer = exported(spark, name, options, tmp_path)
    pairs = tables.users.crossJoin(tables.items.select("item")).select("user", "item")
    theirs = scorer.score(pairs).orderBy("user", "item").toPandas()
    model = FactorModel()
    model.load(tmp_path / FILE)
    ours = model.score(theirs["user"].astype(str).tolist(), theirs["item"].astype(str).tolist())
    wanted = theirs["prediction"].to_numpy(np.float64)
    assert np.array_equal(np.isnan(ours), np.isnan(wanted))
    assert np.nanmax(np.abs(ours - wanted)) < 1e-5
    lists = scorer.recommend(tables.users.select("user"), 7, tables.ratings.select("user", "item")).collect()
    found = {row["user"]: row for row in lists}
    for user in range(planted.USERS):
        items, scores = model.recommend(str(user), 7)
        if user not in found:
            assert items == []
            continue
        assert scores == pytest.approx(found[user]["scores"], abs=1e-5)
        assert set(items) == {str(item) for item in found[user]["items"]} or len(set(scores)) < len(scores)
    scorer.release()


def test_strangers_have_the_mean_or_no_score(spark, tmp_path):
    for name, options in (("als", ALS), ("als_implicit", ALS)):
        exported(spark, name, options, tmp_path / name)[1].release()
    explicit, implicit = FactorModel(), FactorModel()
    explicit.load(tmp_path / "als" / FILE)
    implicit.load(tmp_path / "als_implicit" / FILE)
    assert 3 < explicit.score(["nobody"], ["nothing"])[0] < 4
    assert np.isnan(implicit.score(["nobody"], ["nothing"])[0])
    assert explicit.recommend("nobody", 5) == ([], [])


def test_logged_model_loads_where_there_is_no_spark(spark, tmp_path):
    tables, scorer = exported(spark, "als", ALS, tmp_path)
    pair = spark.createDataFrame([(3, 4)], "user int, item int")
    prediction = scorer.score(pair).first()["prediction"]
    best = scorer.recommend(
        tables.users.select("user").where("user = 3"), 5, tables.ratings.select("user", "item")
    ).first()["items"]
    scorer.release()
    save(tmp_path / "model", tmp_path / FILE)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SPARK, str(tmp_path / "model")],
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path, env={"PATH": "/usr/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    score, items = done.stdout.splitlines()
    assert float(score) == pytest.approx(prediction, abs=1e-5)
    assert items.split() == [str(item) for item in best]


def test_empty_frame_and_missing_items_are_not_scored(spark, tmp_path):
    exported(spark, "popularity", {}, tmp_path)[1].release()
    model = FactorModel()
    model.load(tmp_path / FILE)
    lists = model.predict(None, pd.DataFrame({"user": ["3", "4"]}), {"k": 2})
    assert [len(items) for items in lists["items"]] == [2, 2]
    assert list(model.predict(None, pd.DataFrame({"user": [], "item": []})).columns) == [
        "user", "item", "prediction",
    ]  # fmt: skip
