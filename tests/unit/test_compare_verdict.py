"""From applications on disk to verdicts, pages and a gate's exit code; all numbers invented."""

import csv
import dataclasses
import json
import re

import numpy as np
import pytest
from invented import application
from invented_pairs import ABOUT, ledger

from core.errors import JobError, UsageError
from core.text_tables import WIDTH
from experiments import __main__ as main
from experiments.cli.commands import gate as gate_command
from experiments.cli.commands.gate import closing
from experiments.studies.compare.findings import document, findings
from experiments.studies.compare.ledger import PER_USER, Ledger
from experiments.studies.compare.verdict import (
    quality_answer,
    quality_notes,
    time_answer,
    time_notes,
    verdict_of,
)


def test_slower_and_worse_are_said_with_their_numbers(tmp_path):
    made = ledger(tmp_path, ratio=1.3, error=1.2, fingerprint=(3.0, 4.5))
    found = verdict_of(made, "total_s")
    assert (found.timing.verdict, found.quality) == ("slower", "worse")
    sections = findings(made, found)
    time, quality = sections
    assert re.search(r"contender is slower.*30\.6% more.*eight pairs: \+28%", time.answer)
    assert any(re.search(r"\btotal_s\b.*median", note) for note in time.notes)
    (rmse,) = [item for item in found.qualities if item.metric == "rmse"]
    assert rmse.baseline < rmse.contender
    values = rf"RMSE {rmse.contender:.3f}.*{rmse.baseline:.3f}"
    assert re.search(rf"contender is worse.*{values}", quality.answer)
    assert any(re.search(r"different models.*\b0\.5\b", note) for note in time.notes)
    shown = document(made, found, "Which?").text()
    text = " ".join(shown.split())
    said = (time.answer, quality.answer, *time.notes, *quality.notes)
    assert [words for words in said if words not in text] == []
    assert max(map(len, shown.splitlines())) <= WIDTH


def test_indistinguishable_says_what_could_have_been_missed(tmp_path):
    found = verdict_of(ledger(tmp_path), "phase.fit_s")
    assert (found.timing.verdict, found.quality) == ("indistinguishable", "indistinguishable")
    assert found.timing.slower_detectable == pytest.approx(1.052, abs=0.0005)
    assert re.search(r"slowdown of 5\.2%.*\b80 of 100", time_answer(found))
    assert found.same_model
    assert "the same model" in quality_answer(found)
    assert any("the same model" in note for note in quality_notes(found))


def test_few_pairs_are_shown_raw_without_a_verdict(tmp_path):
    made = ledger(tmp_path, ratio=2.0, pairs=4)
    found = verdict_of(made, "total_s")
    assert found.timing.verdict == "too few"
    assert any(re.search(r"1\.960, 2\.020, 2\.060, 1\.980$", note) for note in time_notes(found))
    assert re.search(r"Four pairs.*\bfive\b", time_answer(found))
    assert found.quality == "indistinguishable"  # quality does not wait for pairs
    assert "95% interval" not in time_answer(found)


def test_a_metric_that_nobody_measured_is_an_error_that_names_those_there_are(tmp_path):
    with pytest.raises(JobError, match=r"phase\.score_s\b.*: total_s, fit_s\b.*--metric"):
        verdict_of(ledger(tmp_path), "phase.score_s")


def test_older_sources_without_quality_per_user_get_no_verdict_on_it(tmp_path):
    made = ledger(tmp_path, fingerprint=(3.0, 4.5), files=False)
    found = verdict_of(made, "total_s")
    assert found.quality == "not judged"
    (why,) = quality_notes(found)
    assert re.search(r"baseline and contender.*per user.*rmse 0\.9 and 0\.9\b", why)
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
    time, _ = findings(made, verdict_of(made, "total_s"))
    patterns = (
        r"both sides.*same.*A/A",
        "^baseline: oversubscribed",
        r"^baseline:.*model is not the same.*seed",
        r"already.*\b5 pairs.*\b5%",
    )
    for pattern in patterns:
        assert len([note for note in time.notes if re.search(pattern, note)]) == 1, pattern
    assert not any(note.startswith("contender:") for note in time.notes)


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
    report = document(made, verdict_of(made, "total_s"), "Which?")
    page, data, raw, picture, drawing = report.write(tmp_path / "reports")
    assert "contender is slower" in page.read_text()
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
        ({"ratio": 1.3}, [], 4, r"failed: slower\b.*\b30\.6% more.*total_s.*\+28\.\d%"),
        ({"ratio": 1.3}, ["--tolerance", "0.25"], 4, r"failed: slower\b"),
        ({"ratio": 1.3}, ["--tolerance", "0.3"], 0, r"passed\b.*tolerance.*\bslower\b"),
        ({"ratio": 0.7}, [], 0, r"passed: faster\b.*-31\.\d%"),
        ({}, [], 0, r"passed: indistinguishable\b.*\bindistinguishable\b.*\b5\.\d%"),
        ({"error": 1.2}, [], 4, r"failed: worse: RMSE \d"),
        ({"error": 1.2}, ["--quality-tolerance", "0.2"], 0, r"passed\b.*tolerance.*\bworse\b"),
        ({"error": 0.8}, [], 0, r"passed: indistinguishable\b.*\bbetter\b.*\b5\.\d%"),
        ({"ratio": 1.3, "error": 1.2}, [], 4, r"failed: slower\b.*; worse: RMSE \d"),
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
    assert re.search(f"^gate: {says}", capsys.readouterr().out.splitlines()[-1])
    assert asked == [["rev=main"], ["rev=worktree"]]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gate", "--base", "no-such-revision"], "revision 'no-such-revision'"),
        (["gate", "--base", "main", "--pairs", "4"], r"\b5 pairs\b.*\b4\b"),
        (["gate", "--base", "main", "--tolerance", "-1"], r"--tolerance\b.*\b0\b.*-1\.0"),
        (["compare", "models", "--contender", "model.rank=3"], r"\b11 trials"),
        (["compare", "gate", "--contender", "model.rank"], "--contender .*'model.rank'"),
        (["compare", "gate", "--pairs", "0"], r"--pairs\b.*\b1\b.*\b0\b"),
        (["compare", "gate", "--contender", "package=pyspark==3.5.8"], r"\bpyspark\b.*replaced"),
        (["calibrate", "gate"], r"no comparison of gate\b"),
    ],
)
def test_wrong_words_exit_with_two_and_start_nothing(words, says, tmp_path, capsys):
    assert main.main([*words, "--cluster-set", f"run_dir={tmp_path}"]) == 2
    found = capsys.readouterr()
    assert re.search(says, found.err)
    assert "starting" not in found.out
    if words[0] == "gate" and "revision" in says:
        assert re.search(f"^gate: no verdict: .*{says}", found.out.splitlines()[-1])


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
    assert [(item.metric, item.verdict) for item in said.qualities if item.verdict == "worse"] == [
        ("coverage", "worse")
    ]
    (failure,) = said.failures(0.0, 0.0)
    assert re.search(r"^worse: coverage 1\.0000 .*\b0\.4765\b", failure)
    assert re.search(r"contender is worse.*coverage 0\.477\b.*\b1\.000", quality_answer(said))
    assert any("RMSE" in why for why in said.unpaired)


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
    assert re.search(rf"slowdowns of {exact - 1:.1%}", plain)
    assert re.search(rf"slowdowns of {1.3 * exact - 1:.1%}", tolerant)
