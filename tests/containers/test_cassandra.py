"""Three Cassandra nodes in containers, three copies of each row: one dies in the middle of a write and nothing is lost."""

import json
import time

import pytest

from cluster.lifecycle import Cluster
from experiments.drills import rows
from experiments.stores import connector
from jobs.request import Request
from tests.containers.conftest import docker
from tests.e2e.place import Place

pytestmark = pytest.mark.timeout(900)
NODES = ("cassandra.nodes=3", "cassandra.rf=3")


@pytest.fixture
def place(containers):
    return Place(containers.run_dir.parent, [*containers.sets, *NODES], kept=())


def test_a_node_of_three_that_dies_during_a_write_costs_no_row(containers, place):
    containers.cluster("up", "cassandra", sets=NODES)
    assert containers.names() == ["cassandra-1", "cassandra-2", "cassandra-3"]
    data = ["--dataset", "synthetic/ml-100k", "--set", "dataset.rows=1000", "--workers", "1"]
    with place.started("preprocess", *data) as process:
        place.wait_for(process, "preprocess", "write", folders="*")
        docker("kill", "cassandra-3")
        killed = time.perf_counter()
        assert process.wait(600) == 0, place.output() + place.logs()
    (folder,) = (place.run_dir / "experiments" / "preprocess").iterdir()
    events = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    (written,) = (item for item in events if item["event"] == "phase_end" and item["phase"] == "write")
    assert killed < written["at"]
    assert containers.inspect("cassandra-3")["State"]["Status"] == "exited"
    assert "stored in cassandra" in place.output()
    alive = Cluster(place.settings).cassandra(start=False)
    assert len(alive) == 2
    request = Request.load(folder / "request.json")
    request.spark.update(connector(place.settings, alive[:1], ""))  # reads from a quorum of the copies
    assert rows.read(request, "ratings").count == 1000
    said = containers.cluster("up", "cassandra", code=3, sets=("cassandra.nodes=1", "cassandra.rf=1"))
    assert "cassandra-2, cassandra-3" in said
    assert docker("ps", "-q", "--filter", "name=cassandra-2")  # what could not be done stopped nothing
