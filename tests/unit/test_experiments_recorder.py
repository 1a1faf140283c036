"""The recorder on a real MLflow database: nothing is lost, nothing stands there twice."""

import dataclasses
import json
import re
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from invented import BASIS
from invented_pairs import ledger
from mlflow.exceptions import MlflowException
from recording import ABOUT, runs, trial, write

from core.errors import RecordingError
from experiments.record.recorder import Recorder
from experiments.record.tracking import explained
from experiments.results.outcome import FILE
from experiments.studies.compare.record import tree_of
from experiments.studies.compare.verdict import verdict_of


def test_trial_becomes_a_run_that_reads_as_it_comes(named):
    recorder, client, name, folder = named
    item = trial(name, values={"model.rank": 8, "job.select": {"reg": [0.1]}}, tags={"fallback": "stands in"})
    parent = recorder.open(name, BASIS, [item.key], ABOUT)
    seconds = recorder.record(item, write(item, folder), parent)
    recorder.close(parent, "ok")
    (run,) = runs(client, name)
    assert run.info.run_name == "als w1\u00d71c"
    assert run.info.status == "FINISHED"
    assert (run.info.end_time - run.info.start_time) == 20_000
    assert run.data.params["model.rank"] == "8"
    assert run.data.params["job.select"] == '{"reg": [0.1]}'
    assert run.data.params["shape.workers"] == "1"
    assert run.data.metrics["rmse"] == 0.9
    assert run.data.metrics["fit_s"] == run.data.metrics["total_s"] == 1.5
    assert run.data.metrics["cold/fit_s"] == 9.0
    assert run.data.metrics["harness/recording_s"] == pytest.approx(seconds, abs=0.5)
    assert [m.value for m in client.get_metric_history(run.info.run_id, "repeats/fit_s")] == [1.0, 2.0]
    first = {metric for metric in run.data.metrics if "/" not in metric}  # MLflow's section "Model metrics"
    assert first == {"fit_s", "total_s", "rmse", "coverage"}
    assert run.data.tags["recscale.fallback"] == "stands in"
    assert run.data.tags["mlflow.parentRunId"] == parent.run_id
    assert run.data.tags["git.commit"] == "abc"
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("movielens/1m", "d1")
    artifacts = {entry.path for entry in client.list_artifacts(run.info.run_id, "app-0")}
    assert artifacts == {f"app-0/{n}" for n in ("request.json", "result.json", "events.jsonl", "driver.log", "telemetry.json")}  # fmt: skip
    assert client.get_run(parent.run_id).info.status == "FINISHED"
    assert [entry.path for entry in client.list_artifacts(parent.run_id)] == ["spec.toml"]


def test_comparisons_are_kept_apart_from_trials_and_replace_what_stood_there(named):
    recorder, client, name, folder = named
    item = trial(name)
    parent = recorder.open(name, BASIS, [item.key], ABOUT)
    recorder.record(item, write(item, folder), parent)
    made = ledger(folder / "pairs", ratio=1.3)
    for status in ("killed", "ok"):
        top = recorder.keep(name, tree_of(made, verdict_of(made, "total_s")), made.about["key"], status)
    where = [client.get_experiment_by_name(name).experiment_id]
    found = client.search_runs(where, "tags.`recscale.kind` LIKE 'comparison%'")
    assert len(found) == 3  # the interrupted one's were replaced
    assert {run.info.status for run in found} == {"FINISHED"}
    root = client.get_run(top)
    assert root.data.tags["recscale.verdict"] == "slower"
    assert "contender is slower" in root.data.tags["mlflow.note.content"]
    assert len(client.get_metric_history(top, "pair_ratio")) == 8
    sides = {run.data.params["side"]: run for run in found if run.info.run_id != top}
    assert sides.keys() == {"baseline", "contender"}
    assert all(run.data.tags["mlflow.parentRunId"] == top for run in sides.values())
    seconds = client.get_metric_history(sides["baseline"].info.run_id, "applications/total_s")
    assert [metric.value for metric in seconds] == [2.0] * 8
    assert sides["baseline"].data.metrics["total_s"] == 2.0
    assert [known.attempt for known in recorder.outcomes(name)[1]] == [item.attempt]
    assert recorder.finished(name, 1) == {item.key}
    assert recorder.recorded(name).keys() == {item.attempt}


def test_what_was_recorded_is_read_back_whole(named):
    recorder, _, name, folder = named
    first, second = trial(name, 1), trial(name, 2, values={"model.rank": 8})
    parent = recorder.open(name, BASIS, [second.key, first.key], ABOUT)
    for item in (first, second):
        recorder.record(item, write(item, folder), parent)
    about, found = recorder.outcomes(name)
    assert about["question"] == "How fast?"
    assert [item.key for item in found] == [second.key, first.key]
    assert [dataclasses.replace(item, recording_s=None) for item in found] == [second, first]
    assert all(item.recording_s > 0 for item in found)


def test_only_what_ended_well_often_enough_is_finished(named):
    recorder, _, name, folder = named
    good, short = trial(name, 1, applications=2), trial(name, 2)
    bad = trial(name, 3, status="failed", error="the worker died\nits log")
    parent = recorder.open(name, BASIS, [], ABOUT)
    for item in (good, short, bad):
        recorder.record(item, write(item, folder), parent)
    assert recorder.finished(name, 2) == {good.key}
    assert recorder.finished(name, 1) == {good.key, short.key}


def test_failed_trial_is_recorded_with_its_error(named):
    recorder, client, name, folder = named
    bad = trial(name, 1, status="failed", error="spark-worker-1 died")
    recorder.record(bad, write(bad, folder), recorder.open(name, BASIS, [bad.key], ABOUT))
    (run,) = runs(client, name)
    assert run.info.status == "FAILED"
    assert run.data.tags["recscale.error"] == "spark-worker-1 died"
    assert "spark-worker-1 died" in run.data.tags["mlflow.note.content"]


def test_interrupted_trial_that_went_on_replaces_its_run(named):
    recorder, client, name, folder = named
    cut = trial(name, 1, status="killed", revision=1)
    whole = trial(name, 1, applications=2, revision=2)
    parent = recorder.open(name, BASIS, [cut.key], ABOUT)
    recorder.record(cut, write(cut, folder), parent)
    assert [run.info.status for run in runs(client, name)] == ["KILLED"]
    recorder.record(whole, write(whole, folder), parent)
    assert [run.info.status for run in runs(client, name)] == ["FINISHED"]
    assert recorder.recorded(name) == {whole.attempt: 2}


def test_recording_that_broke_off_is_made_anew(named):
    recorder, client, name, folder = named
    item = trial(name, 1)
    parent = recorder.open(name, BASIS, [item.key], ABOUT)
    place = write(item, folder)
    (place / "outcome.json").rename(place / "hidden")
    with pytest.raises(RecordingError):
        recorder.record(item, place, parent)
    assert recorder.recorded(name) == {}
    assert recorder.finished(name, 1) == set()
    (place / "hidden").rename(place / "outcome.json")
    recorder.record(item, place, parent)
    assert len(runs(client, name)) == 1
    assert recorder.finished(name, 1) == {item.key}


def test_run_that_a_person_deleted_is_not_recorded_again_but_not_finished(named):
    recorder, client, name, folder = named
    item = trial(name, 1)
    recorder.record(item, write(item, folder), recorder.open(name, BASIS, [item.key], ABOUT))
    client.delete_run(runs(client, name)[0].info.run_id)
    assert recorder.recorded(name) == {item.attempt: 1}
    assert recorder.finished(name, 1) == set()


def test_parent_is_taken_up_until_code_packages_or_rows_change(named):
    recorder, _, name, _ = named
    first = recorder.open(name, BASIS, ["a" * 64], ABOUT)
    assert (first.opened, first.why) == (True, [])
    more = {**BASIS, "data": {**BASIS["data"], "movielens-10m": "d2"}}
    assert recorder.open(name, more, ["a" * 64], ABOUT).run_id == first.run_id
    changed = recorder.open(name, {**more, "code": "new"}, ["b" * 64], ABOUT)
    assert changed.opened
    (why,) = changed.why
    assert re.search(r"\bcode\b.*\bjobs\b.*\bdatasets\b", why)
    rows = recorder.open(name, {**more, "data": {"movielens-10m": "other"}}, ["c" * 64], ABOUT)
    assert rows.opened
    third = recorder.open(name, {**more, "data": {"movielens-10m": "third"}}, [], ABOUT)
    assert [why for why in third.why if re.search(r"\brows of movielens-10m\b", why)]
    assert recorder.open(name, more, ["a" * 64], ABOUT).run_id == first.run_id


def test_single_trials_add_up_under_one_parent(named):
    recorder, _, name, folder = named
    first, second = trial(name, 1), trial(name, 2)
    for item in (first, second):
        parent = recorder.open(name, BASIS, [item.key], {**ABOUT, "adds": "yes"})
        recorder.record(item, write(item, folder), parent)
    assert [item.key for item in recorder.outcomes(name)[1]] == [first.key, second.key]


def test_hundreds_of_keys_fit(named):
    recorder, client, name, _ = named
    keys = [f"{number:064d}"[::-1] for number in range(600)]
    parent = recorder.open(name, BASIS, keys, ABOUT)
    assert recorder.outcomes(name) == ({"question": "How fast?", "run_id": parent.run_id}, [])
    assert client.get_run(parent.run_id).data.tags["recscale.keys"] == "3"


def test_experiment_that_was_deleted_is_restored(named):
    recorder, client, name, _ = named
    recorder.open(name, BASIS, ["a" * 64], ABOUT)
    client.delete_experiment(client.get_experiment_by_name(name).experiment_id)
    recorder.open(name, {**BASIS, "code": "new"}, ["a" * 64], ABOUT)
    assert client.get_experiment_by_name(name).lifecycle_stage == "active"


def test_nothing_recorded_is_read_as_nothing(named):
    recorder, client, name, _ = named
    assert recorder.outcomes(name) == ({}, [])
    assert recorder.finished(name, 1) == set()
    assert client.get_experiment_by_name(name) is None


def test_database_that_cannot_be_opened_is_one_kind_of_error(tmp_path):
    with pytest.raises(RecordingError, match="MLflow at"):
        Recorder("sqlite:////proc/absent/mlflow.db", tmp_path).recorded("x")


def test_faults_of_ours_are_no_fault_of_mlflow():
    for error in (KeyError("key"), TypeError("type"), AttributeError("attribute"), ValueError("value")):
        with pytest.raises(type(error)), explained("sqlite://"):
            raise error
    for error in (MlflowException("no"), ConnectionError("no"), PermissionError("no")):
        with pytest.raises(RecordingError) as raised, explained("sqlite://"):
            raise error
        assert raised.value.__cause__ is error


def test_a_recorded_trial_that_another_version_wrote_is_left_out_and_said(named, caplog):
    recorder, _, name, folder = named
    good, other = trial(name), trial(name, 2)
    parent = recorder.open(name, BASIS, [good.key, other.key], ABOUT)
    for item in (good, other):
        kept = write(item, folder)
        if item is other:
            (kept / FILE).write_text(json.dumps({**json.loads((kept / FILE).read_text()), "format": 99}))
        recorder.record(item, kept, parent)
    assert [found.key for found in recorder.outcomes(name)[1]] == [good.key]
    assert other.label in caplog.text


@pytest.fixture
def server(monkeypatch):
    """A server of another kind, which answers everything with a page."""
    from mlflow import environment_variables  # noqa: PLC0415 - after the recorder has said what it wants of MLflow

    monkeypatch.setenv(environment_variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES.name, "0")

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"page")

        def log_message(self, *_):
            pass

    made = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()
    thread.join()


def test_what_is_no_mlflow_server_and_what_is_no_database_of_it_are_the_same_kind_of_error(server, tmp_path):
    (tmp_path / "text.db").write_text("not a database " * 500)
    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("CREATE TABLE alembic_version (version_num VARCHAR)")
    newer.execute("INSERT INTO alembic_version VALUES ('ffffffffffff')")
    newer.commit()
    newer.close()
    for uri in (server, f"sqlite:///{tmp_path / 'text.db'}", f"sqlite:///{tmp_path / 'newer.db'}"):
        with pytest.raises(RecordingError, match="MLflow at"):
            Recorder(uri, None).recorded("x")


def test_a_tag_that_somebody_removed_names_the_run(named):
    recorder, client, name, folder = named
    item = trial(name)
    recorder.record(item, write(item, folder), recorder.open(name, BASIS, [item.key], ABOUT))
    (run,) = runs(client, name)
    client.delete_tag(run.info.run_id, "recscale.key")
    with pytest.raises(RecordingError, match=run.info.run_id):
        recorder.finished(name, 1)


def test_a_failed_attempt_does_not_hide_an_earlier_good_one(named):
    recorder, _, name, folder = named
    good = trial(name, 1)
    bad = trial(
        name, 1, attempt="20270101-000000-000000", status="failed", error="boom", ended_at=1_800_000_000.0
    )
    parent = recorder.open(name, BASIS, [good.key], ABOUT)
    for item in (good, bad):
        recorder.record(item, write(item, folder), parent)
    (shown,) = recorder.outcomes(name)[1]
    assert shown.attempt == good.attempt


def test_a_parent_of_another_host_is_not_taken_up(named):
    recorder, _, name, _ = named
    first = recorder.open(name, {**BASIS, "place": "here"}, ["a" * 64], ABOUT)
    other = recorder.open(name, {**BASIS, "place": "there"}, ["b" * 64], ABOUT)
    assert other.run_id != first.run_id
    (why,) = other.why
    assert re.search(r"\bhost\b.*\bJava\b.*\bmemory\b.*\bmaster\b", why)
