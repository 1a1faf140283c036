"""Jobs that run on: windows timed, told of, recovered, recorded and reported."""

import dataclasses
import json
import math

import pytest
from invented import application, outcome

from cluster.shape import Shape
from core.errors import JobError, UsageError
from experiments.page.raw_values import raw_rows, trial_json
from experiments.record.run_tags import shown_columns
from experiments.report.report import Report
from experiments.results.events import windows_of
from experiments.results.metrics import numbers
from experiments.results.outcome import load
from experiments.results.windows import lags, rates
from experiments.run.progress import Progress
from experiments.spec.loading import read
from experiments.spec.trial import Trial
from experiments.stats.summaries import spread_of
from experiments.studies.compare.sides import sides_of
from jobs.apps import JOBS
from jobs.runtime.phases import Events
from jobs.runtime.request import Window
from jobs.runtime.windows import windows


def made(*rates_, number=0, lag=0.5):
    """One application of a warm-up and so many windows."""
    found = [
        Window(at, "repeat" if at else "cold", 1.0, {"rows": rate}, {"p99": lag * rate / 100})
        for at, rate in enumerate([1.0, *rates_])
    ]
    return application(number, [], windows=found, metrics={})


def runs_on(*applications, **changes):
    return outcome(applications, job="toy", values={"model": None}, **changes)


def test_windows_follow_one_another_and_are_told_of(tmp_path):
    times, events = [], Events(tmp_path / "events.jsonl")
    for number, window in enumerate(windows(events, times, 1, 2)):
        window.count("rows", 10 * number)
        window.count("rows", 5)
        window.lag("p99", 0.25 + number)
    assert [time.kind for time in times] == ["cold", "repeat", "repeat"]
    assert [time.rates["rows"] * time.seconds for time in times] == pytest.approx([5, 15, 25])
    assert [time.lags for time in times] == [{"p99": 0.25}, {"p99": 1.25}, {"p99": 2.25}]
    told = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in told] == ["window_start", "window_end"] * 3
    assert windows_of(told) == times
    assert [time.kind for time in _kinds(tmp_path, cold=False)] == ["warmup", "repeat"]


def _kinds(folder, *, cold):
    times = []
    for window in windows(Events(folder / "more.jsonl"), times, 1, 1, cold=cold):
        window.count("rows", 0)
    return times


def test_a_window_that_counts_nothing_has_no_rate_and_is_refused(tmp_path):
    found = windows(Events(tmp_path / "events.jsonl"), [], 0, 2)
    next(found).lag("p99", 1.0)
    with pytest.raises(JobError, match="window 0"):
        next(found)


def test_medians_are_over_applications_and_leave_warm_ups_out():
    found = runs_on(made(100.0, 200.0, 900.0), made(300.0, 300.0, 400.0, number=1))
    (rate,) = map(spread_of, rates(found).values())
    assert (rate.median, rate.least, rate.most, rate.applications) == (250.0, 100.0, 900.0, [200.0, 300.0])
    assert spread_of(lags(found)["p99"]).median == pytest.approx(1.25)


def test_every_window_and_their_medians_are_metrics():
    found = {}
    for number in numbers(runs_on(made(100.0, 200.0), made(300.0, 400.0, number=1))):
        found.setdefault(number.name, []).append((number.step, number.value))
    assert found["windows/rows_per_s"] == [(0, 100.0), (1, 200.0), (2, 300.0), (3, 400.0)]
    assert found["rows_per_s"] == [(0, 250.0)]
    assert found["lag/p99_s"] == [(0, pytest.approx(1.25))]
    assert len(found["windows/lag_p99_s"]) == 4
    assert not [name for name in found if name.startswith(("total_s", "repeats/", "cold/"))]


def test_outcomes_keep_windows_on_disk_and_older_ones_have_none(tmp_path):
    kept = runs_on(made(100.0))
    kept.save(tmp_path)
    assert load(tmp_path / "outcome.json").applications == kept.applications
    values = json.loads((tmp_path / "outcome.json").read_text())
    del values["applications"][0]["windows"]
    (tmp_path / "outcome.json").write_text(json.dumps({**values, "format": 3}))
    assert load(tmp_path / "outcome.json").applications[0].windows == []


def test_a_trial_in_windows_is_resumed_with_what_ended_well():
    died = application(1, [], status="killed", error="interrupted", windows=made(90.0).windows)
    first = runs_on(made(100.0), died, wanted=3, status="killed")
    trial = Trial("toy", "toy w1", {}, Shape(1, 1, "1g"), None, {}, applications=3)
    again = first.resumed(trial)
    assert (again.status, again.wanted, again.error) == ("running", 3, None)
    assert [item.windows for item in again.applications] == [made(100.0).windows]
    assert first.resumed(dataclasses.replace(trial, applications=1)).status == "ok"


def test_the_report_sets_rates_and_lags_of_all_trials_side_by_side(tmp_path):
    one = runs_on(made(100.0, 120.0), label="toy w1")
    two = runs_on(made(2100.0, 2200.0), label="toy w2", workers=2)
    report = Report.of(read("invented", {"question": "How much comes through?"}), [one, two])
    (section,) = [item for item in report.findings if item.title == "Windows"]
    assert section.tables[0].header == ["trial", "windows", "rows_per_s", "lag/p99_s"]
    assert [row[:3] for row in section.tables[0].rows] == [
        ["toy w1", "2", "110 (100\u2013120)"],
        ["toy w2", "2", "2,150 (2,100\u20132,200)"],
    ]
    assert "2,150 rows a second came through toy w2" in report.answer
    paths = report.write(tmp_path)
    assert {"invented-window-rates.png", "invented-window-lags.png"} <= {path.name for path in paths}
    assert max(map(len, report.text().splitlines())) <= 120
    header, *values = raw_rows([one])
    rows = [dict(zip(header, row, strict=True)) for row in values]
    assert [(row["quantity"], row["kind"], row["pass"], row["value"]) for row in rows[2:4]] == [
        ("rows_per_s", "repeat", 1, 100.0),
        ("lag/p99_s", "repeat", 1, 0.5),
    ]
    assert len(trial_json(one, [one])["applications"][0]["windows"]) == 3
    assert "metrics.`rows_per_s`" in shown_columns([one, two])


def test_trials_of_several_rates_get_no_answer_that_picks_one():
    both = [Window(0, "repeat", 1.0, {"rows": 11.0, "bytes": 1e6}, {})]
    report = Report.of(
        read("invented", {"question": "?"}), [runs_on(application(0, [], windows=both, metrics={}))]
    )
    (section,) = [item for item in report.findings if item.title == "Windows"]
    assert section.answer == ""
    assert section.tables[0].rows == [["als w1\u00d71c", "1", "11", "1,000,000"]]


def test_windows_of_failed_applications_count_only_where_none_ended_well():
    failed = application(1, [], status="failed", error="it died", windows=made(90.0).windows, metrics={})
    (section,) = [
        item
        for item in Report.of(
            read("invented", {"question": "?"}), [runs_on(made(10.0, 12.0), failed)]
        ).findings
        if item.title == "Windows"
    ]
    assert section.tables[0].rows[0][1:3] == ["2", "11 (10\u201312)"]


def test_sides_of_a_comparison_need_phases(monkeypatch):
    monkeypatch.setattr(type(JOBS["generate"]), "kind", "windows")
    experiment = read("invented", {"question": "?", "job": {"name": "generate"}})
    with pytest.raises(UsageError, match="windows"):
        sides_of(experiment, {}, {"job.rows": 1}, {"job.rows": 2}, Shape(1, 1, "1g"))


@pytest.mark.parametrize("kind", [None, "window"])
def test_a_job_must_say_how_it_is_measured(monkeypatch, kind):
    monkeypatch.setattr(type(JOBS["generate"]), "kind", kind)
    with pytest.raises(UsageError, match=r"generate.*kind"):
        read("invented", {"question": "?", "job": {"name": "generate"}})


def test_nothing_measured_is_no_number():
    failed = runs_on(application(0, [], status="failed", error="died", metrics={}), status="failed")
    assert rates(failed) == {}
    assert not [item for item in numbers(failed) if math.isnan(item.value)]


def test_progress_tells_the_window(capsys):
    progress = Progress(total=1)
    progress.start("toy w1")
    progress.follow({"event": "window_start", "number": 1, "of": 3, "kind": "repeat"})
    assert progress._phase == "window 2 of 3 (repeat)"


def test_comparisons_of_seconds_need_phases(monkeypatch):
    monkeypatch.setattr(type(JOBS["generate"]), "kind", "windows")
    compared = [{"baseline": {"job": {"rows": 1}}, "contender": {"job": {"rows": 2}}}]
    grid = {"job": {"rows": [1, 2]}}
    spec = {"question": "?", "job": {"name": "generate"}, "grid": grid, "comparisons": compared}
    with pytest.raises(UsageError, match="windows"):
        read("invented", spec)
