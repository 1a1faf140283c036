"""Real drills on clusters of their own: a worker, an executor, the driver, MLflow's server or a Cassandra node dies."""

import json
import re
import time
from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError

from cluster.errors import ServiceError
from cluster.lifecycle import Cluster
from cluster.processes import marks
from cluster.settings import load
from jobs.cassandra import Connection, connect, disconnect
from jobs.stores.cassandra import CassandraStore, keyspace_name
from tests.conftest import cassandra_sets, connected, free_ports, unset_settings, users
from tests.e2e.place import Place

pytestmark = [pytest.mark.timeout(1200), pytest.mark.long]

ALS = 'store = "parquet"\nrank = 4\niterations = 15\nblocks = 2'
ML_100K = 'dataset = "synthetic/ml-100k"\n"dataset.rows" = 3000'


@pytest.fixture
def place(tmp_path, cluster_sets):
    return Place(tmp_path, cluster_sets)


def test_what_is_killed_in_the_middle_of_a_trial_changes_no_result_and_leaves_nothing(place):
    spec = place.spec("small", 'model = ["als"]', workers=2, fixed=ALS, top_n=5)
    text = place.run("drill", "worker,executor,driver,mlflow", spec)
    assert "Every drill ended with the same model and the same rows" in text
    assert place.processes() == []
    report = json.loads((place.run_dir / "reports" / "small-drills.json").read_text())
    found = {item["kind"]: item for item in report["drills"]}
    assert found["worker"]["verdict"] == "survived, same result"
    assert found["worker"]["executors_lost"] >= 1
    assert found["worker"]["failed_tasks"] + found["worker"]["recomputed_tasks"] > 0
    assert found["executor"]["verdict"] == "survived, same result"
    assert found["executor"]["executors_lost"] >= 1
    assert found["driver"]["verdict"] == "failed cleanly, re-run gives the same result"
    assert "signal SIGKILL" in found["driver"]["error"]
    assert found["driver"]["recomputed_tasks"] > 0
    assert found["driver"]["recovery_s"] > 0
    assert found["mlflow"]["verdict"] == "survived, same result"
    assert found["mlflow"]["executors_lost"] == 0
    assert {item["rows"] for item in found.values()} == {found["driver"]["rows"]}
    assert found["driver"]["rows"] > 0
    assert text.count("recorded now what an earlier run measured") == 1

    drills = {run.data.tags["recscale.drill"]: run for run in place.runs("small", "drill")}
    assert drills.keys() == found.keys()
    (parent,) = place.runs("small", "experiment")
    assert {run.data.tags["mlflow.parentRunId"] for run in drills.values()} == {parent.info.run_id}
    assert {run.info.status for run in drills.values()} == {"FINISHED"}
    (trial,) = place.runs("small")
    assert trial.info.status == "FINISHED"
    assert [path for path in place.run_dir.rglob("*lock") if path.is_file() and is_held(path)] == []


@pytest.fixture(scope="module")
def three_copies(tmp_path_factory):
    """A place with three nodes that hold each row three times, for the tests of this module."""
    folder = tmp_path_factory.mktemp("three")
    with pytest.MonkeyPatch.context() as patch:
        unset_settings(patch)
        sets = [*free_ports(), *cassandra_sets(folder / "nodes"), "cassandra.nodes=3", "cassandra.rf=3"]
        place = Place(folder, sets)
        try:
            assert Cluster(place.settings).up({"cassandra"}) == ["cassandra-1", "cassandra-2", "cassandra-3"]
            yield place
        finally:
            Cluster(place.settings).down()


def test_a_node_of_three_that_dies_during_a_write_costs_no_row(three_copies):
    place = three_copies
    nodes = Cluster(place.settings).cassandra()
    text = place.run("drill", "cassandra", place.spec("small", 'model = ["bias"]', data=ML_100K, top_n=5))
    assert "cassandra-3 is ready" in text
    report = json.loads((place.run_dir / "reports" / "small-drills.json").read_text())
    (found,) = report["drills"]
    assert found["victim"] == "cassandra-3 of 3"
    assert found["verdict"] == "survived, same result", found
    assert found["differences"] == []
    (note,) = (note for note in found["notes"] if "quorum of 3 copies" in note)
    kept, _, expected, *_ = note.split()
    assert kept == expected != "0"
    (drill,) = place.runs("small", "drill")
    assert drill.data.tags["recscale.verdict"] == "survived, same result"
    assert note in drill.data.tags["mlflow.note.content"]
    assert Cluster(place.settings).cassandra(start=False) == nodes  # what ran before runs again
    assert {name for name in marks(str(place.run_dir)) if not name.startswith("cassandra-")} == set()


def count_without_a_node(store, table):
    """Count rows; the connector has a moment to find another node, if the one that died is what it listened to."""
    end = time.monotonic() + 30
    while True:
        try:
            return store.read(table).count()
        except Py4JJavaError as error:
            lost = re.search("Control channel not available|ClosedChannel", str(error))
            if not lost or time.monotonic() > end:
                raise
        time.sleep(0.2)


def test_of_three_nodes_with_three_copies_any_one_may_die_and_no_row_is_missing(spark, three_copies):
    cluster = Cluster(three_copies.settings)
    asked = {"cassandra.nodes=3", "cassandra.rf=3"}
    plain = load([item for item in three_copies.sets if item not in asked], {})  # as for a later command
    with connected(spark, plain, *cluster.cassandra()):
        store, keyspace = CassandraStore(spark, "three"), keyspace_name("three")
        store.write("users", users(spark, 1000))
        (made,) = connect(Connection.of(spark.conf)).execute(
            f"SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '{keyspace}'"
        )
        assert made["replication"]["datacenter1"] == "3"
        port = cluster.settings.cassandra.port
        assert cluster.cassandra() == [f"127.0.0.{number}:{port}" for number in (1, 2, 3)]
        assert len(connect(Connection.of(spark.conf)).cluster.metadata.all_hosts()) == 3
        three_copies.kill("cassandra-3")
        assert count_without_a_node(store, "users") == 1000
        store.write("users", users(spark, 2000))
        assert store.read("users").count() == 2000
        assert cluster.up({"cassandra"}) == ["cassandra-3"]
        three_copies.kill("cassandra-1")  # of the two that took the last write
        assert count_without_a_node(store, "users") == 2000
        assert store.get("users", 1999) == {"user": 1999, "key": "a"}
        disconnect(Connection.of(spark.conf))
    cluster.down()
    with pytest.raises(ServiceError, match=r"cassandra\.nodes is .*cassandra-2, cassandra-3"):
        Cluster(plain).up({"cassandra"})


def is_held(path):
    """Whether some process holds a file's lock."""
    number = path.stat().st_ino
    return any(f":{number} " in line for line in Path("/proc/locks").read_text().splitlines())
