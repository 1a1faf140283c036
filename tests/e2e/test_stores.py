"""The same experiment on both stores: the same rows, the same model, the same judgement."""

import json

import pytest

from cluster.lifecycle import Cluster
from jobs.stores import STORES
from jobs.stores.cassandra.access import Connection, disconnect
from tests.conftest import cassandra_sets, connected, free_ports, unset_settings
from tests.e2e.place import Place

pytestmark = [pytest.mark.timeout(1200), pytest.mark.long]

ALS = 'model.name = "als"\nmodel.rank = 4\nmodel.iterations = 3\nmodel.blocks = 2'


@pytest.fixture
def place(tmp_path, monkeypatch):
    unset_settings(monkeypatch)
    sets = [*free_ports(), *cassandra_sets(tmp_path / "run")]
    return Place(tmp_path, [*sets, "spark.workers=1", "spark.memory=1g"])


def test_both_stores_give_the_same_answers_and_cassandra_is_stopped_again(place, spark):
    text = place.run("run", place.spec("stores", 'data.store = ["parquet", "cassandra"]', fixed=ALS, top_n=5))
    assert "cassandra-1 is ready" in text
    assert place.processes() == []
    report = json.loads((place.run_dir / "reports" / "stores.json").read_text())
    trials = {trial["params"]["data.store"]: trial for trial in report["trials"]}
    assert {trial["status"] for trial in trials.values()} == {"ok"}
    in_files, in_cassandra = (trials[store]["metrics"] for store in ("parquet", "cassandra"))
    assert in_files.keys() == in_cassandra.keys()
    for name in ("rmse", "coverage", "rmse_bias", "ndcg_at_5", "map_at_5"):
        assert in_cassandra[name] == pytest.approx(in_files[name], abs=1e-6)
    digests = {run.inputs.dataset_inputs[0].dataset.digest for run in place.runs("stores")}
    assert len(digests) == 1
    same_tables(spark, place)


def same_tables(spark, place):
    """Compare tables row by row, and every list that the models recommend."""
    (folder,) = [path for path in (place.run_dir / "store").iterdir() if (path / "ratings").exists()]
    files = STORES["parquet"](spark, str(folder))
    cluster = Cluster(place.settings)
    try:
        (node,) = cluster.ensure("cassandra")
        with connected(spark, place.settings, node):
            nodes = STORES["cassandra"](spark, folder.name)
            for table in ("ratings", "users", "items", "user_stats", "item_stats"):
                in_files, in_nodes = (lines(store.read(table)) for store in (files, nodes))
                assert len(in_files) > 0, table
                assert in_files == in_nodes, table
            in_files, in_nodes = (
                store.read("recommendations_als").orderBy("user").collect() for store in (files, nodes)
            )
            assert [(row["user"], row["items"]) for row in in_files] == [
                (row["user"], row["items"]) for row in in_nodes
            ]
            for one, other in zip(in_files, in_nodes, strict=True):  # sums of floats in another order
                assert one["scores"] == pytest.approx(other["scores"], rel=1e-6)
            disconnect(Connection.of(spark.conf))
    finally:
        cluster.down()


def lines(frame):
    """Rows as sorted JSON, which maps and lists have too."""
    return sorted(frame.select(*sorted(frame.columns)).toJSON().collect())
