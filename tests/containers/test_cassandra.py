"""Three Cassandra nodes in containers, three copies of each row: one dies in the middle of a write and nothing is lost."""

import json

import pytest

from tests.containers.conftest import docker
from tests.e2e.place import Place
from tests.e2e.test_drills import SMALL

pytestmark = pytest.mark.timeout(1200)


def test_a_node_of_three_that_dies_during_a_write_costs_no_row(containers):
    folder = containers.run_dir.parent
    (folder / "small.toml").write_text(SMALL)
    place = Place(folder, [*containers.sets, "cassandra.nodes=3", "cassandra.rf=3"], keeps_kernels=False)
    containers.cluster("up", "cassandra", sets=("cassandra.nodes=3", "cassandra.rf=3"))
    assert containers.names() == ["cassandra-1", "cassandra-2", "cassandra-3"]
    text = place.run("drill", "cassandra", str(folder / "small.toml"))
    report = json.loads((place.run_dir / "reports" / "small-drills.json").read_text())
    (found,) = report["drills"]
    assert found["victim"] == "cassandra-3 of 3", text
    assert found["verdict"] == "survived, same result", found
    assert found["differences"] == []
    (note,) = (note for note in found["notes"] if "quorum of 3 copies" in note)
    kept, _, expected, *_ = note.split()
    assert kept == expected != "0"
    said = containers.cluster("up", "cassandra", code=3, sets=("cassandra.nodes=1", "cassandra.rf=1"))
    assert "cassandra-2, cassandra-3" in said
    assert docker("ps", "-q", "--filter", "name=cassandra-3")  # what could not be done stopped nothing
