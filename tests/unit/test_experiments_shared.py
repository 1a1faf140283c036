"""Trials that share an application: which do, how they are told apart, and that nothing is claimed of their times."""

import csv
import dataclasses
import io
import json
import re
import time
from argparse import ArgumentParser
from pathlib import Path

import pytest
from eventlogs import application as lived
from eventlogs import executor, job, lost, phase, stage, task, wanted, write
from invented import application, outcome
from launching import launcher, request

from cluster.shape import Shape
from core.errors import UsageError
from experiments.cli import arguments
from experiments.record.run_tags import params, tags
from experiments.report.report import Report
from experiments.results.metrics import cold
from experiments.results.outcome import Share, load, stored
from experiments.results.parts import Following, Part
from experiments.run.applications import FOLDER
from experiments.run.pending import MOST_SHARING, Pending, applications, sharing
from experiments.spec import loading as spec
from experiments.spec.experiment import Comparison, Experiment
from experiments.spec.trial import Data, Trial
from experiments.stats import faster, summaries
from experiments.stats.families import looked
from experiments.studies.capacity.planner import Candidates
from experiments.studies.capacity.points import points_of
from experiments.studies.cost.rivals import rivals
from experiments.studies.scaling.curves import curves
from experiments.telemetry import telemetry
from experiments.telemetry.bottleneck.causes import LOST
from experiments.telemetry.bottleneck.inflation import inflation
from jobs.runtime.request import LOG_MARK, PhaseTime, Result

SHAPE = Shape(1, 1, "1g")
TRIAL = Trial(
    "train", "als", {}, SHAPE, Data("movielens/1m", store="parquet"), {}, shared=True, model={"name": "als"}
)


def pending(tmp_path, trial=TRIAL, **changes):
    trial = dataclasses.replace(trial, **changes)
    return Pending(trial, tmp_path / trial.label, outcome(status="running", wanted=trial.applications))


def labels(groups):
    return [[item.trial.label for item in group] for group in groups]


@pytest.mark.parametrize(
    "other",
    [
        {"shape": Shape(2, 1, "1g")},
        {"data": Data("movielens/1m", store="cassandra")},
        {"data": Data("movielens/1m", cleaning={"k_core": 5}, store="parquet")},
        {"spark": {"spark.sql.adaptive.enabled": "true"}},
        {"partitions": 4},
        {"job": "topn"},
    ],
)
def test_only_trials_of_one_session_share_an_application(tmp_path, other):
    found = sharing(
        [
            pending(tmp_path, label="one"),
            pending(tmp_path, label="other", **other),
            pending(tmp_path, label="two", model={"name": "bias"}),
        ]
    )
    assert labels(found) == [["one", "two"], ["other"]]


def test_an_application_has_room_for_some_trials_only(tmp_path):
    many = [pending(tmp_path, label=str(number)) for number in range(MOST_SHARING + 1)]
    assert [len(group) for group in sharing(many)] == [MOST_SHARING, 1]


def test_trials_that_an_application_left_unfinished_come_again_in_another(tmp_path):
    items = [pending(tmp_path, label=name) for name in ("one", "two", "three")]
    seen = []
    for round_id, group in applications(items, "run"):
        assert round_id is None  # nothing is paired
        seen += labels([group])
        done = group[: max(1, 2 - len(seen) + 1)]  # the first application breaks off after two
        for item in done:
            item.outcome = dataclasses.replace(item.outcome, status="ok")
    assert seen == [["one", "two", "three"], ["three"]]


def test_trials_that_share_none_have_applications_of_their_own(tmp_path):
    items = [pending(tmp_path, label=name, shared=False) for name in ("one", "two")]
    seen = []
    for _, group in applications(items, "run"):
        seen += labels([group])
        group[0].outcome = dataclasses.replace(group[0].outcome, status="ok")
    assert seen == [["one"], ["two"]]


def read(**values):
    fixed = {"data.name": "movielens/1m", "model.name": "als"}
    return spec.read("made", {"question": "?", **fixed, **values})


def test_a_spec_and_the_command_line_may_ask_for_shared_applications():
    experiment = read(applications="shared")
    assert (experiment.applications, experiment.shared) == (1, True)
    (trial,) = experiment.trials(SHAPE)
    assert trial.shared
    own = spec.with_effort(experiment, 5, None)
    assert (own.applications, own.shared) == (5, False)
    assert spec.with_effort(own, "shared", None).shared
    assert spec.with_effort(experiment, None, 2).shared
    assert not read(applications=3).shared


@pytest.mark.parametrize(
    "values",
    [
        {"applications": "shard"},
        {"shared": True},
        {"applications": "shared", "search": {"space": {"model.rank": [4, 8]}}},
    ],
)
def test_what_cannot_be_shared_is_refused(values):
    with pytest.raises(UsageError):
        read(**values)


def test_applications_are_a_number_or_shared_where_a_command_can_share():
    parser = ArgumentParser()
    arguments.effort(parser, may_share=True)
    assert parser.parse_args(["--applications", "shared"]).applications == "shared"
    assert parser.parse_args(["--applications", "5"]).applications == 5
    with pytest.raises(SystemExit):
        parser.parse_args(["--applications", "shard"])
    separate = ArgumentParser()
    arguments.effort(separate)
    with pytest.raises(SystemExit):
        separate.parse_args(["--applications", "shared"])


def test_a_shared_trial_does_not_count_as_a_separate_one_is_finished():
    own = dataclasses.replace(TRIAL, shared=False)
    assert TRIAL.key("d", "c", "l", "p") != own.key("d", "c", "l", "p")


def test_a_model_of_time_does_not_learn_from_shared_applications():
    with pytest.raises(UsageError, match="APPLICATIONS=1"):
        Candidates.of(read(applications="shared", grid={"clean.sample": [0.1, 0.5, 1.0]}), SHAPE, 4)


# One process, several parts.


def part(folder, name, timeout_s=60.0, **changes):
    place = folder / name
    place.mkdir()
    heard = []
    return Part(request(place, **changes), place, timeout_s, heard.append), heard


def test_parts_that_never_began_are_left_to_another_application(tmp_path):
    """Without a master no session opens, and what asks for one afterwards is to try in a process of its own."""
    (one, heard), (two, _) = (part(tmp_path, name) for name in ("one", "two"))
    (launched,) = launcher().run_parts([one, two], tmp_path)
    assert launched.status == "failed"
    assert "names no spark.master" in launched.result.error
    assert {"application_start", "application_end"} <= {event["event"] for event in heard}
    assert (two.folder / "request.json").exists()
    assert not (two.folder / "result.json").exists()
    assert "names no spark.master" in (one.folder / "driver.log").read_text()


def said(part, *events):
    with Path(part.request.events).open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def times(name, at, **values):
    return {"event": name, "at": at, **values}


def test_each_part_has_its_own_time_losses_log_and_deadline(tmp_path):
    begin = time.perf_counter()
    (one, heard_one), (two, heard_two), (three, _) = (
        part(tmp_path, name, timeout_s=seconds)
        for name, seconds in (("one", 100.0), ("two", 7.0), ("three", 1.0))
    )
    following = Following([one, two, three], begin)
    assert following.deadline == begin + 100.0
    said(one, times("application_start", begin + 1), times("session_ready", begin + 4))
    following.look()
    following.died.append("spark-worker-2")
    said(
        one,
        times("phase_start", begin + 5),
        times("phase_end", begin + 8),
        times("application_end", begin + 10),
    )
    Result("train", "ok").save(one.folder / "result.json")
    said(two, times("application_start", begin + 10.5), times("phase_start", begin + 11))
    ended = {"phase": "fit", "pass_": 0, "kind": "warmup", "seconds": 1.5, "spark_jobs": 2}
    said(two, times("phase_end", begin + 12, **ended))
    following.look()
    following.tick()
    assert [event["event"] for event in heard_one][-1] == "application_end"
    assert [event["event"] for event in heard_two] == [
        "application_start",
        "phase_start",
        "phase_end",
        "tick",
    ]
    assert following.deadline == pytest.approx(begin + 10 + 7.0)
    log = tmp_path / "driver.log"
    log.write_text(f"jvm\n{LOG_MARK}{one.request.events}\nfirst\n{LOG_MARK}{two.request.events}\nsecond\n")
    first, second = following.ended(log, "ok", "it took longer than its timeout", -9)
    assert (first.status, first.result.status, first.died) == ("ok", "ok", ["spark-worker-2"])
    assert (first.ready_s, first.start_s, first.stop_s, first.seconds) == pytest.approx((4, 5, 2, 10))
    assert (second.status, second.result.error, second.died) == (
        "failed",
        "it took longer than its timeout",
        [],
    )
    assert second.result.phases == [PhaseTime("fit", 0, "warmup", 1.5, 2)]
    assert second.ready_s is None
    assert second.start_s == pytest.approx(1)
    assert (one.folder / "driver.log").read_text().splitlines()[::2] == ["jvm", "first"]
    assert (two.folder / "driver.log").read_text().splitlines()[1:] == ["second"]


def test_an_interruption_is_the_running_parts_alone(tmp_path):
    (one, _), (two, _), (three, _) = (part(tmp_path, name) for name in ("one", "two", "three"))
    said(one, times("application_end", 3.0))
    Result("train", "ok").save(one.folder / "result.json")
    said(two, times("application_start", 3.1))
    (tmp_path / "driver.log").write_text("")
    launched = Following([one, two, three], 1.0).ended(
        tmp_path / "driver.log", "killed", "interrupted (Ctrl-C)", -15
    )
    assert [item.status for item in launched] == ["ok", "killed"]


# One event log, several trials.


def test_tasks_phases_and_executors_are_those_of_the_trial_that_ran(tmp_path):
    """The second trial begins at 10 s; between 12 s and 13 s one of its two cores goes away."""
    events = [
        lived(), wanted(2), executor("0"), executor("1"),
        *job(0, [0], "1:fit#1", 1, 5), stage(0, "1:fit#1", at=1), task(0, 1, 5, task_id=0, heap=900),
        *job(1, [1], None, 6, 7), stage(1, None, at=6), task(1, 6, 7, task_id=1),
        *job(2, [2], "2:fit#1", 11, 15), stage(2, "2:fit#1", at=11), task(2, 11, 13, task_id=2, heap=70), lost("1", at=12),
        *job(3, [3], "2:score#1", 15, 16), stage(3, "2:score#1", at=15), task(3, 15, 16, task_id=3, heap=80),
        lived(20, end=True),
    ]  # fmt: skip
    one = [{"event": "application_start", "clock": 0.0}, *phase(1, 5)]
    two = [*phase(10, None, "none"), *phase(11, 15), *phase(15, 16, "score")]
    two[0] |= {"event": "application_start"}
    first, second = telemetry.read_parts(write(tmp_path / "log", events), [one, two])
    before, after = first.digest(one), second.digest(two)
    assert before["groups"].keys() == {"fit#1", "outside"}
    assert after["groups"].keys() == {"fit#1", "score#1"}
    assert (before["groups"]["fit#1"]["run_s"], after["groups"]["fit#1"]["run_s"]) == (4.0, 2.0)
    assert [(use["phase"], use["seconds"], use["complete"]) for use in before["phases"]] == [
        ("fit", 4.0, True)
    ]
    assert [use["phase"] for use in after["phases"]] == ["fit", "score"]
    assert [use["lost"].get(LOST, 0.0) for use in before["phases"]] == [0.0]
    assert after["phases"][0]["lost"][LOST] == pytest.approx(3.0)
    assert (before["executors_lost"], after["executors_lost"]) == ([], ["1: worker lost"])
    assert (before["executors_added"], after["executors_added"]) == (2, 2)
    assert (before["memory"]["heap"], after["memory"]["heap"]) == (900, 80)
    assert after["timeline"]["start"] == pytest.approx(two[0]["clock"])
    assert (before["ended"], after["ended"]) == (True, True)


def test_of_a_log_that_breaks_off_the_last_trial_is_unfinished(tmp_path):
    events = [
        executor(),
        stage(0, "1:fit#1"),
        task(0, 1, 2),
        stage(1, "2:fit#1", at=5),
        task(1, 5, 6, task_id=1),
    ]
    said = [list(phase(0, 3)), list(phase(4, None)), list(phase(8, None))]
    one, two, three = telemetry.read_parts(write(tmp_path / "log", events, '{"Event'), said)
    assert (one.ended, two.ended) == (True, False)
    assert (one.truncated, two.truncated) == (False, True)
    assert two.digest(said[1])["phases"][0]["complete"] is False
    assert three.digest(said[2])["groups"] == {}


# What is said of them.


def trial(workers=1, place=1, fit=5.0, **changes):
    shared = {} if place is None else {"share": Share(place, 3)}
    return outcome([application(0, [9.0, fit, fit], [1.0, 0.5, 0.5], **shared)], workers, **changes)


def test_an_outcome_keeps_its_place_on_disk(tmp_path):
    item = trial(place=2)
    item.save(tmp_path / item.key[:16] / item.attempt)
    (tmp_path / FOLDER / "20260101").mkdir(parents=True)
    assert [found for _, found in stored(tmp_path)] == [item]
    assert load(tmp_path / item.key[:16] / item.attempt / "outcome.json").share == Share(2, 3)


def test_no_number_of_shared_trials_is_a_claim():
    one, two = trial(1), trial(2, fit=2.5)
    assert faster.speedup(two, [one, two]).ratio is None
    assert faster.speedup(one, [one, two]).ratio is None
    assert faster.faster(one, two).refused == looked(one, two)
    (found,) = faster.compare([Comparison({"shape.workers": 1}, {"shape.workers": 2})], [one, two])
    assert found.result.ratio is None
    (found,) = faster.compare([Comparison({"phase": "fit"}, {"phase": "score"})], [one])
    assert found.result.ratio is None
    assert curves([one, two]) == []
    assert inflation(two, [one, two]) is None
    assert [number.name for number in summaries.summary([one])] == ["rmse/als"]


def test_a_shared_trial_is_never_set_against_a_separate_one():
    """The record holds one kind of a trial at a time; whoever puts both together gets a reason and no number."""
    shared, own, larger = trial(1), trial(1, place=None), trial(2, place=None)
    assert faster.faster(own, dataclasses.replace(larger, applications=trial(2).applications)).ratio is None
    assert faster.speedup(larger, [shared, larger]) is None
    assert faster.speedup(larger, [shared, own, larger]).ratio == pytest.approx(1.0)
    other = trial(1, values={"model.name": "bias"})
    (found,) = faster.compare([Comparison({"model.name": "als"}, {"model.name": "bias"})], [own, other])
    assert found.result.ratio is None
    assert looked(own, other) != looked(other)
    assert looked(own, larger) is None
    assert [item.outcome for curve in curves([shared, own, larger]) for item in curve.points] == [own, larger]
    answer = Report.of(Experiment("invented", "?"), [own, other]).answer
    assert "fastest" not in answer


def test_one_thread_and_a_model_of_time_leave_shared_trials_out():
    single = trial(values={"model.name": "als_single"})
    assert list(rivals([single, trial()])) == []
    experiment = Experiment(
        "invented",
        "?",
        fixed={
            "model.name": "als",
            "data.name": "movielens/1m",
            "shape.workers": 1,
            "shape.cores": 1,
            "shape.memory": "1g",
        },
    )
    points = points_of(experiment, [trial()])
    assert points.all == ()
    assert looked(trial()) in points.left_out[0]


def test_only_the_first_of_an_application_has_a_cold_number():
    assert cold(trial(place=1).applications[0], "fit") == 9.0
    assert cold(trial(place=2).applications[0], "fit") is None


def test_the_record_and_the_files_say_that_trials_shared():
    item = trial(place=2)
    assert tags(item)["recscale.shared"] == "trial 2 of 3 in one application"
    assert params(item)["applications"] == "shared"
    own = trial(place=None)
    assert "recscale.shared" not in tags(own)
    assert params(own)["applications"] == "1"
    rows = list(csv.DictReader(io.StringIO(Report.of(Experiment("invented", "?"), [item, own]).document.csv)))
    assert {row["shared"] for row in rows} == {"2/3", ""}
    report = Report.of(Experiment("invented", "?"), [item])
    (found,) = report.as_json()["trials"]
    assert found["shared"] == {"place": 2, "of": 3}


def test_a_report_says_that_it_is_a_look():
    report = Report.of(Experiment("invented", "?"), [trial(1), trial(2, place=1)])
    assert re.search("shared one run.*a look, not a claim", report.answer)
    assert any(note.startswith(looked(trial())) for note in report.findings[0].notes)
    assert "speed-up" not in report.findings[0].tables[0].header
    assert not any("too few applications" in note for note in report.findings[0].notes)
    assert "Scaling" not in [finding.title for finding in report.findings]
