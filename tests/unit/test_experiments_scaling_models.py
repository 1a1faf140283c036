"""Curves along which the fitted model changed: what is refused, shown, and allowed."""

import json
import re

import pytest
from invented import application, outcome
from invented_sweeps import SPEC, saying, trial

from experiments.page.tables import main_table
from experiments.page.tables import notes as trial_notes
from experiments.report.report import Report
from experiments.report.sections.scaling import FIND
from experiments.results.model_equality import allow_changes, changes

MOVED = {"fingerprint": [3.0, 4.01]}


def test_changed_predictions_refuse_the_speed_up_and_are_shown():
    outcomes = [trial(1, 10.0), trial(2, 5.0), trial(3, 4.0, made=MOVED)]
    found = FIND(SPEC, outcomes)
    assert not found.data["scaling"][0]["claimed"]
    (difference,) = found.data["scaling"][0]["changes"]
    assert (difference["first"], difference["second"]) == ("w1\u00d71c", "w3\u00d71c")
    assert re.search(r"^No speed-up.*ALS.*fitted model", found.answer)
    assert saying(r"model changed.*w1\u00d71c.*w3\u00d71c", found.notes)
    assert found.plots == ()
    assert "refused" in str(found.tables[0].rows)
    changed = found.tables[-1]
    assert changed.header[0] == "changed"
    assert ["predictions", "w1\u00d71c", "w3\u00d71c", "\u2013", "\u2013", "0.01", "1e-04"] in changed.rows
    assert found.data["scaling"][0]["points"][1]["speedup"] is None
    assert [row[2] for row in main_table(outcomes).rows] == ["1.00\u00d7", "not claimed", "not claimed"]


def test_model_that_changes_between_the_applications_of_one_trial_is_found():
    two = outcome([application(0, [9, 5.0]), application(1, [9, 5.0], **MOVED), application(2, [9, 5.0])], 2)
    (change,) = changes([trial(1, 10.0), two])
    assert (change.first, change.second) == ("application 1 of w2\u00d71c", "application 2 of w2\u00d71c")
    assert "between application 1 of w2" in " ".join(FIND(SPEC, [trial(1, 10.0), two]).notes)


@pytest.mark.parametrize(
    ("metrics", "what"),
    [
        ({"rmse": 0.9003, "coverage": 1.0}, "rmse"),
        ({"rmse": 0.9, "coverage": 0.99}, "coverage"),
        ({"coverage": 1.0}, "rmse"),
    ],
)
def test_quality_that_equal_predictions_cannot_explain_is_a_change(metrics, what):
    (change,) = changes([trial(1, 10.0), trial(2, 5.0, made={"metrics": metrics})])
    assert change.what == what


def test_quality_that_predictions_within_the_limit_explain_is_none():
    near = {"fingerprint": [3.0, 4.00009], "metrics": {"rmse": 0.90009, "coverage": 1.0, "ndcg_at_10": 0.3}}
    assert list(changes([trial(1, 10.0), trial(2, 5.0, made=near)])) == []


def test_models_without_predictions_are_compared_by_their_rankings():
    def ranked(workers, value):
        return trial(
            workers,
            10 / workers,
            made={"fingerprint": [], "metrics": {"ndcg_at_10": value, "m_pairs_per_s": workers}},
        )

    assert list(changes([ranked(1, 0.25), ranked(2, 0.2505)])) == []
    (change,) = changes([ranked(1, 0.25), ranked(2, 0.26)])
    assert change.what == "ndcg_at_10"


def test_predictions_that_cannot_be_compared_are_a_change():
    (short,) = changes([trial(1, 10.0), trial(2, 5.0, made={"fingerprint": [3.0]})])
    assert "cannot be compared" in short.words
    nan = {"fingerprint": [3.0, float("nan")]}
    assert [item.what for item in changes([trial(1, 10.0), trial(2, 5.0, made=nan)])] == ["predictions"]
    assert list(changes([trial(1, 10.0, made=nan), trial(2, 5.0, made=nan)])) == []


def test_override_shows_the_speed_up_and_is_printed_everywhere(tmp_path):
    outcomes = allow_changes([trial(1, 10.0), trial(2, 5.0, made=MOVED)])
    report = Report.of(SPEC, outcomes)
    found = FIND(SPEC, outcomes)
    assert "2.00 times as fast" in found.answer
    assert "the fitted model changed" in found.answer
    assert "though the model changed" in found.notes[0]
    assert "model changed" in str(main_table(outcomes).rows[1])
    for text in (report.text(), report.markdown(), report.write(tmp_path)[0].read_text()):
        assert "--allow-model-change" in text
    values = json.loads((tmp_path / "invented.json").read_text())
    assert values["allow_model_change"] is True
    assert values["scaling"][0]["changes"][0]["what"] == "predictions"
    assert any("of other work" in line for line in trial_notes(outcomes))
