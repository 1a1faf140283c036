"""The same experiment on all stores: the same rows, the same model, the same judgement."""

import json
from contextlib import closing

import pytest

from cluster.lifecycle import Cluster
from jobs.stores import STORES
from jobs.stores.cassandra.access import Connection, disconnect
from jobs.stores.lake.store import KEEP_EMPTY
from tests.conftest import cassandra_sets, connected, free_ports, unset_settings
from tests.e2e.place import Place

pytestmark = [pytest.mark.timeout(1200), pytest.mark.long]

ALS = 'model.name = "als"\nmodel.rank = 4\nmodel.iterations = 3\nmodel.blocks = 2'


@pytest.fixture
def place(tmp_path, monkeypatch):
    unset_settings(monkeypatch)
    sets = [*free_ports(), *cassandra_sets(tmp_path / "run")]
    return Place(tmp_path, [*sets, "spark.workers=1", "spark.memory=1g"])


def test_all_stores_give_the_same_answers_and_cassandra_is_stopped_again(place, spark):
    grid = 'data.store = ["parquet", "lake", "cassandra"]'
    text = place.run("run", place.spec("stores", grid, fixed=ALS, top_n=5))
    assert "cassandra-1 is ready" in text
    assert place.processes() == []
    report = json.loads((place.run_dir / "reports" / "stores.json").read_text())
    trials = {trial["params"]["data.store"]: trial for trial in report["trials"]}
    assert {trial["status"] for trial in trials.values()} == {"ok"}
    in_files = trials["parquet"]["metrics"]
    for store in ("lake", "cassandra"):
        others = trials[store]["metrics"]
        assert in_files.keys() == others.keys()
        for name in ("rmse", "coverage", "rmse_bias", "ndcg_at_5", "map_at_5"):
            assert others[name] == pytest.approx(in_files[name], abs=1e-6)
    assert {run.data.tags["table_versions"] for run in place.runs("stores")} == {
        "ratings 1, items 1, users 1"
    }
    digests = {run.inputs.dataset_inputs[0].dataset.digest for run in place.runs("stores")}
    assert len(digests) == 1
    same_tables(spark, place)


def same_tables(spark, place):
    """Compare tables row by row, and every list that the models recommend."""
    (folder,) = [path for path in (place.run_dir / "store").iterdir() if (path / "ratings").is_symlink()]
    files = STORES["parquet"](spark, str(folder))
    with closing(STORES["lake"](spark, f"{folder}-lake")) as lake:
        compare(files, lake)
    spark.conf.unset(KEEP_EMPTY)
    cluster = Cluster(place.settings)
    try:
        (node,) = cluster.ensure("cassandra")
        with connected(spark, place.settings, node):
            compare(files, STORES["cassandra"](spark, folder.name))
            disconnect(Connection.of(spark.conf))
    finally:
        cluster.down()


def compare(files, others):
    for table in ("ratings", "users", "items", "user_stats", "item_stats"):
        in_files, in_others = (lines(store.read(table)) for store in (files, others))
        assert len(in_files) > 0, table
        assert in_files == in_others, table
    in_files, in_others = (
        store.read("recommendations_als").orderBy("user").collect() for store in (files, others)
    )
    assert [(row["user"], row["items"]) for row in in_files] == [
        (row["user"], row["items"]) for row in in_others
    ]
    for one, other in zip(in_files, in_others, strict=True):  # sums of floats in another order
        assert one["scores"] == pytest.approx(other["scores"], rel=1e-6)


def lines(frame):
    """Rows as sorted JSON, which maps and lists have too."""
    return sorted(frame.select(*sorted(frame.columns)).toJSON().collect())
