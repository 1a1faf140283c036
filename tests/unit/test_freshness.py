"""Freshness: medians over rounds, the page and the runs, from plain values; a like's table; and what the command refuses."""

import dataclasses
import datetime as dt

import pytest

from core.errors import UsageError
from experiments.__main__ import main
from experiments.metric_table import described
from experiments.page.text_tables import as_text
from experiments.report.freshness import answer, report_of
from experiments.studies.freshness.one_like import Liked
from experiments.studies.freshness.record import node
from experiments.studies.freshness.trials import READ, STREAM, Effort, Found, Trial
from jobs.engine.personal import Entry, Recommended
from jobs.stores.cassandra.feedback import Through
from jobs.stores.cassandra.lists import Listed


def trial(way, number, factor):
    """Hundred probes, the last of which took `factor` seconds."""
    rows = tuple(tuple(factor * n / 100 * part for part in (0.1, 0.2, 0.5, 1.0)) for n in range(1, 101))
    return Trial(way, number, rows, 3.0)


def found(*trials):
    return Found(dataclasses.asdict(Effort(rounds=3)), (0.001, 0.002, 0.004), trials, {}, 1_700_000_000.0)


def test_values_are_medians_over_rounds():
    made = found(*(trial(STREAM, number, factor) for number, factor in enumerate((1.0, 4.0, 2.0), start=1)))
    assert made.median(STREAM, "listed", 1.0) == 2.0
    assert made.median(STREAM, "acked", 1.0) == 0.4
    assert made.median(STREAM, "listed", 0.5) == pytest.approx(1.01)
    assert made.median(READ, "listed", 0.5) is None


def test_the_page_says_how_soon_and_how_much_sooner_at_read(tmp_path):
    made = found(trial(STREAM, 1, 1.0), trial(READ, 1, 0.1))
    text = answer(made)
    assert "by the stream refresh 0.51 s (median), 0.95 s (95%), 0.99 s (99%)" in text
    assert "At read it takes 0.10 times as long" in text
    written = report_of(made).write(tmp_path)
    assert written[0].name == "freshness.html"
    assert "list read that has it" in report_of(made).text()
    assert len((tmp_path / "freshness.csv").read_text().splitlines()) == 201


def test_a_way_without_a_trial_is_left_out():
    text = answer(found(trial(READ, 1, 0.1)))
    assert "stream refresh" not in text
    assert "times as long" not in text
    assert "stream refresh" not in as_text(report_of(found(trial(READ, 1, 0.1))).findings[0].tables[0])


def test_each_trial_is_a_run_with_known_metrics(tmp_path):
    root = node(found(trial(STREAM, 1, 1.0), trial(READ, 1, 0.1)), "yes", [tmp_path])
    assert [one.name for one in root.children] == [f"{STREAM}, round 1", f"{READ}, round 1"]
    values = {number.name: number.value for number in root.children[0].metrics}
    assert values["freshness/listed_p99_s"] == pytest.approx(0.9901)
    assert len(values) == 12
    names = {name for name, *_ in described()}
    assert {"freshness/NAME_s", "freshness/list_alone_s"} <= names


def listed(*items):
    entries = tuple(Entry(item, 1.0, (("near", "film-1", 0.6), ("popular", None, 0.4))) for item in items)
    return Listed(Recommended(entries, 1, 0), "hybrid", "v", Through(0, 1), dt.datetime.now(dt.UTC))


def test_a_like_shows_both_lists_and_why():
    liked = Liked("ann", "film-1", listed("film-1", "film-2"), listed("film-2", "film-3"), 0.004, 0.2)
    text = as_text(liked.table())
    assert "film-3 (new)" in text
    assert "film-2 (new)" not in text
    assert "near film-1 60%; popular 40%" in text
    assert liked.told.startswith(
        "ann likes film-1: 1 of 2 items of the list are new 0.20 s after it was sent"
    )


@pytest.mark.parametrize(
    "typed",
    [["--rate", "0"], ["--people", "0"], ["--history", "30", "--items", "20"], ["--measured", "soon"]],
)
def test_sizes_that_make_no_sense_are_refused(tmp_path, typed):
    assert main(["freshness", *typed, "--cluster-set", f"run_dir={tmp_path}"]) == UsageError.exit_status
