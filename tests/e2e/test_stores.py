"""The same experiment on stores that share nothing: the same model, the same judgement."""

import json

import pytest

from tests.conftest import cassandra_sets, free_ports, unset_settings
from tests.e2e.place import Place

pytestmark = [pytest.mark.timeout(1200), pytest.mark.long]

ALS = 'model.name = "als"\nmodel.rank = 4\nmodel.iterations = 3\nmodel.blocks = 2'


@pytest.fixture
def place(tmp_path, monkeypatch):
    unset_settings(monkeypatch)
    sets = [*free_ports(), *cassandra_sets(tmp_path / "run")]
    return Place(tmp_path, [*sets, "spark.workers=1", "spark.memory=1g"])


def test_stores_give_the_same_answers_and_cassandra_is_stopped_again(place):
    grid = 'data.store = ["lake", "cassandra"]'
    text = place.run("run", place.spec("stores", grid, fixed=ALS, top_n=5))
    assert "cassandra-1 is ready" in text
    assert place.processes() == []
    report = json.loads((place.run_dir / "reports" / "stores.json").read_text())
    trials = {trial["params"]["data.store"]: trial for trial in report["trials"]}
    assert {trial["status"] for trial in trials.values()} == {"ok"}
    in_lake, in_cassandra = (trials[store]["metrics"] for store in ("lake", "cassandra"))
    assert in_lake.keys() == in_cassandra.keys()
    for name in ("rmse", "coverage", "rmse_bias", "ndcg_at_5", "map_at_5"):
        assert in_cassandra[name] == pytest.approx(in_lake[name], abs=1e-6)
    assert {run.data.tags["table_versions"] for run in place.runs("stores")} == {
        "ratings 1, items 1, users 1"
    }
    digests = {run.inputs.dataset_inputs[0].dataset.digest for run in place.runs("stores")}
    assert len(digests) == 1
