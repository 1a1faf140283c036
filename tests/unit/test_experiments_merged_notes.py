"""Notes that hold for several trials: who they name, and what becomes of the numbers in them."""

import dataclasses
import re

import pytest
from eventlogs import application as app
from eventlogs import executor, phase, stage, task, wanted, write
from invented import application, outcome

from core.text_tables import WIDTH, wrapped
from experiments.page.merged_notes import TrialNames, by_statement, with_ranges, without_settings
from experiments.report.drills import notes as drill_notes
from experiments.report.report import Report
from experiments.results.outcome import Share
from experiments.spec.experiment import Experiment
from experiments.studies.drills.kinds import DRILLS
from experiments.telemetry import telemetry

SPEC = Experiment("invented", "How fast?")
MODELS = ("bias", "als", "knn", "popularity")


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Eight trials of four models on two shapes in shared applications; the driver holds all but kNN back."""
    folder = tmp_path_factory.mktemp("logs")
    found = []
    for number, (model, workers) in enumerate((m, w) for m in MODELS for w in (1, 2)):
        begin = {"bias": 4.2, "als": 6.0, "knn": 1.0, "popularity": 4.3}[model] + workers / 100
        events = [
            app(),
            wanted(workers),
            *(executor(str(n)) for n in range(workers)),
            stage(0, tasks=workers),
        ]
        events += [task(0, begin, 10, task_id=n, partition=n) for n in range(workers)]
        log = write(folder / str(number), [*events, app(10, end=True)])
        one = application(
            0, [9.0, 10.0 / workers, 10.1 / workers], share=Share(number + 1, 8),
            telemetry=telemetry.read(log).digest(list(phase(0.0, 10.0))),
            warnings=["ratings look like counts"] if model == "als" else [],
        )  # fmt: skip
        found.append(
            outcome([one], workers, label=f"{model} rows=1000 w{workers}\u00d71c", key=f"{number:x}" * 64,
                    values={"model.name": model, "data.rows": 1000})
        )  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        (range(8), "all 8 trials"),
        ([0, 1, 2, 3, 6, 7], "all 8 trials but knn (w1\u00d71c, w2\u00d71c)"),
        ([0, 1, 2, 3, 4], "bias (w1\u00d71c, w2\u00d71c), als (w1\u00d71c, w2\u00d71c), knn w1\u00d71c"),
        ([2, 0], "bias w1\u00d71c, als w1\u00d71c"),
        ([5], "knn w2\u00d71c"),
    ],
)
def test_some_trials_are_named_in_as_few_words_as_it_takes(eight, chosen, name):
    assert TrialNames(eight).of([eight[number] for number in chosen]) == name


def test_an_only_trial_keeps_its_name_and_two_are_both(eight):
    assert TrialNames(eight[:1]).of(eight[:1]) == eight[0].label
    assert TrialNames(eight[:2]).of(eight[:2]) == "both trials"
    odd = [
        dataclasses.replace(item, label=f"{item.label} {memory}")
        for memory in ("1g", "2g")
        for item in eight[:1]
    ]
    assert TrialNames(odd).of(odd[:1]) == "bias w1\u00d71c 1g"


def test_equal_statements_are_grouped_in_the_order_of_the_first():
    assert by_statement([("a", "slow"), ("b", "failed"), ("c", "slow")]) == {
        "slow": ["a", "c"],
        "failed": ["b"],
    }


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            ["42% of the time, 1.7\u00d7", "9.5% of the time, 2.5\u00d7"],
            ["9.5\u201342% of the time, 1.7\u20132.5\u00d7"],
        ),
        (["1,200 tasks", "90 tasks", "1,000 tasks"], ["90\u20131,200 tasks"]),
        (["20% idle", "20% idle"], ["20% idle"]),
        (["on w1\u00d71c", "on w2\u00d71c"], ["on w1\u00d71c", "on w2\u00d71c"]),
        (["rank=16", "rank=8"], ["rank=16", "rank=8"]),
        (["in 'stage 1'", "in 'stage 2'"], ["in 'stage 1'", "in 'stage 2'"]),
        (["5 s in 'stage 1'", "7 s in 'stage 1'"], ["5\u20137 s in 'stage 1'"]),
        (["at 10.0.0.1:7077", "at 10.0.0.2:7077"], ["at 10.0.0.1:7077", "at 10.0.0.2:7077"]),
    ],
)
def test_statements_that_differ_in_numbers_alone_become_one(texts, said):
    found = with_ranges(enumerate(texts))
    assert list(found) == said
    assert sorted(number for some in found.values() for number in some) == list(range(len(texts)))


def test_statements_that_are_not_to_become_one_stay_apart():
    found = with_ranges([("a", "fit: 1"), ("b", "fit: 2"), ("c", "fit: 2")], among=lambda _: False)
    assert found == {"fit: 1": ["a"], "fit: 2": ["b", "c"]}


def test_settings_of_all_names_are_taken_out():
    assert without_settings(["als rank=8 reg=1", "knn rank=8"]) == (["rank 8"], ["als reg=1", "knn"])
    assert without_settings(["rank=8", "rank=8"]) == ([], ["rank=8", "rank=8"])


def test_what_holds_back_several_trials_is_said_once(eight):
    report = Report.of(SPEC, eight)
    (found,) = [finding for finding in report.findings if finding.title == "Why not faster"]
    assert re.search(
        r"^all 8 trials but knn \(w1\u00d71c, w2\u00d71c\): fit: 42\u201360%.* 1\.7\u20132\.5\u00d7",
        found.why,
    )
    assert [
        note for note in found.notes if note.startswith("knn (w1\u00d71c, w2\u00d71c): no bottleneck")
    ] == [found.notes[0]]
    assert not any("no core worked" in note for note in found.notes)
    told = report.as_json()["bottlenecks"]
    assert [item["trial"] for item in told] == [item.label for item in eight]
    assert [item["cause"] for item in told] == [*["driver-bound"] * 4, "", "", *["driver-bound"] * 2]


def test_notes_on_trials_name_all_of_them_at_once(eight):
    notes = Report.of(SPEC, eight).findings[0].notes
    assert len([note for note in notes if "all 8 trials" in note]) == 1
    assert "warning for als (w1\u00d71c, w2\u00d71c): ratings look like counts" in notes
    failed = [dataclasses.replace(item, status="failed", error="out of memory\ntrace") for item in eight]
    assert "all 8 trials: failed: out of memory" in Report.of(SPEC, failed).findings[0].notes


def test_curves_share_the_reason_why_no_law_is_fitted(eight):
    own = [
        dataclasses.replace(
            item, applications=[dataclasses.replace(one, share=None) for one in item.applications]
        )
        for item in eight
    ]
    report = Report.of(SPEC, own)
    (found,) = [finding for finding in report.findings if finding.title == "Scaling"]
    assert [note.partition(":")[0] for note in found.notes if "not fitted" in note] == ["all 4 curves"]
    assert [len(curve["notes"]) for curve in report.as_json()["scaling"]] == [1] * 4


def test_lines_in_a_terminal_fit_and_what_continues_is_set_in(eight):
    lines = Report.of(SPEC, eight).text().splitlines()
    assert max(map(len, lines)) <= WIDTH
    path = "/a" * 100
    assert wrapped(f"a word {path} and more").splitlines() == ["a word", f"  {path}", "  and more"]
    assert wrapped("one\ntwo") == "one\ntwo"


def test_notes_that_only_explain_a_column_are_a_line_each(eight):
    findings = Report.of(SPEC, eight).findings
    headers = {name for finding in findings for table in finding.tables for name in table.header}
    explained = [note for finding in findings for note in finding.notes if note.partition(":")[0] in headers]
    explained += [note for note in drill_notes([], DRILLS) if ":" in note]
    assert len(explained) >= 4
    assert [note for note in explained if len(note) > WIDTH] == []
