"""What is taken up again after an interruption or a recording that failed, without a cluster."""

import dataclasses
import json
import re
import urllib.request
from types import SimpleNamespace

import pytest
from invented import BASIS, application, outcome

from cluster import configuration
from cluster.backends.local.driver import LocalDriverHost
from cluster.shape import Shape
from core.errors import RecordingError, ServiceError
from experiments.cli.commands import demo
from experiments.report.show import finish
from experiments.results.outcome import load, stored
from experiments.results.parts import Launched
from experiments.run.harness import Harness
from experiments.run.pending import take_up
from experiments.run.progress import Progress
from experiments.run.runner import Sweep, open_recorder
from experiments.spec import loading as spec
from experiments.spec.experiment import Experiment
from experiments.spec.trial import Data, Trial
from jobs.runtime.request import PhaseTime, Result

KEY = "1" * 64
TRIAL = Trial(
    "train", "als", {}, Shape(1, 1, "1g"), Data("movielens/1m"), {}, applications=3, model={"name": "als"}
)
HOST = {key: value for key, value in outcome().environment.items() if key.startswith("host.")}
CONTEXT = {"shape_tag": "clean", "basis": BASIS, "data": {}, "environment": HOST, "tags": {}}


@pytest.fixture
def settings(tmp_path):
    return configuration.load([f"run_dir={tmp_path / 'run'}"], {})


@pytest.fixture
def this_host(monkeypatch):
    monkeypatch.setattr("experiments.run.environment.host", lambda: HOST)


def keep(folder, item):
    place = folder / item.key[:16] / item.attempt
    item.save(place)
    return place


@pytest.mark.usefixtures("this_host")
@pytest.mark.parametrize("status", ["killed", "running"])
def test_interrupted_attempt_goes_on_with_what_ended_well(tmp_path, status):
    made = [application(0, [9, 1]), application(1, [9], status="killed")]
    place = keep(tmp_path, outcome(made, key=KEY, environment=HOST, status=status, revision=4))
    pending = take_up(tmp_path, "invented", TRIAL, KEY, CONTEXT)
    assert pending.folder == place
    assert pending.open
    assert [item.number for item in pending.outcome.applications] == [0]
    assert (pending.outcome.wanted, pending.outcome.revision) == (3, 4)


@pytest.mark.usefixtures("this_host")
@pytest.mark.parametrize(
    "changes",
    [
        {"status": "failed"},
        {"status": "ok"},
        {"status": "killed", "environment": {**HOST, "host.cpu": "another"}},
        {"status": "killed", "tags": {"fallback": "stands in"}},
        {"status": "killed", "key": "2" * 64},
    ],
)
def test_anything_else_begins_a_new_attempt(tmp_path, changes):
    old = outcome([application(0, [9, 1])], **({"key": KEY, "environment": HOST} | changes))
    keep(tmp_path, old)
    pending = take_up(tmp_path, "invented", TRIAL, KEY, CONTEXT)
    assert pending.outcome.applications == []
    assert pending.outcome.attempt != old.attempt


def test_last_application_ends_a_trial_and_a_failure_ends_it_early():
    running = dataclasses.replace(outcome(), wanted=2, status="running", revision=0)
    one = running.plus(application(0, [9, 1]))
    assert (one.status, one.revision) == ("running", 0)
    assert one.plus(application(1, [9, 1])).status == "ok"
    failed = one.plus(application(1, [9], status="failed", error="boom"))
    assert (failed.status, failed.error, failed.revision) == ("failed", "boom", 1)
    assert one.interrupted().error == "interrupted after 1 of 2 applications"


def test_outcome_is_kept_whole_and_another_versions_is_passed_over(tmp_path):
    item = outcome([application(0, [9, 1])])
    place = keep(tmp_path, item)
    assert load(place / "outcome.json") == item
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "outcome.json").write_text('{"of": "another version", "applications": []}')
    (tmp_path / "x" / "z").mkdir()
    (tmp_path / "x" / "z" / "outcome.json").write_text("{")
    assert [found for _, found in stored(tmp_path)] == [item]


def test_what_could_not_be_recorded_is_recorded_by_the_next_run_once(settings, caplog):
    sweep = Sweep(Experiment("invented", "?"), settings, Progress(), "")
    folder = settings.run_dir / "experiments" / "invented"
    good = outcome([application(0, [9, 1])], 1, environment=HOST)
    bad = outcome([application(0, [9], status="failed")], 2, environment=HOST, status="failed", error="boom")
    for item in (good, bad, outcome(workers=3, status="running", revision=0)):
        keep(folder, item)
    recorder = open_recorder(settings, None)
    sweep._catch_up(recorder)
    sweep._catch_up(recorder)
    assert recorder.recorded("invented") == {good.attempt: 1, bad.attempt: 1}
    assert recorder.finished("invented", 1) == {good.key}
    assert caplog.text.count("recorded now") == 2


def test_recording_that_fails_is_said_and_does_not_stop_the_sweep(settings, caplog):
    sweep = Sweep(Experiment("invented", "?"), settings, Progress(), "")

    def broken():
        raise RecordingError("the disk is full")

    sweep._try(broken)
    assert sweep.unrecorded == ["the disk is full"]
    assert "will be with the next run" in caplog.text


def test_a_fault_of_ours_while_recording_shows_its_traceback_and_does_not_stop_the_sweep(settings, caplog):
    sweep = Sweep(Experiment("invented", "?"), settings, Progress(), "")

    def faulty():
        return {}["no such key"]

    sweep._try(faulty)
    assert sweep.unrecorded == ["KeyError: 'no such key'"]
    assert "in faulty" in caplog.text


def test_an_outcome_that_cannot_be_recorded_for_a_fault_of_ours_does_not_stop_the_next_run(settings, caplog):
    sweep = Sweep(Experiment("invented", "?"), settings, Progress(), "")
    folder = settings.run_dir / "experiments" / "invented"
    good, bad = outcome([application(0, [9, 1])], 1), outcome([application(0, [9, 1])], 2, data={"name": "x"})
    for item in (good, bad):
        keep(folder, item)
    recorder = open_recorder(settings, None)
    sweep._catch_up(recorder)
    assert recorder.recorded("invented") == {good.attempt: 1}
    assert "Traceback" in caplog.text
    assert sweep.unrecorded == ["KeyError: 'digest'"]


def test_two_experiments_do_not_share_a_cluster(settings):
    with (
        Harness(settings),
        pytest.raises(ServiceError, match=r"another experiment\b.*cluster"),
        Harness(settings),
    ):
        pass
    with Harness(settings):
        pass


def test_demo_says_so_when_other_data_stands_in(settings, monkeypatch, caplog):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # urllib keeps the proxies of its first request for good.
    monkeypatch.setattr(urllib.request, "_opener", None)
    experiment, told = demo.reachable(spec.load("demo"), settings)
    assert experiment.fixed["data.name"] == "synthetic/ml-latest-small"
    assert told["requested"] == "movielens/latest-small"
    assert re.search(r"\bfor movielens/latest-small\b.*not be reached", told["fallback"])
    assert re.search(r"\bmovielens/latest-small could not be reached", caplog.text)


@pytest.mark.usefixtures("this_host")
def test_an_interrupted_attempt_that_has_enough_is_done(tmp_path):
    made = [application(n, [9, 1]) for n in range(4)]
    keep(tmp_path, outcome(made, key=KEY, environment=HOST, status="killed", wanted=5, revision=1))
    pending = take_up(tmp_path, "invented", TRIAL, KEY, CONTEXT)
    assert not pending.open
    assert (pending.outcome.status, pending.outcome.revision) == ("ok", 2)
    assert [item.number for item in pending.outcome.applications] == [0, 1, 2, 3]


def test_without_the_record_a_report_is_of_all_that_lies_on_disk(settings, monkeypatch, caplog):
    sweep = Sweep(Experiment("invented", "?"), settings, Progress(), "")
    folder = settings.run_dir / "experiments" / "invented"
    earlier = outcome([application(0, [9, 1])], 1)
    failed = dataclasses.replace(earlier, attempt="20270101-000000-000000", status="failed", error="boom")
    now = outcome([application(0, [9, 2])], 2)
    for item in (earlier, failed, now):
        keep(folder, item)
    sweep.keyed = [(item.key, TRIAL) for item in (earlier, now)]
    sweep.unrecorded.append("the server went away")

    def gone(*_):
        raise RecordingError("nobody answers")

    monkeypatch.setattr("experiments.report.show.open_recorder", gone)
    assert finish(sweep, "failed") == 1
    values = json.loads((settings.run_dir / "reports" / "invented.json").read_text())
    assert [item["attempt"] for item in values["trials"]] == [earlier.attempt, now.attempt]
    assert re.search("on disk.*: nobody answers", caplog.text)


class AtOnce:
    """Stands where the harness stands and answers at once: a pass takes two seconds."""

    external, default_store = True, "parquet"

    def __init__(self, settings):
        self.settings = settings
        self.cluster = SimpleNamespace(
            spark_master="spark://nowhere:1", driver_host=LocalDriverHost(settings)
        )

    def driver_host(self, _backend):
        return self.cluster.driver_host

    def use(self, shape):
        pass

    def reach(self, store):
        return {}

    def launch_parts(self, parts, folder, shape):
        result = Result("train", "ok", [PhaseTime("fit", 0, "repeat", 2.0, 1)])
        return [Launched(result, "ok", 1.0, 1.0, 1.0, 5.0, []) for _ in parts]


def test_applications_of_one_round_are_told_from_those_of_another_run(settings):
    recorder = SimpleNamespace(record=lambda *_: None)
    trials = [
        ("1" * 64, Trial("train", "one", {}, Shape(1, 1, "1g"), None, {}, applications=2)),
        ("2" * 64, Trial("train", "two", {}, Shape(2, 1, "1g"), None, {}, applications=2)),
    ]
    runs = []
    for todo in (trials, trials[1:]):
        sweep = Sweep(Experiment("invented", "?"), settings, Progress(), "")
        sweep.places = {"": "here"}
        sweep._sweep(AtOnce(settings), recorder, None, todo)
        runs.append({item.key[0]: [one.round_id for one in item.measured] for item in sweep.outcomes})
    together, later = runs
    assert together["1"] == together["2"]
    assert len(set(together["1"])) == 2
    assert not set(later["2"]) & set(together["2"])
    kept = [item for _, item in stored(settings.run_dir / "experiments" / "invented") if item.key[0] == "1"]
    assert [one.round_id for one in kept[0].measured] == together["1"]
