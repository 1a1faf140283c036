"""Three Cassandra nodes in containers, three copies of each row: drills kill a worker, and a node in the middle of a write."""

import json

import pytest

from cluster.lifecycle import Cluster
from tests.containers.conftest import docker
from tests.e2e.place import Place, publish

pytestmark = pytest.mark.timeout(1200)
NODES = ("cassandra.nodes=3", "cassandra.rf=3")
ALS = 'data.store = "cassandra"\nmodel.rank = 4\nmodel.iterations = 15\nmodel.blocks = 2'
MOVIELENS = 'data.name = "movielens/latest-small"'


@pytest.fixture
def place(containers):
    folder = containers.run_dir.parent
    publish(folder / "data")
    return Place(folder, [*containers.sets, *NODES, f"data={folder / 'data'}"], kept=())


def test_a_worker_and_a_node_of_three_that_dies_during_a_write_cost_no_row(containers, place):
    containers.cluster("up", "cassandra", sets=NODES)
    assert containers.names() == ["cassandra-1", "cassandra-2", "cassandra-3"]
    nodes = Cluster(place.settings).endpoint("cassandra")
    assert len(nodes) == 3
    spec = place.spec("small", 'model.name = ["als"]', workers=2, fixed=ALS, data=MOVIELENS, top_n=5)
    text = place.run("drill", "worker,cassandra", spec)
    assert "cassandra-3 is ready" in text
    report = json.loads((place.run_dir / "reports" / "small-drills.json").read_text())
    found = {item["kind"]: item for item in report["drills"]}
    drills = {run.data.tags["recscale.drill"]: run for run in place.runs("small", "drill")}
    assert drills.keys() == found.keys() == {"worker", "cassandra"}
    for kind, drill in drills.items():
        assert found[kind]["verdict"] == "survived, same result", found[kind]
        assert found[kind]["differences"] == []
        assert found[kind]["rows"] > 0
        assert drill.data.tags["recscale.verdict"] == "survived, same result"

    assert found["worker"]["victim"].startswith("spark-worker-2 ("), text
    assert found["worker"]["executors_lost"] >= 1
    assert found["worker"]["failed_tasks"] + found["worker"]["recomputed_tasks"] > 0
    assert drills["worker"].data.metrics["executors_lost"] >= 1

    assert found["cassandra"]["victim"] == "cassandra-3 of 3"
    (note,) = (note for note in found["cassandra"]["notes"] if "quorum of 3 copies" in note)
    kept, _, expected, *_ = note.split()
    assert kept == expected != "0"
    assert note in drills["cassandra"].data.tags["mlflow.note.content"]
    assert Cluster(place.settings).endpoint("cassandra") == nodes  # what ran before runs again
    assert containers.names() == ["cassandra-1", "cassandra-2", "cassandra-3"]
    said = containers.cluster("up", "cassandra", code=3, sets=("cassandra.nodes=1", "cassandra.rf=1"))
    assert "cassandra-2, cassandra-3" in said
    assert docker("ps", "-q", "--filter", "name=cassandra-2")  # what could not be done stopped nothing
