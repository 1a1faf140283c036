"""Tables, pictures, page and JSON of invented outcomes."""

import json
import re

import pytest
from invented import application, outcome

from datasets.errors import UsageError
from experiments import tables
from experiments.report import Report
from experiments.spec import Comparison, Experiment, Mean

SPEC = Experiment(
    "invented",
    "How fast is <als>?",
    comparisons=(Comparison({"workers": 1}, {"workers": 2}),),
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
        outcome([popular], 1, label="popularity w1\u00d71c", values={"model": "popularity"}, key="p" * 64),
        outcome([application(0, [9.0], status="failed", error="boom\ntrace")], 1, label="knn w1\u00d71c",
                values={"model": "knn"}, status="failed", error="boom\ntrace", key="k" * 64),
    ]  # fmt: skip


def test_table_says_what_each_trial_cost_and_how_good_it_is():
    text = tables.as_text(tables.main_table(trials()))
    lines = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    assert "8.25 (8.00\u20138.50)" in lines["als w1\u00d71c"]
    assert re.search(r"1\.76\u00d7 \[.*\] shared-host", lines["als w2\u00d71c"])
    assert "not claimed (oversubscribed)" in lines["als w8\u00d71c"]
    assert "0.9000" in lines["als w1\u00d71c"]
    assert "100.0%" in lines["als w1\u00d71c"]
    assert re.search(r"n/a +90\.0%", lines["popularity w1\u00d71c"])
    assert "FAILED" in text


def test_notes_say_what_a_reader_must_know():
    text = "\n".join(tables.notes(trials(tags={"fallback": "stands in for movielens/1m"})))
    assert "data: movielens/1m, 1,000 rows (stands in for movielens/1m)" in text
    assert "shared-host: as many worker cores" in text
    assert "oversubscribed: more worker cores" in text
    assert "knn w1\u00d71c: failed: boom" in text
    assert "trace" not in text
    assert "0.30 s to record a trial" in text
    assert "too few applications for intervals" in text


def test_changed_model_and_lost_executors_are_said():
    made = [application(n, [9.0, 4.0], fingerprint=[3.0, 5.0], died=["spark-worker-2"]) for n in range(5)]
    text = "\n".join(tables.notes([trials()[0], outcome(made, 2)]))
    assert "no speed-up for als w2\u00d71c: the model changed between w1\u00d71c and w2\u00d71c" in text
    assert "5 executor(s) lost" in text


def test_report_is_written_whole(tmp_path):
    report = Report.of(SPEC, trials())
    written = report.write(tmp_path)
    names = {path.name for path in written}
    assert {"invented.html", "invented.json", "invented-phases.png", "invented-speedup.png"} <= names
    assert all(path.stat().st_size for path in written)
    values = json.loads((tmp_path / "invented.json").read_text())
    assert [trial["status"] for trial in values["trials"]] == ["ok", "ok", "ok", "ok", "failed"]
    first = values["trials"][0]
    assert first["shape"] == {"workers": 1, "cores": 1, "memory": "1g", "tag": "clean"}
    assert first["applications"][0]["phases"]["fit"] == {"cold_s": 9.0, "repeats_s": [8.0, 8.5]}
    assert first["applications"][0]["metrics"]["rmse"] == 0.9
    comparison = next(item for item in values["comparisons"] if item["contender"] == {"workers": 2})
    assert comparison.keys() >= {"baseline", "contender", "metric", "ratio", "low", "high"}
    assert comparison["ratio"] == pytest.approx(9.25 / 5.25)
    assert comparison["low"] <= comparison["ratio"] <= comparison["high"]


def test_page_needs_no_network_and_escapes_what_it_shows(tmp_path):
    page = Report.of(SPEC, trials()).write(tmp_path)[0].read_text()
    assert "How fast is &lt;als&gt;?" in page
    assert not re.search(r"(src|href|srcset)=\"(?!data:)", page)
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") >= 4
    assert "prefers-color-scheme: dark" in page


def test_oversubscribed_shapes_are_not_drawn_as_scaling(tmp_path):
    first, _, many, *_ = trials()
    names = {path.name for path in Report.of(SPEC, [first, many]).write(tmp_path)}
    assert "invented-speedup.png" not in names


def test_markdown_for_the_parent_run():
    text = Report.of(SPEC, trials()).markdown()
    assert "| trial | fit s |" in text
    assert "### Comparisons" in text


def test_report_of_nothing_says_what_to_run():
    with pytest.raises(UsageError, match="make experiment NAME=invented"):
        Report.of(SPEC, [])


def test_report_of_failures_alone_is_still_a_report(tmp_path):
    report = Report.of(SPEC, [trials()[-1]])
    assert "FAILED" in report.text()
    assert report.write(tmp_path)[0].exists()
