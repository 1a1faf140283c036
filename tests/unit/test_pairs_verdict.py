"""From applications on disk to verdicts, pages and a gate's exit code; all numbers invented."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from invented import application
from invented_pairs import ABOUT, ledger

from datasets.errors import UsageError
from experiments import __main__ as main
from experiments.commands import gate as gate_command
from experiments.pairs.findings import as_lines, findings, write
from experiments.pairs.gate import closing
from experiments.pairs.ledger import PER_USER, Ledger
from experiments.pairs.verdict import quality_answer, quality_notes, time_answer, time_notes, verdict_of
from jobs.errors import JobError


def test_slower_and_worse_are_said_with_their_numbers(tmp_path):
    made = ledger(tmp_path, ratio=1.3, error=1.2, fingerprint=(3.0, 4.5))
    found = verdict_of(made, "total_s")
    assert (found.timing.verdict, found.quality) == ("slower", "worse")
    text = as_lines(findings(made, found))
    assert "The contender is slower: it takes 30.6% more time (95% interval of eight pairs: +28%" in text
    assert "time is total_s, the median pass of each application" in text
    assert "The contender is worse: RMSE " in text
    assert (
        "the two sides fit different models (predictions differ by up to 0.5): their times are of different work"
        in text
    )


def test_indistinguishable_says_what_could_have_been_missed(tmp_path):
    found = verdict_of(ledger(tmp_path), "phase.fit_s")
    assert (found.timing.verdict, found.quality) == ("indistinguishable", "indistinguishable")
    assert "A slowdown of 5.2% would have been found in 80 of 100" in time_answer(found)
    assert "Both sides fit the same model" in quality_answer(found)
    assert any(note.startswith("both sides fit the same model") for note in quality_notes(found))


def test_few_pairs_are_shown_raw_without_a_verdict(tmp_path):
    made = ledger(tmp_path, ratio=2.0, pairs=4)
    found = verdict_of(made, "total_s")
    assert found.timing.verdict == "too few"
    assert any(note.endswith("in each pair: 1.960, 2.020, 2.060, 1.980") for note in time_notes(found))
    assert found.quality == "indistinguishable"  # quality does not wait for pairs
    assert "95% interval" not in time_answer(found)


def test_a_metric_that_nobody_measured_is_an_error_that_names_those_there_are(tmp_path):
    with pytest.raises(JobError, match=r"no pair has phase.score_s; what was timed: total_s, fit_s"):
        verdict_of(ledger(tmp_path), "phase.score_s")


def test_older_sources_without_quality_per_user_get_no_verdict_on_it(tmp_path):
    made = ledger(tmp_path, fingerprint=(3.0, 4.5), files=False)
    found = verdict_of(made, "total_s")
    assert found.quality == "not judged"
    (why,) = quality_notes(found)
    assert "baseline and contender hand over no quality per user" in why
    assert "rmse 0.9 and 0.9" in why
    same = verdict_of(ledger(tmp_path / "same", files=False), "total_s")
    assert same.quality == "indistinguishable"  # the same predictions need no test


def test_what_a_reader_must_know_is_noted(tmp_path):
    made = ledger(tmp_path, same=True)
    other = application(0, [9.0, 2.0], fingerprint=[3.0, 9.0])
    made.sides["baseline"] = dataclasses.replace(
        made.sides["baseline"],
        shape_tag="oversubscribed",
        applications=[other, *made.sides["baseline"].applications[1:]],
    )
    made.looks = [5]
    text = as_lines(findings(made, verdict_of(made, "total_s")))
    assert "both sides are the same code, packages and parameters" in text
    assert "baseline: oversubscribed" in text
    assert "baseline: the fitted model is not the same in all of its applications" in text
    assert "looked at before, after 5 pairs" in text


def test_half_a_pair_is_measured_again_after_an_interruption(tmp_path):
    made = ledger(tmp_path, pairs=3)
    made.add("contender", application(3, [9.0, 7.0]))
    made.add("baseline", application(3, [9.0, 7.0], status="failed"))
    again = Ledger.open(tmp_path, {}, ABOUT)
    assert again.pairs == 3
    assert {len(side.applications) for side in again.sides.values()} == {3}
    assert again.pilots["baseline"].measured
    assert Ledger.load(tmp_path).seconds("fit") == made.seconds("fit")
    assert Ledger.load(tmp_path / "nothing") is None


def test_page_and_numbers_hold_everything(tmp_path):
    made = ledger(tmp_path, ratio=1.3)
    page, data, raw, picture, drawing = write(
        made, verdict_of(made, "total_s"), "Which?", tmp_path / "reports"
    )
    assert "The contender is slower" in page.read_text()
    assert "data:application/json;base64," in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "<svg" in drawing.read_text()
    rows = list(csv.DictReader(raw.read_text().splitlines()))
    assert [row["first"] for row in rows] == made.first[:8]
    assert [float(row["baseline_s"]) for row in rows] == [2.0] * 8
    found = json.loads(data.read_text())
    assert len(found["time"]["pairs"]) == 8
    assert found["time"]["verdict"] == "slower"
    assert found["sides"]["contender"] == "rank=16"
    assert found["first"] == made.first[:8]


@pytest.mark.parametrize(
    ("changes", "options", "code", "says"),
    [
        ({"ratio": 1.3}, [], 4, "gate: failed: slower: 30.6% more time (total_s, 95% interval +28."),
        ({"ratio": 1.3}, ["--tolerance", "0.25"], 4, "gate: failed: slower"),
        ({"ratio": 1.3}, ["--tolerance", "0.3"], 0, "gate: passed within the tolerance: slower in time"),
        ({"ratio": 0.7}, [], 0, "gate: passed: faster in time (95% interval -31"),
        ({}, [], 0, "gate: passed: indistinguishable in time"),
        ({"error": 1.2}, [], 4, "gate: failed: worse: RMSE "),
        (
            {"error": 1.2},
            ["--quality-tolerance", "0.2"],
            0,
            "gate: passed within the tolerance: indistinguishable in time",
        ),
        ({"error": 0.8}, [], 0, "better in quality; it finds slowdowns of 5."),
        ({"ratio": 1.3, "error": 1.2}, [], 4, "; worse: RMSE"),
    ],
)
def test_gate_exits_with_four_when_slower_or_worse(
    changes, options, code, says, tmp_path, monkeypatch, capsys
):
    made = ledger(tmp_path, **changes)
    asked = []

    def measured(given, baseline, contender):
        asked.extend([baseline, contender])
        return verdict_of(made, given.metric)

    monkeypatch.setattr(gate_command, "compared", measured)
    assert main.main(["gate", "--base", "main", *options]) == code
    assert says in capsys.readouterr().out.splitlines()[-1]
    assert asked == [["rev=main"], ["rev=worktree"]]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gate", "--base", "no-such-revision"], "git knows no revision 'no-such-revision'"),
        (["gate", "--base", "main", "--pairs", "4"], "at least 5 pairs"),
        (["gate", "--base", "main", "--tolerance", "-1"], "a share from 0"),
        (["compare", "models", "--contender", "rank=3"], "7 trials"),
        (["compare", "gate", "--contender", "rank"], "--contender 'rank' does not read"),
        (["compare", "gate", "--pairs", "0"], "at least 1"),
        (["compare", "gate", "--contender", "package=pyspark==3.5.8"], "cannot be replaced"),
        (["calibrate", "gate"], "no comparison of gate with itself is recorded"),
    ],
)
def test_wrong_words_exit_with_two_and_start_nothing(words, says, tmp_path, capsys):
    assert main.main([*words, "--cluster-set", f"run_dir={tmp_path}"]) == 2
    found = capsys.readouterr()
    assert says in found.err
    assert "starting" not in found.out
    if words[0] == "gate" and "revision" in says:
        assert found.out.splitlines()[-1].startswith("gate: no verdict: git knows no revision")


def test_a_gate_that_cannot_measure_is_no_gate_that_says_no(tmp_path, monkeypatch):
    def broken(*_):
        raise UsageError("setup.sh of revision main failed")

    monkeypatch.setattr(gate_command, "compared", broken)
    assert main.main(["gate", "--base", "main"]) == 2


def test_a_contender_that_scores_fewer_rows_is_worse_though_it_predicts_the_same(tmp_path):
    made = ledger(tmp_path)
    path = made.place("contender", None) / PER_USER
    found = dict(np.load(path))
    np.savez(path, **{**found, "scored": found["rows"] // 2})
    said = verdict_of(made, "total_s")
    assert said.same_model
    assert said.quality == "worse"
    assert "worse: coverage 1.0000 -> 0.4" in "; ".join(said.failures(0.0, 0.0))
    assert "The contender is worse: coverage 0.477 against 1.000" in quality_answer(said)
    assert "RMSE is not compared" in " ".join(said.unpaired)


def test_pairs_in_which_executors_were_lost_are_forgotten(tmp_path):
    made = ledger(tmp_path, pairs=4)
    lost = {"telemetry": {"groups": {}, "executors_lost": ["1: worker lost"]}}
    made.add("contender", application(4, [9.0, 7.0]))
    made.add("baseline", application(4, [9.0, 7.0], **lost))
    assert Ledger.open(tmp_path, {}, ABOUT).pairs == 4
    assert made.pairs == 5
    assert made.drop_disturbed()
    assert made.pairs == 4
    assert not made.drop_disturbed()


def test_a_tolerance_hides_slowdowns_and_the_gate_says_how_large(tmp_path):
    found = verdict_of(ledger(tmp_path, ratio=1.1), "total_s")
    plain, tolerant = (closing(found, [], tolerance) for tolerance in (0.0, 0.3))
    exact = found.timing.slower_detectable
    assert f"it finds slowdowns of {exact - 1:.1%} and more" in plain
    assert f"it finds slowdowns of {1.3 * exact - 1:.1%} and more" in tolerant
