"""A search to its end: trials on the validation part, the best on all of training, and a model that needs no Spark."""

import json

import mlflow
import pandas as pd
import pytest

from tests.e2e.place import Place

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]

SPEC = """
question = "Which penalty?"
repeats = 1
warmups = 0
partitions = 2

job.top_n = 0

[shape]
workers = 1
cores = 1
memory = "1g"

[data]
name = "synthetic/ml-latest-small"
rows = 3000

[model]
name = "als"
rank = 4
iterations = 3

[search]
metric = "rmse"
sampler = "grid"
trials = 2

[search.space]
model.reg = [0.05, 5.0]
"""


def test_the_best_settings_are_fitted_registered_and_served_without_spark(tmp_path, cluster_sets):
    (tmp_path / "penalty.toml").write_text(SPEC)
    place = Place(tmp_path, [*cluster_sets, "spark.workers=1"])
    said = place.run("run", str(tmp_path / "penalty.toml"))
    assert "best on the validation part: reg=0.05" in said
    assert "registered: models:/recscale-penalty@best (version 1)" in said
    assert [run.data.params["model.reg"] for run in place.runs("penalty")] == ["0.05", "5.0", "0.05"]
    report = json.loads((place.run_dir / "reports" / "penalty.json").read_text())["search"]
    assert [trial["settings"]["model.reg"] for trial in report["trials"]] == [0.05, 5.0]
    assert report["test"] > report["trials"][0]["score"] * 0.5

    mlflow.set_tracking_uri(f"sqlite:///{place.run_dir / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model("models:/recscale-penalty@best")
    lists = model.predict(pd.DataFrame({"user": ["1", "2"]}), params={"k": 3})
    assert [len(items) for items in lists["items"]] == [3, 3]

    again = place.run("run", str(tmp_path / "penalty.toml"))  # all of it was measured: nothing runs
    assert "ok after" not in again
    assert "registered: models:/recscale-penalty@best (version 1)" in again
    assert len(place.runs("penalty")) == 3
