"""Pages of streams and of their drills, from invented events and drills."""

import dataclasses
import json
import re
import shutil

import pytest
from invented_drills import STREAM_DRILLED
from invented_streams import BEGAN, QUERY, batch, course, failed, lag, query_start, start, watermark, write
from recording import client_of

from cluster import configuration
from core.errors import UsageError
from experiments.page.index import write_index
from experiments.report import stream_drills
from experiments.report.streams import find, newest, report_of
from experiments.studies.stream_drills.record import keep, record_missing

EVENTS = "feedback.events"


@pytest.fixture
def settings(tmp_path):
    """A run folder with two commands of the lake, the first of which started its application again, and one of two streams."""
    place = tmp_path / "streaming"
    write(
        place,
        start("a", status="failed", error="the broker is gone\n  lake.ratings: batch 28 is done"),
        course(30),
    )
    again = [
        query_start(40),
        lag(41, 900, 9.0),
        batch(42, 29, 900, 3000),
        failed(43),
        query_start(45),
        lag(46, 0, 0.0),
    ]
    write(place, start("b", command="a", restart=1, began_at=BEGAN + 35, ended_at=BEGAN + 50), again)
    write(place, start("c", began_at=BEGAN + 100, ended_at=None, status="stopped"), [])
    state = {"numRowsTotal": 12, "memoryUsedBytes": 4096, "watermark": watermark(190)}
    both = [
        *course(20),
        query_start(1, EVENTS),
        batch(3, 0, 10, query=EVENTS, **state),
        lag(4, 5, 2.5, EVENTS),
    ]
    write(place, start("d", streams=["lake", "feedback"], triggers={"lake": 10.0, "feedback": 1.0}), both)
    return configuration.load([f"run_dir={tmp_path}"], {})


def test_a_page_shows_all_starts_of_a_command(settings, tmp_path):
    run, name = find(settings, attempt="b")
    report = report_of(run, name)
    assert name == "stream-lake-a"  # there is a newer one
    assert report.answer == (
        "3,800 messages in 30 batches and 50.0 s. lake.ratings was behind most, by 9.0 s at most; at the end nothing was left."
    )
    ((row,),) = [finding.tables[0].rows for finding in report.findings if finding.title == "Queries"]
    named = dict(zip(report.findings[0].tables[0].header, row, strict=True))
    assert (named["messages"], named["batches"], named["restarts"], named["left"]) == (
        "3,800",
        "30",
        "2",
        "0",
    )
    assert (named["batch p50 s"], named["p99 s"]) == ("0.50", "3.00")
    assert named["dead letters"] == "\u2013"
    notes = "\n".join(report.findings[0].notes)
    assert "started two times" in notes
    assert "batch 28 is done" in notes
    assert "failures: lake.ratings 1" in notes
    assert run.series.again == [40, 45]
    files = {path.name for path in report.write(tmp_path / "reports")}
    assert {
        f"{name}.html",
        f"{name}.json",
        f"{name}.csv",
        f"{name}-lag.png",
        f"{name}-batches-lake-ratings.svg",
    } <= files
    values = json.loads((tmp_path / "reports" / f"{name}.json").read_text())
    assert [one["attempt"] for one in values["starts"]] == ["a", "b"]
    assert values["queries"][QUERY]["messages"] == 3800
    page = (tmp_path / "reports" / f"{name}.html").read_text()
    assert "addBatch" in page
    assert "NaN" not in page


def test_streams_that_ran_together_have_one_page_with_state(settings):
    run, name = find(settings, ["lake", "feedback"])
    report = report_of(run, name)
    assert name == "stream-lake-feedback"
    assert [finding.title for finding in report.findings] == ["Queries", "Rates", "Batches", "Lag", "State"]
    assert [plot.name for plot in report.findings[-1].plots] == ["state-rows", "state-memory", "watermark"]
    assert ("trigger", "lake 10 s, feedback 1 s") in report.asked
    assert [row[0] for row in report.findings[0].tables[0].rows] == [QUERY, EVENTS]


def test_a_run_without_an_event_has_a_page(settings, tmp_path):
    run, name = find(settings, ["lake"])
    assert name == "stream-lake"
    report = report_of(run, name)
    assert "not known" in report.answer
    assert report.write(tmp_path)[0].exists()


def test_the_newest_of_each_and_unknown_ones(settings, tmp_path):
    assert [(run.page, run.last.attempt) for run in newest(settings)] == [
        ("stream-lake", "c"),
        ("stream-lake-feedback", "d"),
    ]
    with pytest.raises(UsageError, match="'z': the last ones are a, c, d"):
        find(settings, attempt="z")
    with pytest.raises(UsageError, match="no stream of feedback ran here"):
        find(settings, ["feedback"])
    with pytest.raises(UsageError, match="no stream ran here"):
        find(configuration.load([f"run_dir={tmp_path / 'new'}"], {}))


def test_a_page_of_drills_says_what_was_reconciled_and_how_long_it_took(tmp_path):
    whole = dataclasses.replace(STREAM_DRILLED, kind="malformed", victim="", recovery_s=None, notes=[])
    late = dataclasses.replace(STREAM_DRILLED, seed=2, recovery_s=20.0)
    report = stream_drills.report_of([whole, STREAM_DRILLED, late])
    assert report.answer == (
        "All three drills reconciled everything: nothing was lost, nothing is there twice. The longest recovery took 20.0 s (query)."
    )
    rows = report.findings[0].tables[0].rows
    assert [row[:6] for row in rows] == [
        ["malformed", "1", "\u2013", "reconciled", "\u2013", "14.5"],
        ["query", "1", "300", "reconciled", "12.5", "14.5"],
        ["query", "2", "300", "reconciled", "20.0", "14.5"],
    ]
    assert list(report.findings[0].notes) == [
        "query: hit the driver",
        "longer than what is allowed to a driver that was killed: query, seed 2",
        "query, seed 1, query, seed 2: it was slow",
    ]
    assert {"stream-drills.html", "stream-drills-recovery.png"} <= {
        path.name for path in report.write(tmp_path)
    }
    index = write_index(tmp_path).read_text()
    assert re.search(r"<h2>Streams</h2>.*stream-drills\.html", index, re.DOTALL)
    assert report.facts["Java"] == "17"


def test_the_page_of_all_drills_that_are_kept_lies_with_their_runs(place, tmp_path, capsys):
    folder, recorder = place
    shutil.copy(folder / "mlflow.db", tmp_path / "mlflow.db")
    copied = type(recorder)(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "mlartifacts")
    settings = configuration.load([f"run_dir={tmp_path}"], {})
    kept = tmp_path / "kept"
    for one in (STREAM_DRILLED, dataclasses.replace(STREAM_DRILLED, seed=2)):
        keep(one, kept)
    record_missing(settings, None, kept)
    stream_drills.show(settings, kept, [STREAM_DRILLED])
    said = capsys.readouterr().out
    assert "The one drill reconciled everything" in said
    runs = copied.tracking.runs("stream-drills", "recscale.kind", "stream-drill")
    assert len(runs) == 2
    client = client_of(copied)
    for run in runs:
        attached = {item.path for item in client.list_artifacts(run.run_id, "report")}
        assert {"report/stream-drills.html", "report/stream-drills.csv"} <= attached
    numbers = json.loads((tmp_path / "reports" / "stream-drills.json").read_text())
    assert [one["seed"] for one in numbers["drills"]] == [1, 2]


def test_what_was_not_reconciled_heads_the_page_of_drills():
    bad = dataclasses.replace(
        STREAM_DRILLED,
        differing=2,
        findings=[["read = lake + dead letters", "lost", "users", "0", "2", "offsets 4 to 5"]],
    )
    report = stream_drills.report_of([STREAM_DRILLED, bad])
    assert report.answer == "One of two drills reconciled everything. Not so: query with seed 1."
    assert report.findings[1].tables[0].rows == [
        ["query, seed 1", "read = lake + dead letters, lost, users, 0, 2, offsets 4 to 5"]
    ]
