"""Real drills on clusters of their own: a worker, an executor, the driver, MLflow's server or a Cassandra node dies."""

import json
from pathlib import Path

import pytest

from tests.conftest import cassandra_sets
from tests.e2e.place import Place

pytestmark = pytest.mark.timeout(1200)

SPEC = """
question = "Does a small trial end as it should?"
repeats = 1
warmups = 0
partitions = 2

[fixed]
model = "als"
dataset = "synthetic/ml-latest-small"
"dataset.rows" = 3000
store = "parquet"
workers = 2
cores = 1
memory = "1g"
top_n = 5
k = 5
rank = 4
iterations = 30
blocks = 2
"""


@pytest.fixture
def place(tmp_path, cluster_sets):
    (tmp_path / "small.toml").write_text(SPEC)
    return Place(tmp_path, cluster_sets)


def test_what_is_killed_in_the_middle_of_a_trial_changes_no_result_and_leaves_nothing(place, tmp_path):
    text = place.run("drill", "worker,executor,driver,mlflow", str(tmp_path / "small.toml"))
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


SMALL = (
    SPEC.replace("ml-latest-small", "ml-100k")
    .replace("iterations = 30", "iterations = 2")
    .replace("workers = 2", "workers = 1")
)


@pytest.fixture
def three_copies(tmp_path, cluster_sets):
    (tmp_path / "small.toml").write_text(SMALL)
    ports = cluster_sets[1:]  # of the master and MLflow; the run folder is the nodes'
    return Place(
        tmp_path, [*cassandra_sets(tmp_path / "nodes"), *ports, "cassandra.nodes=3", "cassandra.rf=3"]
    )


def test_a_node_of_three_that_dies_during_a_write_costs_no_row(three_copies, tmp_path):
    place = three_copies
    text = place.run("drill", "cassandra", str(tmp_path / "small.toml"))
    assert "cassandra-3 is ready" in text
    assert place.processes() == []
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


def is_held(path):
    """Whether some process holds a file's lock."""
    number = path.stat().st_ino
    return any(f":{number} " in line for line in Path("/proc/locks").read_text().splitlines())
