"""Verdict, record and report of drills."""

import json
import re

import pytest
from invented import BASIS, application, outcome
from invented_drills import DRILL, drilled
from mlflow import MlflowClient
from mlflow.entities import ViewType

from cluster import configuration
from core.errors import RecordingError
from experiments.metric_table import DRILLS as DRILLS_REPORT
from experiments.metric_table import OF_DRILLS
from experiments.record.recorder import Recorder
from experiments.report import drills as show
from experiments.studies.drills import record
from experiments.studies.drills.drill import GOOD
from experiments.studies.drills.kinds import DRILLS
from experiments.studies.drills.record import DrillRecorder


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "survived, same result"),
        ({"status": "failed", "rerun_status": "ok"}, "failed cleanly, re-run gives the same result"),
        ({"differences": ["model: x"]}, "result differs"),
        ({"status": "failed", "rerun_status": "ok", "differences": ["x"]}, "result differs"),
        ({"status": "failed", "rerun_status": "failed"}, "did not recover"),
        ({"status": "failed"}, "did not recover"),
        ({"left": ["pid 7"]}, "left processes behind"),
        ({"left": ["pid 7"], "differences": ["x"]}, "result differs"),
    ],
)
def test_verdict(changes, verdict):
    found = drilled(**changes)
    assert found.verdict == verdict
    assert found.good == (verdict in GOOD)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    """A database of MLflow's, which takes long to make, and a folder for artifacts."""
    folder = tmp_path_factory.mktemp("mlflow")
    return f"sqlite:///{folder / 'mlflow.db'}", folder / "mlartifacts"


def test_drills_are_child_runs_that_no_query_for_trials_sees(tracking, tmp_path):
    uri, artifacts_in = tracking
    plain = Recorder(uri, artifacts_in)
    parent = plain.open("invented", BASIS, ["k" * 64], {"question": "?"})
    settings = configuration.load([f"run_dir={tmp_path}"], {})
    place = tmp_path / "drills"
    bad = drilled(kind="worker", attempt="b", left=["pid 7: java"], recovery_s=None, at=2.0)
    for item in (drilled(), bad):
        folder = place / item.attempt
        (folder / "disturbed").mkdir(parents=True)
        (folder / "disturbed" / "driver.log").write_text("words")
        record.keep(item, folder)
    (place / "other").mkdir()
    (place / "other" / "drill.json").write_text('{"of": "another version"}')
    assert [item.attempt for _, item in record.kept(place)] == ["b", drilled().attempt]
    assert record.record_missing(settings, uri, "invented", place) == ["worker", "executor"]
    assert record.record_missing(settings, uri, "invented", place) == []

    client = MlflowClient(tracking_uri=uri)
    number = client.get_experiment_by_name("invented").experiment_id
    runs = client.search_runs([number], "tags.`recscale.kind` = 'drill'", ViewType.ACTIVE_ONLY)
    by_kind = {run.data.tags["recscale.drill"]: run for run in runs}
    run = by_kind["executor"]
    assert run.data.tags["mlflow.parentRunId"] == parent.run_id
    assert run.data.tags["recscale.verdict"] == "survived, same result"
    assert run.data.tags["recscale.shape"] == "w2\u00d71c@0.5 pinned"
    assert run.data.metrics["recovery_s"] == 3.5
    assert run.data.metrics["recomputed_tasks"] == 7
    assert run.data.metrics["same_result"] == 1
    assert run.data.params == {"model.name": "als", "model.rank": "8"}
    assert run.info.status == "FINISHED"
    artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert artifacts == {"drill.json", "disturbed"}
    failed = by_kind["worker"]
    assert failed.info.status == "FAILED"
    assert "recovery_s" not in failed.data.metrics
    assert "pid 7" in failed.data.tags["recscale.left"]
    assert plain.outcomes("invented")[1] == []
    assert plain.finished("invented", 1) == set()
    assert plain.recorded("invented") == {}


def test_a_recording_that_broke_off_is_made_anew_once(tracking, tmp_path):
    uri, artifacts_in = tracking
    recorder = DrillRecorder(Recorder(uri, artifacts_in))
    item = drilled(experiment="broken")
    folder = tmp_path / "drills" / "a"
    folder.mkdir(parents=True)
    with pytest.raises(RecordingError):
        recorder.add(item, folder)  # drill.json is missing
    assert recorder.drills("broken") == set()
    record.keep(item, folder)
    recorder.add(item, folder)
    assert recorder.drills("broken") == {item.attempt}
    client = MlflowClient(tracking_uri=uri)
    number = client.get_experiment_by_name("broken").experiment_id
    assert len(client.search_runs([number], "tags.`recscale.kind` = 'drill'", ViewType.ACTIVE_ONLY)) == 1
    assert recorder.count("broken", "k" * 64) == 0
    recorder.forget("broken")
    assert client.get_experiment_by_name("broken").lifecycle_stage == "deleted"


def test_report_says_what_was_killed_what_it_cost_and_what_came_of_it(tmp_path):
    gone = drilled(
        kind="driver", status="failed", error="ended without a result (signal SIGKILL); the end of /x/driver.log:\nlog", rerun_status="ok",
        rerun_s=20.0, disturbed_s=None, notes=["3 places"],
    )  # fmt: skip
    report = show.report_of(DRILL, outcome([application(0, [9.0])]), [drilled(), gone], DRILLS)
    text = report.text()
    assert report.answer == show.answer([drilled(), gone])
    assert re.search("survives the loss of: executor;.* run again after the loss of: driver", report.answer)
    second = report.findings[0].tables[1].rows
    assert [row[3:5] for row in second] == [["8.0", "12.5"], ["8.0", "\u2013"]]
    columns = {title for table in report.findings[0].tables for title in table.header}
    shown = {metric.titled() for metric in OF_DRILLS if DRILLS_REPORT in metric.shown}
    assert columns - {"drill", "verdict", "killed", "in"} == shown
    assert "signal SIGKILL" in text
    assert "log" not in text.split("signal SIGKILL)")[1].splitlines()[0]
    assert re.search(r"driver: run again in 20\.0 s: ok", text)
    names = {path.name for path in report.write(tmp_path)}
    assert names == {f"drill-drills.{kind}" for kind in ("html", "json", "csv")}
    values = json.loads((tmp_path / "drill-drills.json").read_text())
    assert [item["verdict"] for item in values["drills"]] == [drilled().verdict, gone.verdict]


def test_report_names_the_drills_that_did_not_end_well():
    bad = drilled(kind="worker", differences=["model: predictions differ by up to 0.3"], recovery_s=None)
    found = show.finding_of([drilled(), bad], DRILLS)
    assert re.search(r"^One of two drills\b.*: worker\.$", found.answer)
    assert f"worker: {bad.verdict}" in found.notes
    assert f"worker: {bad.differences[0]}" in found.notes
    assert "not seen" in found.tables[0].rows[1]
