"""Fields of a model that are called like values of other tables, from a spec and from SET to the fit and to MLflow."""

import tomllib

import pytest
from mlflow import MlflowClient
from planted import tables

from cluster.shape import Shape
from experiments.cli import arguments
from experiments.record.recorder import Recorder
from experiments.results.outcome import Application, begin
from experiments.results.parts import Launched
from experiments.spec import loading as spec
from jobs.apps.train import JOB
from jobs.models import MODELS
from jobs.prepare import stored
from tests import toy_model

SPEC = """
question = "?"
shape.workers = 2
data.name = "movielens/100k"
clean.sample = 0.5
job = { split = "random", test = 0.3, k = 3, top_n = 3 }
[model]
name = "toy"
sample = 0.25
split = "mine"
workers = 7
k = 9
"""
SET = "shape.workers=2 clean.sample=0.5 job.split=random job.test=0.3 job.k=3 job.top_n=3 "
SET += "model.sample=0.25 model.split=mine model.workers=7 model.k=9"
TOLD = {"question": "?", "model.name": "toy", "data.name": "movielens/100k"}
"""What the command `train` adds to SET."""


@pytest.mark.parametrize(
    "values", [tomllib.loads(SPEC), {**TOLD, **arguments.read_sets(arguments.split_sets(SET))}], ids=["spec", "set"]
)  # fmt: skip
def test_each_value_stays_in_its_table(spark, context, tmp_path, monkeypatch, values):
    monkeypatch.setitem(MODELS.modules, "toy", "tests.toy_model")
    (trial,) = spec.read("made", values).trials(Shape(1, 1, "1g"))
    assert (trial.shape.workers, trial.data.cleaning) == (2, {"sample": 0.5})
    made = context("train", trial.params, model=trial.model)
    planted = tables(spark)
    versions = {
        name: made.store.write(name, frame.coalesce(1))
        for name, frame in (("ratings", planted.ratings), ("items", planted.items), ("users", planted.users))
    }
    facts = {"dataset": "movielens/100k", "dataset_options": "{}", "data_digest": "d", "scale": "1.0,5.0,1.0"}
    stored.finish(made.store, spark, facts, versions)
    result = JOB.run(made)
    fitted = toy_model.FITTED[-1]
    assert (fitted.sample, fitted.split, fitted.workers, fitted.k) == (0.25, "mine", 7, 9)
    assert "ndcg_at_3" in result.metrics

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    recorder = Recorder(uri, tmp_path / "mlartifacts")
    told = {"shape_tag": "clean", "basis": {}, "data": {}, "environment": {}}
    launched = Launched(result, "ok", 1.0, 1.0, 1.0, 9.0)
    outcome = begin("made", trial, "1" * 64, told).plus(Application.of(0, launched, {}))
    outcome.save(tmp_path / "kept")
    recorder.record(outcome, tmp_path / "kept", recorder.open("made", {}, [outcome.key], {}))
    client = MlflowClient(tracking_uri=uri)
    number = client.get_experiment_by_name("made").experiment_id
    (run,) = client.search_runs([number], "tags.`recscale.kind` = 'trial'")
    wanted = {
        "model.name": "toy", "model.sample": "0.25", "model.split": "mine", "model.workers": "7", "model.k": "9",
        "job.name": "train", "job.split": "random", "job.k": "3", "clean.sample": "0.5", "shape.workers": "2",
    }  # fmt: skip
    assert {name: run.data.params[name] for name in wanted} == wanted
    assert recorder.outcomes("made")[1][0].values == trial.flat
