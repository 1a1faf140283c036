"""Files of other versions: older ones are read, newer and damaged ones are refused or left out with a word."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest
from invented import application, outcome
from invented_drills import drilled
from invented_pairs import ledger

from cluster.shape import Shape
from core.errors import UnreadableError
from core.versioned import FORMAT, Kind
from experiments.page.index import REPORT, write_index
from experiments.record.parent_run import Parent
from experiments.record.recorder import Recorder
from experiments.results.outcome import FILE, OUTCOME, Application, Outcome, load, stored
from experiments.run.prepare import PREPARED
from experiments.studies.compare.ledger import COMPARISON, STATE, Ledger
from experiments.studies.compare.recorded import PAIRS, recorded
from experiments.studies.drills import record as drills
from experiments.studies.drills.drill import Drilled
from experiments.studies.drills.record import DRILLED
from experiments.studies.drills.rows import ROWS

GENUINE = Path(__file__).parent / "outcome_without_format.json"
"""Left by a run of the demo before outcomes had a format; only its list of predictions is cut short."""

NEWER = json.dumps({FORMAT: 99, "what": "nobody knows"})
BAD = {
    "damaged": '{"key": ',
    "of another form": "[]",
    "without a field": '{"applications": []}',
    "newer": NEWER,
}
KINDS = (OUTCOME, DRILLED, ROWS, COMPARISON, PAIRS, REPORT, PREPARED)


def put(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(text)
    return folder / FILE


def test_an_outcome_from_before_formats_is_read_whole():
    found = load(GENUINE)
    (item,) = found.measured
    assert (found.label, found.status, found.size) == ("als w1\u00d71c", "ok", Shape(1, 1, "1g"))
    assert item.metrics["rmse"] == pytest.approx(0.8698, abs=1e-4)
    assert [time.kind for time in item.phases if time.phase == "fit"] == ["cold", "repeat", "repeat"]
    assert (item.round_id, item.kept_s) == (None, pytest.approx(0.24, abs=0.01))
    java = {f"spark.{who}.extraJavaOptions": "-XX:TieredStopAtLevel=1" for who in ("driver", "executor")}
    assert found.values == {
        "model.name": "als", "model.rank": 10, "model.iterations": 5, "model.reg": 0.15, "model.blocks": 2,
        "data.name": "movielens/latest-small", "data.store": "parquet", "job.top_n": 10,
        "shape.workers": 1, "shape.cores": 1, "shape.memory": "1g", **java,
    }  # fmt: skip


def test_an_older_outcome_gets_what_came_since(tmp_path):
    values = json.loads(GENUINE.read_text())
    values["shape"] = {"workers": 2, "cores": 1, "memory": "1g"}
    del values["applications"][0]["kept_s"]
    found = load(put(tmp_path, json.dumps(values)))
    assert found.shape == {
        "workers": 2,
        "cores": 1,
        "memory": "1g",
        "cpus": None,
        "pin": False,
        "backend": "",
    }
    assert found.measured[0].kept_s is None


def test_what_is_read_of_an_older_version_is_written_as_this_one(tmp_path):
    found = load(GENUINE)
    found.save(tmp_path)
    assert json.loads((tmp_path / FILE).read_text())[FORMAT] == OUTCOME.version
    assert load(tmp_path / FILE) == found


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_an_outcome_that_does_not_read_names_itself_and_is_passed_over_with_a_word(tmp_path, caplog, text):
    bad = put(tmp_path / "a" / "1", text)
    shutil.copy(GENUINE, put(tmp_path / "b" / "2", ""))
    with pytest.raises(UnreadableError, match=FILE) as raised:
        load(bad)
    assert raised.value.path == bad
    assert [found.label for _, found in stored(tmp_path)] == ["als w1\u00d71c"]
    assert len(list(stored(tmp_path))) == 1
    assert caplog.text.count(str(bad)) == 1


def test_a_newer_file_says_up_to_where_it_could_be_read(tmp_path):
    with pytest.raises(UnreadableError) as raised:
        load(put(tmp_path, NEWER))
    assert {"99,", f"{OUTCOME.version}:"} <= set(str(raised.value).split())


@pytest.mark.parametrize("text", [*BAD.values(), None], ids=[*BAD, "gone"])
def test_one_run_that_does_not_read_stops_no_report(tmp_path, caplog, text):
    recorder = Recorder(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "mlartifacts")
    items = [outcome([application(0, [9, 1])], workers, experiment="made") for workers in (1, 2)]
    parent = recorder.open("made", items[0].basis, [item.key for item in items], {})
    for item in items:
        item.save(tmp_path / item.attempt)
        recorder.record(item, tmp_path / item.attempt, parent)
    (bad,) = [path for path in (tmp_path / "mlartifacts").rglob(FILE) if load(path).key == items[0].key]
    bad.unlink() if text is None else bad.write_text(text)
    assert [found.key for found in recorder.outcomes("made")[1]] == [items[1].key]
    assert str(bad) in caplog.text


def test_runs_from_before_formats_are_in_a_report(tmp_path):
    recorder = Recorder(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "mlartifacts")
    found = load(GENUINE)
    shutil.copy(GENUINE, put(tmp_path / "kept", ""))
    parent = recorder.open(found.experiment, found.basis, [found.key], {})
    assert isinstance(parent, Parent)
    recorder.record(found, tmp_path / "kept", parent)
    (read,) = recorder.outcomes(found.experiment)[1]
    assert dataclasses.replace(read, recording_s=None) == found


@pytest.mark.parametrize("file", [STATE, f"contender/{FILE}", f"baseline/pilot/{FILE}"])
@pytest.mark.parametrize("text", [BAD["damaged"], NEWER], ids=["damaged", "newer"])
def test_a_comparison_that_does_not_read_is_refused_and_not_measured_over(tmp_path, file, text):
    made = ledger(tmp_path / "c")
    fresh = {name: dataclasses.replace(side, applications=[]) for name, side in made.sides.items()}
    (made.folder / file).write_text(text)
    with pytest.raises(UnreadableError) as raised:
        Ledger.open(made.folder, fresh, made.about)
    assert raised.value.path == made.folder / file
    assert (made.folder / file).read_text() == text


def test_a_comparison_that_does_not_read_is_left_out_of_a_calibration_with_a_word(tmp_path, caplog):
    for name in ("good", "bad"):
        ledger(tmp_path / "comparisons" / "made" / name, ratio=1.0, same=True, key=name)
    bad = tmp_path / "comparisons" / "made" / "bad" / STATE
    bad.write_text(NEWER)
    assert len(recorded(["made"], tmp_path, "total_s").comparisons) == 1
    assert str(bad) in caplog.text


def test_drills_that_do_not_read_are_passed_over_with_a_word(tmp_path, caplog):
    for name, text in BAD.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / drills.FILE).write_text(text)
    assert list(drills.kept(tmp_path)) == []
    said = caplog.text
    assert all(str(tmp_path / name / drills.FILE) in said for name in BAD)


def test_a_drill_from_before_formats_gets_the_shape_of_its_trial(tmp_path):
    older = dataclasses.asdict(drilled())
    del older["shape"]
    values = {"workers": 2, "cores": 1, "memory": "1g", "pin": True, "model": "als"}
    path = tmp_path / "a" / drills.FILE
    path.parent.mkdir()
    path.write_text(json.dumps({**older, "values": values}))
    ((_, found),) = drills.kept(tmp_path)
    assert Shape(**found.shape) == Shape(2, 1, "1g", pin=True)
    assert found.values == {
        "shape.workers": 2,
        "shape.cores": 1,
        "shape.memory": "1g",
        "shape.pin": True,
        "model.name": "als",
    }


def test_the_index_names_the_reports_that_it_leaves_out(tmp_path, caplog):
    for name, text in BAD.items():
        (tmp_path / f"{name}.json").write_text(text)
        (tmp_path / f"{name}.html").touch()
    write_index(tmp_path)
    said = caplog.text
    assert all(str(tmp_path / f"{name}.json") in said for name in BAD)


def test_every_kind_writes_its_version_and_upgrades_step_by_step(tmp_path):
    assert all(kind.version >= 1 for kind in KINDS)
    first = Kind("x", (lambda values: {**values, "b": values["a"] + 1},), "")
    second = Kind("x", (*first.upgrades, lambda values: {**values, "c": values["b"] + 1}), "")
    path = tmp_path / "x.json"
    path.write_text('{"a": 1}')
    assert second.read(path, dict) == {"a": 1, "b": 2, "c": 3}
    first.write(path, {"a": 1, "b": 5})
    assert second.read(path, dict) == {"a": 1, "b": 5, "c": 6}
    second.write(path, {"a": 1})
    assert second.read(path, dict) == {"a": 1}
    with pytest.raises(UnreadableError):
        first.read(path, dict)


FIELDS = {
    Outcome: "experiment key attempt job label values shape shape_tag wanted repeats warmups basis data environment tags status error "
    "applications revision ended_at recording_s",
    Application: "number status error phases metrics counts fingerprint info table ready_s start_s stop_s seconds died telemetry "
    "kept_s round_id warnings share windows series",
    Shape: "workers cores memory cpus pin backend",
    Drilled: "kind attempt experiment key label shape victim phase after_s status error ended_s recovery_s recomputed_tasks failed_tasks "
    "executors_lost undisturbed_s disturbed_s rerun_s rerun_status differences largest_difference rows left notes environment "
    "basis values at",
}
"""Of the formats that are written now. Whoever changes one adds a step to the upgrades of its kind, and then changes this."""


@pytest.mark.parametrize("made", FIELDS)
def test_fields_change_with_the_format_alone(made):
    assert [field.name for field in dataclasses.fields(made)] == FIELDS[made].split()
    assert (OUTCOME.version, DRILLED.version) == (6, 2)


@pytest.mark.parametrize(
    "wrong", [{"status": "well"}, {"wanted": "many"}, {"unheard": 1}, {"applications": [{"number": 0}]}]
)
def test_a_wrong_type_or_name_makes_an_outcome_unreadable(tmp_path, wrong):
    outcome([application(0, [9.0, 1.0])]).save(tmp_path)
    path = tmp_path / "outcome.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **wrong}))
    with pytest.raises(UnreadableError, match=re.escape(next(iter(wrong)))):
        load(path)
