"""Tables, pictures, numbers and answers of invented outcomes."""

import csv
import io
import json
import re
from dataclasses import asdict

import pytest
from invented import application, outcome

from cluster.shape import Shape
from core.errors import UsageError
from experiments.page import tables
from experiments.page.finding import Finding
from experiments.page.raw_values import trial_json
from experiments.record import run_tags
from experiments.report.answer import answer_of, protocol
from experiments.report.overhead import overhead
from experiments.report.report import Report
from experiments.report.sections.quality import Point, front
from experiments.spec.experiment import Comparison, Experiment, Mean

SPEC = Experiment(
    "invented",
    "How fast is <als>?",
    comparisons=(Comparison({"shape.workers": 1}, {"shape.workers": 2}),),
    means=(Mean("rmse", ("workers",)),),
)


def trials(**changes):
    def made(seconds):
        return [application(n, [9.0, seconds, seconds + 0.5], [3.0, 1.0, 1.0]) for n in range(5)]

    popular = application(0, [2.0, 0.5, 0.5], metrics={"ndcg_at_10": 0.2, "coverage": 0.9})
    return [
        outcome(made(8.0), 1, recording_s=0.3),
        outcome(made(4.0), 2, shape_tag="shared-host", **changes),
        outcome(made(2.0), 8, shape_tag="oversubscribed"),
        outcome([popular], 1, label="popularity w1\u00d71c", values={"model.name": "popularity"}, key="p" * 64),
        outcome([application(0, [9.0], status="failed", error="boom\ntrace")], 1, label="knn w1\u00d71c",
                values={"model.name": "knn"}, status="failed", error="boom\ntrace", key="k" * 64),
    ]  # fmt: skip


def test_table_says_what_each_trial_cost_and_how_good_it_is():
    table = tables.main_table(trials())
    rows = {row[0]: dict(zip(table.header, row, strict=True)) for row in table.rows}
    assert rows["als w1\u00d71c"]["fit s"] == "8.25 (8.00\u20138.50)"
    assert re.fullmatch(r"1\.76\u00d7 \[.*\] unpaired shared-host", rows["als w2\u00d71c"]["speed-up"])
    assert rows["als w8\u00d71c"]["speed-up"] == "not claimed (oversubscribed)"
    assert rows["als w1\u00d71c"]["RMSE"] == "0.9000"
    assert rows["als w1\u00d71c"]["coverage"] == "100.0%"
    assert (rows["popularity w1\u00d71c"]["RMSE"], rows["popularity w1\u00d71c"]["coverage"]) == (
        "n/a",
        "90.0%",
    )
    assert "knn w1\u00d71c FAILED" in rows


def test_notes_say_what_a_reader_must_know():
    told = list(tables.notes(trials(tags={"fallback": "stands in for movielens/1m"})))
    patterns = (
        r"^data: movielens/1m\b.*\b1,000 rows\b.*stands in for movielens/1m",
        "^shared-host: as many",
        "^oversubscribed: more",
        r"^knn w1\u00d71c: failed: boom$",
        r"^1 application\b.*too few applications",
    )
    for pattern in patterns:
        assert len([line for line in told if re.search(pattern, line)]) == 1, pattern
    assert "trace" not in "\n".join(told)


def test_warnings_are_said_once_with_whom_they_concern():
    warned = [application(0, [9.0, 4.0], warnings=["ratings look like counts"])]
    data = {**outcome().data, "warnings": ["2 rows have no time"]}
    found = [outcome(warned, workers, data=data) for workers in (1, 2)]
    told = [line for line in tables.notes(found) if line.startswith("warning")]
    assert told == [
        "warning for movielens/1m: 2 rows have no time",
        "warning for both trials: ratings look like counts",
    ]
    trial = Report.of(SPEC, found).as_json()["trials"][0]
    assert trial["applications"][0]["warnings"] == ["ratings look like counts"]
    named = run_tags.tags(found[0])
    assert named["recscale.warnings"].splitlines() == ["2 rows have no time", "ratings look like counts"]
    assert "ratings look like counts" in named["mlflow.note.content"]


def test_what_is_relevant_is_said_once_and_recorded():
    def ranked(least):
        info = {"relevant": least, "relevant_rows": f"a rating of at least {least}"}
        return [application(0, [9.0, 4.0], info=info, metrics={"ndcg_at_10": 0.1, "coverage": 1.0})]

    same = [outcome(ranked("4"), workers) for workers in (1, 2)]
    assert [line for line in tables.notes(same) if line.startswith("relevant")] == [
        "relevant in rankings: a rating of at least 4"
    ]
    assert run_tags.params(same[0])["job.relevant"] == "4"
    assert run_tags.tags(same[0])["relevant_rows"] == "a rating of at least 4"
    other = [same[0], outcome(ranked("3"), 2)]
    told = [line for line in tables.notes(other) if line.startswith("relevant")]
    assert [line.partition(":")[0] for line in told] == [
        "relevant in rankings of als w1\u00d71c",
        "relevant in rankings of als w2\u00d71c",
    ]
    assert protocol(same[0]) == protocol(same[1])
    assert protocol(other[0]) != protocol(other[1])
    assert protocol(same[0]) == protocol(outcome(ranked("4"), values={"job.relevant": 4.0}))


def test_changed_model_and_lost_executors_are_said():
    changed = [application(n, [9.0, 4.0], fingerprint=[3.0, 5.0]) for n in range(5)]
    text = "\n".join(tables.notes([trials()[0], outcome(changed, 2)]))
    assert re.search(r"als w2\u00d71c: no speed-up: .*model changed.*w1\u00d71c.*w2\u00d71c", text)
    disturbed = [application(n, [9.0, 4.0], died=["spark-worker-2"]) for n in range(5)]
    text = "\n".join(tables.notes([trials()[0], outcome(disturbed, 2)]))
    assert re.search(r"als w2\u00d71c: no speed-up: .*executors.*lost.*w2\u00d71c", text)
    assert re.search(r"w2\u00d71c: 5 executor.*lost", text)


def test_report_is_written_whole(tmp_path):
    report = Report.of(SPEC, trials())
    written = report.write(tmp_path)
    names = {path.name for path in written}
    assert {"invented.html", "invented.json", "invented.csv"} <= names
    assert {f"invented-{plot}.{kind}" for plot in ("phases", "speedup") for kind in ("png", "svg")} <= names
    assert all(path.stat().st_size for path in written)
    values = json.loads((tmp_path / "invented.json").read_text())
    assert [trial["status"] for trial in values["trials"]] == ["ok", "ok", "ok", "ok", "failed"]
    first = values["trials"][0]
    assert first["shape"] == {**asdict(Shape(1, 1, "1g")), "tag": "clean"}
    assert first["applications"][0]["phases"]["fit"] == {"cold_s": 9.0, "repeats_s": [8.0, 8.5]}
    assert first["applications"][0]["metrics"]["rmse"] == 0.9
    comparison = next(item for item in values["comparisons"] if item["contender"] == {"shape.workers": 2})
    assert comparison.keys() >= {"baseline", "contender", "metric", "ratio", "low", "high"}
    assert comparison["ratio"] == pytest.approx(9.25 / 5.25)
    assert comparison["low"] <= comparison["ratio"] <= comparison["high"]


def test_oversubscribed_shapes_are_not_drawn_as_scaling(tmp_path):
    first, _, many, *_ = trials()
    names = {path.name for path in Report.of(SPEC, [first, many]).write(tmp_path)}
    assert "invented-speedup.png" not in names


def test_markdown_for_the_parent_run():
    text = Report.of(SPEC, trials()).markdown()
    assert "| trial | fit s |" in text
    assert "### Comparisons" in text
    assert "**No answer" not in text
    assert "0.30 s to record a trial" in text


def test_report_of_nothing_says_what_to_run():
    with pytest.raises(UsageError, match="make experiment NAME=invented"):
        Report.of(SPEC, [])


def test_report_of_failures_alone_is_still_a_report(tmp_path):
    report = Report.of(SPEC, [trials()[-1]])
    assert "FAILED" in report.text()
    assert report.write(tmp_path)[0].exists()


def test_answer_is_the_first_that_a_finding_gives():
    findings = [
        Finding("None"),
        Finding("Why", why="It is skewed."),
        Finding("First", answer="Yes, twice as fast."),
        Finding("Second", answer="No."),
    ]
    assert answer_of(findings, trials()) == "Yes, twice as fast."


def test_answer_without_a_finding_names_the_best_and_how_much_stands_behind_it():
    short = [
        outcome([application(0, [9.0, 4.0], metrics={"rmse": 0.9, "ndcg_at_10": 0.1})], 1),
        outcome([application(0, [9.0, 2.0], metrics={"rmse": 0.8, "ndcg_at_10": 0.05})], 1,
                label="knn w1\u00d71c", values={"model.name": "knn"}),
        outcome([application(0, [9.0, 1.0], metrics={"rmse": 0.8, "ndcg_at_10": 0.05})], 8,
                label="knn w8\u00d71c", values={"model.name": "knn"}, shape_tag="oversubscribed"),
    ]  # fmt: skip
    best = (
        r"kNN\b.*lowest RMSE\W+0\.800",
        r"ALS\b.*highest nDCG@10\W+0\.100",
        r"kNN on one worker\b.*fastest\W+2\.0 s",
    )
    said = answer_of([], short)
    assert re.search(rf"^{'; '.join(best)}\b.*\bOne run each\b", said)
    assert "ALS" not in said.partition(";")[0]


def test_no_answer_where_trials_cannot_be_compared_or_none_ended_well():
    other = outcome([application(0, [9.0, 4.0])], values={"job.split": "time"}, label="als split=time")
    assert re.search("^No single answer: .*data.*split", answer_of([], [trials()[0], other]))
    assert re.search("^No answer yet: .*only trial", answer_of([], [trials()[-1]]))


def test_raw_values_are_a_row_each_and_failed_trials_are_among_them():
    rows = list(csv.DictReader(io.StringIO(Report.of(SPEC, trials()).document.csv)))
    first = [row for row in rows if row["trial"] == "als w1\u00d71c" and row["application"] == "0"]
    fit = [(row["kind"], row["pass"], float(row["value"])) for row in first if row["quantity"] == "fit_s"]
    assert fit == [("cold", "0", 9.0), ("repeat", "1", 8.0), ("repeat", "2", 8.5)]
    assert [row["value"] for row in first if row["quantity"] == "rmse"] == ["0.9"]
    assert {row["status"] for row in rows} == {"ok", "failed"}
    in_turns = outcome([application(0, [9.0, 8.0], round_id="one.0"), application(1, [9.0, 8.0])])
    again = csv.DictReader(io.StringIO(Report.of(SPEC, [in_turns]).document.csv))
    assert {(row["application"], row["round"]) for row in again} == {("0", "one.0"), ("1", "")}


def test_raw_values_hold_the_whole_shape():
    shape = {"workers": 2, "cores": 1, "memory": "1g", "cpus": 0.5, "pin": True, "backend": "docker"}
    whole = Report.of(SPEC, [outcome([application(0, [9.0, 8.0])], shape=shape)]).document.csv
    row = next(csv.DictReader(io.StringIO(whole)))
    assert {name: row[f"shape.{name}"] for name in shape} == {
        name: str(value) for name, value in shape.items()
    }
    plain = outcome([application(0, [9.0, 8.0])], environment={"settings.backend": "local"})
    assert (
        next(csv.DictReader(io.StringIO(Report.of(SPEC, [plain]).document.csv)))["shape.backend"] == "local"
    )
    assert trial_json(plain, [])["shape"]["backend"] == "local"


def test_quality_against_time_keeps_what_nothing_beats():
    points = [
        Point("slow and good", "a", 9.0, 0.8, ("d",)), Point("fast and bad", "b", 1.0, 1.0, ("d",)),
        Point("beaten", "c", 9.0, 0.9, ("d",)), Point("same as the good one", "c", 9.0, 0.8, ("d",)),
        Point("elsewhere", "d", 20.0, 2.0, ("e",)),
    ]  # fmt: skip
    kept = [point.label for point in front(points, lower=True)]
    assert kept == ["fast and bad", "same as the good one", "slow and good", "elsewhere"]
    assert [point.label for point in front(points[:2], lower=False)] == ["fast and bad"]


def test_recording_is_told_as_a_share_of_the_trial():
    made = [application(n, [9.0, 1.0], seconds=30.0, kept_s=0.1) for n in range(2)]
    told = overhead([outcome(made, recording_s=0.4)])
    assert re.search(r"^recording: .*\b0\.60 s a trial\b.*\b1\.00%.*most 1\.00%.*minute\D*\b1\.00%", told[-1])
    unknown = outcome([application(0, [9.0, 1.0])], recording_s=0.4)  # written by an older version
    assert not any("recording:" in line for line in overhead([unknown]))


def test_pictures_have_room_for_some_trials_only_and_say_so():
    many = [
        outcome(
            [application(0, [9.0, 1.0 + n])],
            label=f"als rank={n} w1\u00d71c",
            values={"model.rank": n},
            key=f"{n:064x}",
        )
        for n in range(60)
    ]
    captions = {
        plot.name: plot.caption for finding in Report.of(SPEC, many).findings for plot in finding.plots
    }
    assert re.search(r"\b40 longest of 60\b", captions["phases"])
    assert re.search(r"\b40 lowest of 60\b", captions["rmse"])


def test_json_holds_no_number_that_strict_readers_refuse(tmp_path):
    first = outcome([application(n, [9.0, 4.0]) for n in range(5)])
    other = outcome([application(n, [9.0, 4.0], fingerprint=[1.0]) for n in range(5)], 2)
    Report.of(SPEC, [first, other]).write(tmp_path)

    def refuse(word):
        raise AssertionError(word)

    values = json.loads((tmp_path / "invented.json").read_text(), parse_constant=refuse)
    assert values["scaling"][0]["changes"][0]["difference"] is None
