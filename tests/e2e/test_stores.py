"""The same experiment on both stores: the same rows, the same model, the same judgement."""

import json

import pytest

from cluster.processes import free_port
from tests.conftest import cassandra_sets
from tests.e2e.place import Place

pytestmark = pytest.mark.timeout(1200)

SPEC = """
question = "Does the store change an answer?"
repeats = 1
warmups = 0

[fixed]
model = "als"
dataset = "synthetic/ml-latest-small"
"dataset.rows" = 3000
workers = 1
cores = 1
memory = "1g"
top_n = 5
k = 5
rank = 4
iterations = 3
blocks = 2

[grid]
store = ["parquet", "cassandra"]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("RECSCALE_DATA", "RECSCALE_STORE"):
        monkeypatch.delenv(name, raising=False)
    sets = cassandra_sets(tmp_path / "run")
    ports = []
    for name in ("spark.master_port", "spark.master_ui_port", "mlflow.port"):
        ports.append(free_port("127.0.0.1", avoid=ports))
        sets.append(f"{name}={ports[-1]}")
    return Place(tmp_path, [*sets, "spark.workers=1", "spark.memory=1g"])


def test_both_stores_give_the_same_answers_and_cassandra_is_stopped_again(place, tmp_path):
    spec = tmp_path / "stores.toml"
    spec.write_text(SPEC)
    text = place.run("run", str(spec))
    assert "cassandra-1 is ready" in text
    assert place.processes() == []
    report = json.loads((place.run_dir / "reports" / "stores.json").read_text())
    trials = {trial["params"]["store"]: trial for trial in report["trials"]}
    assert {trial["status"] for trial in trials.values()} == {"ok"}
    in_files, in_cassandra = (trials[store]["metrics"] for store in ("parquet", "cassandra"))
    assert in_files.keys() == in_cassandra.keys()
    for name in ("rmse", "coverage", "rmse_bias", "ndcg_at_5", "map_at_5"):
        assert in_cassandra[name] == pytest.approx(in_files[name], abs=1e-6)
    digests = {run.inputs.dataset_inputs[0].dataset.digest for run in place.runs("stores")}
    assert len(digests) == 1
