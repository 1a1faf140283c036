"""Real drills on clusters of their own: an executor, the driver or MLflow's server dies; workers and nodes in containers do."""

import json
from pathlib import Path

import pytest

from tests.e2e.place import Place

pytestmark = [pytest.mark.timeout(1200), pytest.mark.long]

FIT = 'data.store = "parquet"\nmodel.rank = 4\nmodel.iterations = 40'


@pytest.fixture
def place(tmp_path, cluster_sets):
    return Place(tmp_path, cluster_sets)


def test_what_is_killed_in_the_middle_of_a_trial_changes_no_result_and_leaves_nothing(place):
    # The warm-up makes the kernel's machine code, so that the undisturbed fit takes as long as the disturbed one.
    spec = place.spec("small", 'model.name = ["als_wr"]', warmups=1, fixed=FIT, top_n=5)
    text = place.run("drill", "executor,driver,mlflow", spec)
    assert "Every drill ended with the same model and the same rows" in text
    assert place.processes() == []
    report = json.loads((place.run_dir / "reports" / "small-drills.json").read_text())
    found = {item["kind"]: item for item in report["drills"]}
    assert found["executor"]["verdict"] == "survived, same result"
    assert found["executor"]["executors_lost"] >= 1
    assert found["executor"]["failed_tasks"] + found["executor"]["recomputed_tasks"] > 0
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


def is_held(path):
    """Whether some process holds a file's lock."""
    number = path.stat().st_ino
    return any(f":{number} " in line for line in Path("/proc/locks").read_text().splitlines())
