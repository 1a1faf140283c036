"""Three Cassandra nodes in containers, three copies of each row: a drill kills one in the middle of a write and nothing is lost."""

import json

import pytest

from cluster.lifecycle import Cluster
from tests.containers.conftest import docker
from tests.e2e.place import Place

pytestmark = pytest.mark.timeout(900)
NODES = ("cassandra.nodes=3", "cassandra.rf=3")
ML_100K = 'data.name = "synthetic/ml-100k"\ndata.rows = 3000'


@pytest.fixture
def place(containers):
    return Place(containers.run_dir.parent, [*containers.sets, *NODES], kept=())


def test_a_node_of_three_that_dies_during_a_write_costs_no_row(containers, place):
    containers.cluster("up", "cassandra", sets=NODES)
    assert containers.names() == ["cassandra-1", "cassandra-2", "cassandra-3"]
    nodes = Cluster(place.settings).endpoint("cassandra")
    assert len(nodes) == 3
    text = place.run(
        "drill", "cassandra", place.spec("small", 'model.name = ["bias"]', data=ML_100K, top_n=5)
    )
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
    assert Cluster(place.settings).endpoint("cassandra") == nodes  # what ran before runs again
    assert containers.names() == ["cassandra-1", "cassandra-2", "cassandra-3"]
    said = containers.cluster("up", "cassandra", code=3, sets=("cassandra.nodes=1", "cassandra.rf=1"))
    assert "cassandra-2, cassandra-3" in said
    assert docker("ps", "-q", "--filter", "name=cassandra-2")  # what could not be done stopped nothing
