"""Drills without a cluster: what is refused, when a fault falls, what counts as the same, what is kept and told."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from typing import ClassVar

import pytest
from invented import BASIS, application, outcome
from mlflow import MlflowClient
from mlflow.entities import ViewType

from cluster import settings as cluster_settings
from cluster.settings import SERVICE_MARKER
from datasets.errors import UsageError
from experiments import __main__ as main
from experiments import spec
from experiments.drills import baseline, record, rows, show, tasks, victims
from experiments.drills.act import model_differs
from experiments.drills.again import own_tables
from experiments.drills.drill import GOOD, Drilled
from experiments.drills.fault import Fault
from experiments.drills.kinds import DRILLS
from experiments.drills.record import DrillRecorder
from experiments.drills.rows import Rows
from experiments.drills.session import Session
from experiments.errors import RecordingError
from experiments.progress import Progress
from experiments.recorder import Recorder
from experiments.spec import Experiment
from experiments.trial import Shape, Trial
from jobs.errors import JobError
from jobs.request import Request

SETTINGS = cluster_settings.load([], {})
DRILL = spec.load("drill")


def trial(experiment, settings=SETTINGS):
    return baseline.trial_of(experiment, settings)


def drilled(**changes):
    values = {
        "kind": "executor", "attempt": "20260101-000000-aaaaaa", "experiment": "invented", "key": "k" * 64,
        "label": "als w2\u00d71c", "victim": "an executor of spark-worker-2", "phase": "fit", "after_s": 4.0,
        "status": "ok", "error": None, "ended_s": 12.0, "recovery_s": 3.5, "recomputed_tasks": 7, "failed_tasks": 2,
        "executors_lost": 1, "undisturbed_s": 8.0, "disturbed_s": 12.5, "rerun_s": None, "rerun_status": "",
        "differences": [], "largest_difference": 2e-7, "rows": 943, "left": [], "notes": [],
        "environment": {"host.cores": 4, "host.cpu": "invented"}, "basis": BASIS, "values": {"model": "als", "rank": 8},
        "shape": {"workers": 2, "cores": 1, "memory": "1g", "cpus": 0.5, "pin": True, "backend": ""},
        "at": 1_700_000_000.0,
    }  # fmt: skip
    return Drilled(**(values | changes))


# ---- plug-ins


@pytest.mark.parametrize("kind", DRILLS)
def test_every_drill_says_what_it_kills_and_what_recovery_means(kind):
    drill = DRILLS[kind]
    assert drill.what
    assert drill.recovered
    assert drill.refusal(SETTINGS, trial(baseline.fitted(DRILL, drill))) is None


@pytest.mark.parametrize("kind", DRILLS)
@pytest.mark.parametrize(
    "sets",
    [
        ["spark.master=spark://there:7077"],
        ["mlflow.uri=http://there:5000"],
        ["cassandra.contact_points=there"],
    ],
)
def test_what_was_not_started_here_is_not_killed(kind, sets):
    settings = cluster_settings.load(sets, {})
    refused = DRILLS[kind].refusal(settings, trial(baseline.fitted(DRILL, DRILLS[kind]), settings))
    concerned = {"mlflow.uri": {"mlflow"}, "cassandra.contact_points": {"cassandra"}}
    if kind in concerned.get(sets[0].partition("=")[0], DRILLS):
        assert "not started here" in refused
        assert "RECSCALE_" in refused
    else:
        assert refused is None


def test_a_worker_is_killed_only_where_another_is_left():
    single = trial(dataclasses.replace(DRILL, fixed={**DRILL.fixed, "workers": 1}))
    assert "set workers = 2" in DRILLS["worker"].refusal(SETTINGS, single)
    assert DRILLS["executor"].refusal(SETTINGS, single) is None


def test_a_server_that_docker_starts_again_is_no_drill():
    settings = dataclasses.replace(SETTINGS, backend="docker")
    assert re.search("Docker starts.*again", DRILLS["mlflow"].refusal(settings, trial(DRILL)))
    assert DRILLS["executor"].refusal(settings, trial(DRILL)) is None


def test_a_drill_disturbs_one_trial_that_fits_a_model():
    with pytest.raises(UsageError, match="als_scaling has 2"):
        trial(spec.load("als_scaling"))
    with pytest.raises(UsageError, match="fits none"):
        trial(Experiment("made", "?", job="generate"))


def test_the_value_that_a_drill_needs_goes_over_the_specs_grid():
    several = Experiment(
        "made", "?", fixed={"model": "als", "dataset": "movielens/1m"}, grid={"store": ["parquet"]}
    )
    fitted = baseline.fitted(several, DRILLS["cassandra"])
    assert trial(fitted).data.store == "cassandra"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["drill", "excutor"], "'excutor'.*'executor'"),
        (["drill", "executor", "dril"], "'dril'.*'drill'"),
        (["drill", "executor", "als_scaling"], r"\bals_scaling\b.*\b2\b.*one value"),
        (
            ["drill", "executor", "--cluster-set", "spark.master=spark://there:7077"],
            "executor.*spark://there:7077.*RECSCALE_SPARK_MASTER",
        ),
        (["drill", "all", "--cluster-set", "spark.master=spark://there:7077"], r"\bnone of the drills"),
    ],
)
def test_wrong_names_and_other_peoples_clusters_exit_with_two(arguments, message, tmp_path, capsys):
    assert main.main([*arguments, "--cluster-set", f"run_dir={tmp_path / 'run'}"]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


# ---- the fault


def event(name, phase="fit", pass_=1, ago=0.0):
    return {"event": name, "phase": phase, "pass_": pass_, "at": time.perf_counter() - ago}


def test_a_blow_falls_once_in_the_middle_of_its_phase_and_is_mended():
    done = []
    fault = Fault("fit", 1, 10.0, lambda: done.append("hit") or "victim", lambda: done.append("mend"))
    fault({"event": "tick"})
    fault(event("phase_start", pass_=0, ago=9.0))
    fault(event("phase_start", "score", ago=9.0))
    fault(event("phase_start", ago=4.0))
    assert done == []
    fault(event("phase_start", ago=6.0))
    assert done == ["hit"]
    fault({"event": "tick"})
    fault({"event": "tick"})
    assert done == ["hit", "mend"]
    assert fault.victim == "victim"
    assert fault.after_s >= 6.0
    assert fault.mended_s >= 0
    assert fault.struck() > 0


def test_a_phase_that_is_over_too_soon_is_no_drill():
    fault = Fault("fit", 0, 100.0, lambda: "victim")
    with pytest.raises(JobError, match="was never reached"):
        fault.struck()
    fault(event("phase_start", pass_=0, ago=1.0))
    fault(event("phase_end", pass_=0))
    fault({"event": "tick"})
    with pytest.raises(JobError, match="over before the fault"):
        fault.struck()


# ---- victims


@pytest.fixture
def marked(tmp_path):
    """Small programs that carry the mark of a worker of this folder, and one of another folder's."""
    started = []

    def start(run, name, words):
        code = f"import time; print('up', flush=True); time.sleep(60)  # {words}"
        environment = {**os.environ, SERVICE_MARKER: f"{run}:{name}"}
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, start_new_session=True
        )
        process.stdout.readline()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_only_what_carries_the_mark_of_this_folder_is_found_and_killed(tmp_path, marked):
    ours = marked(tmp_path, "spark-worker-2", "CoarseGrainedExecutorBackend")
    first = marked(tmp_path, "spark-worker-1", "CoarseGrainedExecutorBackend")
    python = marked(tmp_path, "spark-worker-1", "pyspark.daemon")
    theirs = marked(tmp_path / "other", "spark-worker-2", "CoarseGrainedExecutorBackend")
    assert [process.pid for process in victims.executors(tmp_path)] == [first.pid, ours.pid]
    assert {process.pid for process in victims.leftovers(tmp_path)} == {first.pid, ours.pid, python.pid}
    assert victims.owner(victims.executors(tmp_path)[-1]) == "spark-worker-2"
    assert victims.kill(victims.service(tmp_path, "spark-worker-2")) == 1
    assert ours.wait(10) == -9
    assert theirs.poll() is None
    with pytest.raises(JobError, match=r"spark-worker-2\b.*does not run"):
        victims.service(tmp_path, "spark-worker-2")
    moment, left = victims.gone(lambda: victims.leftovers(tmp_path), 0.0)
    assert moment is None
    assert len(left) == 2
    victims.kill(victims.leftovers(tmp_path))
    moment, left = victims.gone(lambda: victims.leftovers(tmp_path), 10.0)
    assert moment is not None
    assert left == []


def test_a_driver_that_this_process_did_not_start_is_not_found(tmp_path):
    with pytest.raises(JobError, match="does not run"):
        victims.driver(tmp_path)


# ---- tasks


def ended(stage, partition, reason="Success"):
    return {
        "Event": "SparkListenerTaskEnd", "Stage ID": stage, "Task End Reason": {"Reason": reason},
        "Task Info": {"Index": partition, "Partition ID": partition},
    }  # fmt: skip


def launched(executor, at):
    return {"Event": "SparkListenerTaskStart", "Task Info": {"Executor ID": executor, "Launch Time": at}}


LOG = [
    {"Event": "SparkListenerExecutorAdded", "Executor ID": "0", "Timestamp": 1_000},
    launched("0", 2_000), launched("0", 2_500),
    ended(0, 0), ended(0, 1), ended(1, 0),
    ended(1, 1, "ExecutorLostFailure"), ended(1, 2, "FetchFailed"), ended(0, 0, "Resubmitted"),
    {"Event": "SparkListenerExecutorRemoved", "Executor ID": "0", "Removed Reason": "Command exited with code 137"},
    {"Event": "SparkListenerExecutorAdded", "Executor ID": "2", "Timestamp": 9_000},
    launched("2", 9_750),
    ended(0, 0), ended(1, 1),
    {"Event": "SparkListenerApplicationEnd"},
    {"Event": "SparkListenerExecutorRemoved", "Executor ID": "2", "Removed Reason": "the end"},
]  # fmt: skip


def test_tasks_are_counted_by_how_they_ended(tmp_path):
    (tmp_path / "log").mkdir()
    lines = "".join(json.dumps(item) + "\n" for item in LOG)
    (tmp_path / "log" / "app-1.inprogress").write_text(lines + '{"Event":"SparkListenerTaskEnd","Sta')
    (tmp_path / "log" / "appstatus_app-1.inprogress").write_text(json.dumps(ended(7, 7)))
    found = tasks.read(tmp_path)
    assert (found.succeeded, found.failed) == (5, 3)
    assert found.lost == ["0: Command exited with code 137"]
    assert found.replaced_after(8.0) == pytest.approx(1.75)
    assert found.replaced_after(9.5) is None


def test_tasks_of_a_compressed_log_are_not_taken_for_none(tmp_path):
    (tmp_path / "app-1.zstd").write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(JobError, match=r"app-1\.zstd\b.*compressed"):
        tasks.read(tmp_path)


def test_no_log_is_no_tasks(tmp_path):
    assert tasks.read(tmp_path / "absent") == tasks.Tasks()


# ---- rows and models


def lists(*scores, items=(7, 8, 9), version="one"):
    made = [
        {"user": number, "items": list(items), "scores": list(found)} for number, found in enumerate(scores)
    ]
    return Rows.of(made, version)


def test_the_order_of_rows_does_not_count_but_each_of_them_does():
    made = [{"user": 1, "key": "a"}, {"user": 2, "key": None}, {"user": 2, "key": None}]
    first, turned = Rows.of(made, "x"), Rows.of(reversed(made), "y")
    assert rows.differences(first, turned, "users") == []
    changed = Rows.of([*made[:2], {"user": 2, "key": "b"}], "x")
    pairs = ((first, Rows.of(made[:2], "x")), (first, changed), (first, None), (None, first))
    patterns = (
        r"\b3 rows undisturbed\b.*\b2 after",
        r"\bdigest\b",
        "not there after",
        "not there undisturbed",
    )
    for pair, pattern in zip(pairs, patterns, strict=True):
        (found,) = rows.differences(*pair, "users")
        assert re.search(f"^users: .*{pattern}", found)


def test_lists_may_differ_in_the_last_digit_of_their_scores_only():
    first = lists([3.0, 2.0, 1.0], [3.0, 2.0, 1.0])
    assert rows.differences(first, lists([3.0, 2.0 + 9e-5, 1.0], [3.0, 2.0, 1.0]), "r") == []
    (found,) = rows.differences(first, lists([3.0, 2.1, 1.0], [3.0, 2.0, 1.0]), "r")
    assert re.search(r"^r: .*\b0\.1$", found)
    assert "other lengths" in rows.differences(first, lists([3.0, 2.0], [3.0, 2.0, 1.0]), "r")[0]
    other = dataclasses.replace(first, users=[0, 2])
    assert "other users" in rows.differences(first, other, "r")[0]
    assert "differ" in rows.differences(first, lists([3.0, float("nan"), 1.0], [3.0, 2.0, 1.0]), "r")[0]
    other = lists([3.0, 2.0, 1.0], [3.0, 2.0, 1.0], items=(7, 9, 8))
    assert re.search(r"^r: 4 of 6 places\b", rows.differences(first, other, "r")[0])


def test_two_items_of_one_score_may_change_places():
    many = [[5.0, 5.0, 4.0]] * 1000
    first = lists(*many)
    swapped = dataclasses.replace(first, items=[[8, 7, 9], *first.items[1:]])
    assert rows.differences(first, swapped, "r") == []
    assert rows.exchanged(first, swapped) == 2


def test_rows_are_kept_and_read_back(tmp_path):
    found = lists([3.0, 2.0, 1.0])
    found.save(tmp_path / "rows.json")
    assert Rows.load(tmp_path / "rows.json") == found
    assert Rows.load(tmp_path / "absent.json") is None
    (tmp_path / "half.json").write_text('{"count": 1')
    assert Rows.load(tmp_path / "half.json") is None


def test_models_are_the_same_within_a_ten_thousandth():
    assert model_differs([3.0, 4.0], [3.0, 4.0 + 5e-5])[1] == []
    largest, (found,) = model_differs([3.0, 4.0], [3.0, 4.1])
    assert largest == pytest.approx(0.1)
    assert re.search(r"^model: .*\b0\.1$", found)
    largest, (found,) = model_differs([3.0], [3.0, 4.0])
    assert largest is None
    assert re.search(r"^model: 1 and 2 predictions\b", found)
    assert model_differs([3.0], [float("nan")])[1]


def test_a_drill_reads_the_data_sets_tables_and_writes_its_own(tmp_path):
    store = tmp_path / "store"
    for table in ("ratings", "recommendations_als", "similar_items_content"):
        (store / f"{table}.part-1").mkdir(parents=True)
        (store / table).symlink_to(f"{table}.part-1")
    request = Request(
        job="train", params={}, spark={}, store="parquet", store_root=str(store), work="w", events="e"
    )
    moved = own_tables(request, tmp_path / "drill")
    assert [path.name for path in (tmp_path / "drill" / "store").iterdir()] == ["ratings"]
    assert (tmp_path / "drill" / "store" / "ratings").resolve() == store / "ratings.part-1"
    assert rows.read(moved, "recommendations_als") is None
    kept = dataclasses.replace(request, store="cassandra", store_root="ml-100k")
    assert own_tables(kept, tmp_path) == kept


# ---- verdict, record, report


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
    settings = cluster_settings.load([f"run_dir={tmp_path}"], {})
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
    assert run.data.params == {"model": "als", "rank": "8"}
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
    recorder = DrillRecorder(uri, artifacts_in)
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


def test_a_spec_without_a_shape_takes_the_settings(monkeypatch):
    bare = Experiment("made", "?", fixed={"model": "als", "dataset": "movielens/1m"})
    assert trial(bare).shape == Shape(2, 1, "2g")


class Lent:
    """A cluster that only remembers what shape it was brought to."""

    asked: ClassVar[list] = []

    def __init__(self, settings, _say):
        self.backend = settings.backend

    def status(self):
        return []

    def reshape(self, *size, **limits):
        self.asked.append((self.backend, *size, limits))

    def down(self, _groups):
        return []


def test_workers_of_a_drill_have_the_whole_shape_of_its_trial(tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.drills.session.Cluster", Lent)
    shape = Shape(2, 1, "1g", cpus=0.5, pin=True, backend="docker")
    trial = Trial("train", "als", {}, shape, None, {})
    session = Session(None, cluster_settings.load([f"run_dir={tmp_path}"], {}), Progress(), "")
    with session._lent(trial):
        spark = session.settings.spark
        assert (spark.workers, spark.cpus, spark.pin, session.settings.backend) == (2, 0.5, True, "docker")
    assert Lent.asked == [("docker", 2, 1, "1g", 0.5, {"pin": True})]
