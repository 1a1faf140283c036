"""Course of a stream from invented events: thinned to steps, with rates, parts, quantiles and offsets."""

import itertools
import json

import numpy as np
import pytest
from invented_streams import BEGAN, QUERY, batch, course, failed, lag, query_start, start, watermark, write

from experiments.results.events import read
from experiments.results.stream_series import (
    LONGEST_STEP_S,
    STEPS,
    Durations,
    StreamSeries,
    doubling,
    even,
    offsets_text,
    totals,
)
from experiments.results.stream_start import held, starts

HOUR, DAY = 3600, 86_400


def series_of(events, steps=doubling):
    """The course of these events, whose steps are all over."""
    found = StreamSeries(BEGAN, steps)
    for event in events:
        found.add(event)
    found.finish()
    return found


def steps_until(second):
    """The steps that a life of so many seconds has, one after another."""
    found, at = [], 0
    while at < second:
        found.append(doubling(at))
        at = found[-1].end
    return found


def test_steps_follow_one_another_and_double_until_they_are_an_hour():
    steps = steps_until(60 * DAY)
    assert all(one.end == other.begin for one, other in itertools.pairwise(steps))
    widths = [one.end - one.begin for one in steps]
    assert widths[:STEPS] == [1] * STEPS
    assert widths[STEPS : 2 * STEPS] == [2] * STEPS
    assert widths[-1] == LONGEST_STEP_S
    assert all(other in (one, 2 * one) for one, other in itertools.pairwise(widths))
    assert all(
        doubling(one.begin + share * (one.end - one.begin)) == one
        for one in steps[::97]
        for share in (0, 0.5, 0.99)
    )


@pytest.mark.parametrize(
    ("life", "most"), [(10 * 60, 600), (HOUR, 1800), (DAY, 4500), (30 * DAY, 7800), (365 * DAY, 15_000)]
)
def test_the_number_of_steps_grows_with_the_logarithm_of_a_streams_age(life, most):
    assert len(steps_until(life)) <= most


def test_twenty_batches_a_second_are_one_step():
    events = [batch(number / 20, number, ms=50) for number in range(20 * 60)]
    (query,) = series_of(events).queries.values()
    assert len(query.take()) == 60
    assert (query.batches, query.messages) == (1200, 120_000)


def test_a_step_has_rates_means_and_the_most():
    events = [
        query_start(0), lag(0.2, 0, 0.0), batch(10.1, 0, 300, 400), batch(10.2, 1, 100, 1600, numRowsTotal=7, memoryUsedBytes=2_000_000, watermark=watermark(4)),
        lag(10.4, 50, 0.7), lag(10.6, 30, 0.9),
    ]  # fmt: skip
    (query,) = series_of(events, even(10)).queries.values()
    _, measured = query.take()
    assert measured.step == (10, 20)
    assert measured.values() == pytest.approx(
        {
            "arrived": 450 / 10.4, "processed": 200, "batch": 1.0, "longest": 1.6, "behind": 50, "late": 0.9, "state_rows": 7,
            "state_bytes": 2_000_000, "watermark": 6.2,
        }
    )  # fmt: skip
    assert measured.parts() == pytest.approx({"addBatch": 0.9, "walCommit": 0.1, "triggerExecution": 1.0})


def test_what_was_not_seen_is_not_there():
    (query,) = series_of([batch(1, 0, ms=0, watermark="1970-01-01T00:00:00.000Z")]).queries.values()
    assert query.take()[0].values() == {"batch": 0, "longest": 0}
    assert query.left is None


def test_only_steps_that_are_over_are_taken_and_each_once():
    series = StreamSeries(BEGAN, doubling)
    taken = []
    for event in course(30):
        series.add(event)
        taken += series.take()[QUERY]
    assert [one.step.begin for one in taken] == list(range(1, 29))
    series.finish()
    assert [one.step.begin for one in series.take()[QUERY]] == [29]


def test_a_clock_that_was_set_back_opens_no_step_again():
    (query,) = series_of([batch(9, 0), batch(3, 1), batch(10, 2)]).queries.values()
    assert [(one.step.begin, one.batches) for one in query.take()] == [(9, 2), (10, 1)]


def test_starts_and_failures_are_counted_and_the_first_offsets_stay():
    series = series_of([query_start(0, offset=5), batch(1, 0), failed(2), query_start(4, offset=50)])
    query = series.queries[QUERY]
    assert (totals(query)["restarts"], query.failures, series.again) == (1, 1, [4])
    assert offsets_text(query.begin) == "ratings-0 5, ratings-1 5"
    assert query.topic == "ratings"


def test_the_gap_between_two_applications_is_no_arrival():
    series = StreamSeries(BEGAN, even(1000))
    series.application([query_start(0), lag(1, 10, 0), lag(11, 110, 5)])
    series.application([query_start(500), lag(501, 7000, 9), lag(511, 7100, 9)])
    series.finish()
    (measured,) = series.queries[QUERY].take()
    assert measured.values()["arrived"] == 10


@pytest.mark.parametrize("count", [1, 7, 10_000])
def test_quantiles_are_within_a_hundredth(count):
    ms = np.random.default_rng(1).lognormal(6, 1.5, count)
    durations = Durations()
    for one in ms:
        durations.add(one)
    for share in (0.5, 0.95, 0.99):
        truth = np.quantile(np.maximum(ms, 1), share, method="inverted_cdf") / 1000
        assert durations.seconds(share) == pytest.approx(truth, rel=0.01)
    assert Durations().seconds(0.5) is None


def test_a_line_that_is_being_written_is_not_read(tmp_path):
    folder = write(tmp_path, start("a"), course(3))
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(batch(3, 2))[:40])
    assert len(list(read(folder / "events.jsonl"))) == 3
    assert list(read(tmp_path / "nothing")) == []


def test_a_start_whose_command_was_killed_is_lost_and_one_that_runs_is_not(tmp_path):
    running = start("b", status="running", ended_at=None)
    folder = write(tmp_path, running, course(20))
    write(tmp_path, start("a"), [])
    with held(folder):
        assert [one.status for _, one in starts(tmp_path)] == ["stopped", "running"]
    for _ in range(2):
        _, (_, lost) = starts(tmp_path)
        assert (lost.status, lost.ended_at) == ("lost", BEGAN + 19)
    (folder / "start.json").write_text("{")
    assert [one.attempt for _, one in starts(tmp_path)] == ["a"]
