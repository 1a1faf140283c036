"""Verdicts on rates, on invented lags of which the truth is known."""

import subprocess
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import psutil
import pytest

from core.errors import JobError
from experiments.report.rates import answer
from experiments.studies.rates import generator, processes
from experiments.studies.rates.generator import Generated
from experiments.studies.rates.observed import Batch, Seen, Sent, batches, drained_rate, seen
from experiments.studies.rates.rig import Drained, Following, Tried
from experiments.studies.rates.search import bracket, next_rate
from experiments.studies.rates.session import Effort, search
from experiments.studies.rates.subjects import subject
from experiments.studies.rates.verdict import Limits, Observed, judge, slope

LIMITS = Limits(latency_s=30)


def lags(growth, count=40, every=10.0, alike=0.0, noise=2000.0, seed=0):
    """Lags of batches that grow by so many messages a second, with noise of which neighbours are alike."""
    random = np.random.default_rng(seed)
    times, value, found = np.arange(count) * every, 0.0, []
    for time in times:
        value = alike * value + random.normal(0, noise) * np.sqrt(1 - alike**2)
        found.append(50_000 + growth * time + value)
    return times, np.array(found)


def observed(growth, **changes):
    times, behind = lags(growth)
    given = {"rate": 10_000, "achieved": 10_010, "latency_p99_s": 12, "delay_p99_s": 0.004}
    return Observed(times=times, lags=behind, **{**given, **changes})


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.8])
def test_the_upper_bound_holds_the_truth_about_as_often_as_it_says(alike):
    runs = [slope(*lags(20, alike=alike, seed=seed)) for seed in range(2000)]
    assert abs(np.mean([run.value for run in runs]) - 20) < 1
    held = np.mean([run.upper >= 20 for run in runs])
    assert 0.91 <= held <= 0.99


def test_a_line_is_seen_as_it_is():
    assert slope([0, 1, 2, 3], [0, 5, 10, 15]) == (5, 5)
    with pytest.raises(JobError, match="three batches"):
        slope([0, 1], [0, 1])


def test_a_stream_that_keeps_up_and_one_that_falls_behind():
    assert judge(observed(0), LIMITS).sustained
    behind = judge(observed(400), LIMITS)
    assert (behind.sustained, behind.void) == (False, False)
    assert "lag may grow by 4" in behind.reasons[0]


@pytest.mark.parametrize(
    ("changes", "said", "void"),
    [
        ({"latency_p99_s": 31}, "within 31.0 s", False),
        ({"differences": ("ratings 0: offset 17 is missing",)}, "offset 17", False),
        ({"delay_p99_s": 0.02}, "handed over", True),
        ({"achieved": 9_900}, "9,900 a second were sent", True),
    ],
)
def test_whatever_else_is_wrong_is_said(changes, said, void):
    found = judge(observed(0, **changes), LIMITS)
    assert (found.sustained, found.void) == (False, void)
    assert said in " ".join(found.reasons)


def test_few_batches_are_not_enough():
    times, behind = lags(0, count=29)
    found = judge(Observed(10_000, 10_000, times, behind, 1, 0), LIMITS)
    assert "29 batches" in found.reasons[0]
    assert found.void
    times, behind = lags(500, count=15, every=20.0)  # fewer because each took too long: that is an answer
    found = judge(Observed(10_000, 10_000, times, behind, 1, 0), LIMITS)
    assert not found.void
    assert "the lag may grow" in found.reasons[0]


@pytest.mark.parametrize("truth", [520, 700, 760, 990])
def test_five_trials_find_the_rate_within_a_sixtieth_of_what_is_drained(truth):
    tried = {}
    while (rate := next_rate(1000, tried)) is not None:
        tried[rate] = rate <= truth
    assert len(tried) == 5
    found = bracket(tried)
    low, high = found.sustained or 500, found.failed or 1000
    assert low <= truth <= high
    assert high - low <= 1000 / 60


def test_a_disturbed_trial_claims_less_not_more():
    assert bracket({600: True, 700: False, 800: True}) == (600, 700)
    assert bracket({}) == (None, None)


def messages_of(count=1000, rate=100.0, begin=1000.0, first=50):
    return Sent(first, begin + np.arange(count) / rate)


def test_lag_and_latency_count_from_the_moment_at_which_a_message_was_to_be_sent():
    # 100 a second from second 1000 on; a batch every two seconds has all that was due when it began.
    sent = {("ratings", 0): messages_of()}
    ended = [
        Batch(begin + 2.5, {("ratings", 0): sent["ratings", 0].before(begin)})
        for begin in np.arange(1000, 1013, 2.0)
    ]
    found = seen(sent, ended, 1004, 1008)
    assert found.times == pytest.approx([0.5, 2.5])
    assert found.lags == [250, 250]  # what came while the batch ran is not there yet
    assert found.messages == 401
    assert found.latencies[1] == pytest.approx(4.49)  # it just missed a batch, and the next one takes 2.5 s
    assert found.latencies[0.5] == pytest.approx(3.5, abs=0.02)


def test_a_row_is_seen_when_its_stream_says_so_not_when_the_batch_ends():
    sent = {("ratings", 0): messages_of(count=10)}
    ended = [Batch(1003, {("ratings", 0): 55}, 1001), Batch(1004, {("ratings", 0): 60}, 1003.5)]
    found = seen(sent, ended, 1000, 1010)
    assert found.latencies[1] == pytest.approx(3.5 - 0.05)
    assert found.after_s == pytest.approx(1.25)
    assert not found.warm
    assert (
        seen(sent, [Batch(999, {("ratings", 0): 50}), *ended], 1000.05, 1010).warm is False
    )  # it had no messages
    early = seen(sent, ended, 1000.05, 1010)
    assert early.latencies[1] == pytest.approx(3.5 - 0.05)
    late = seen(
        {("ratings", 0): messages_of(count=1000)},
        [Batch(1003, {("ratings", 0): 55}, 1001), Batch(1020, {("ratings", 0): 1050}, 1019.5)],
        1004,
        1010,
    )
    assert (late.warm, late.after_s) == (True, 0.5)
    assert seen(sent, [*ended[:1], Batch(1004, {("ratings", 0): 60})], 1000, 1010).after_s is None


def test_a_message_in_no_batch_is_an_error():
    sent = {("ratings", 0): messages_of()}
    with pytest.raises(JobError, match="950 messages of ratings 0 are in no batch"):
        seen(sent, [Batch(1020, {("ratings", 0): 100})], 1000, 1010)


def test_batches_come_from_the_lines_of_a_run():
    line = {
        "event": "batch", "query": "lake.ratings", "batchId": 3, "timestamp": "2026-11-29T10:00:00.500Z", "batchDuration": 1500,
        "endOffset": {"ratings": {"0": 7, "1": 9}},
    }  # fmt: skip
    told = {"event": "visible", "query": "lake.ratings", "batchId": 3, "since": 17.5}
    lines = [{"event": "lag"}, told, {**told, "batchId": 4}, {**line, "query": "lake.events"}, line]
    (batch,) = batches(lines, "lake.ratings")
    assert batch.ends == {("ratings", 0): 7, ("ratings", 1): 9}
    assert batch.ended_s % 60 == 2
    assert batch.seen_s == 17.5
    (untold,) = batches([line], "lake.ratings")
    assert untold.seen_s == untold.ended_s == batch.ended_s


def batch_event(end, query="lake.ratings"):
    return {
        "event": "batch", "query": query, "batchId": end, "timestamp": "2026-11-29T10:00:00Z", "batchDuration": 0,
        "endOffset": {"ratings": {"0": end, "1": end}},
    }  # fmt: skip


def test_an_application_ends_when_its_query_has_read_everything():
    found = Following("lake.ratings")
    for event in ({"event": "window_start"}, batch_event(7, "lake.events")):
        found.follow(event)
    assert not found.started.is_set()
    for event in (batch_event(7), {"event": "tick"}):
        found.follow(event)
    assert found.started.is_set()
    found.until({("ratings", 0): 9, ("ratings", 1): 8, ("events", 0): 100})
    for event in (batch_event(8), batch_event(9, "lake.events"), {"event": "tick"}):
        found.follow(event)
    assert not found.complete
    with pytest.raises(KeyboardInterrupt):
        found.follow(batch_event(9))
    assert found.complete
    assert [one.ends["ratings", 0] for one in found.batches()] == [7, 8, 9]


def test_an_application_that_is_stopped_or_stuck_ends_too():
    found = Following("lake.ratings", patience_s=0)
    found.follow({"event": "tick"})  # nothing is waited for yet
    found.until({("ratings", 0): 9})
    with pytest.raises(JobError, match="no batch for 0 s"):
        found.follow({"event": "tick"})
    found.stop()
    with pytest.raises(KeyboardInterrupt):
        found.follow({"event": "tick"})
    assert not found.complete


def test_the_rate_of_a_backlog_leaves_out_its_cold_batch():
    ended = [Batch(10 + number, {("r", 0): 100 * number, ("r", 1): 50}) for number in range(1, 4)]
    assert drained_rate(ended) == 100
    with pytest.raises(JobError, match="one batch"):
        drained_rate(ended[:1])


class Exhausted:
    """A rig whose data set has too few rows for a trial."""

    subject = subject("lake")

    def fastest(self, total):
        return Generated(total, 100_000.0, None, None, 250.0, 1.0)

    def drain(self, total):
        return Drained(total, 20_000.0, ())

    def trial(self, rate, warmup_s, measured_s, name):
        sent = Generated(1_000_000, rate, 0.001, 0.002, 250.0, 60.0)
        return Tried(sent, Seen([1.0], [0.0], {0.5: 1.0, 0.95: 1.0, 0.99: 1.0, 1: 1.0}, 10), {}, 1.0, ())


def test_a_trial_whose_messages_run_out_says_nothing_of_the_stream():
    with pytest.raises(JobError, match=r"1,000,000 messages, and a trial at 15,000 a second needs 2,700,000"):
        search(Exhausted(), Limits(30.0), Effort(), id)


def test_a_data_set_that_is_too_small_for_a_trial_is_refused_before_it():
    class Small(Exhausted):
        subject = replace(
            Exhausted.subject, sending=replace(Exhausted.subject.sending, dataset="synthetic/ml-1m")
        )

        def trial(self, *_):
            pytest.fail("it began")

    with pytest.raises(JobError, match=r"synthetic/ml-1m gives 1,000,209 messages"):
        search(Small(), Limits(30.0), Effort(), id)


class Late(Exhausted):
    """A rig whose generator is late in the first trial, and whose third trial fails."""

    def trial(self, rate, warmup_s, measured_s, name):
        number = int(name.removeprefix("trial-"))
        if number == 3:
            raise JobError("the stream is stuck")
        sent = Generated(
            round(rate * (warmup_s + measured_s)), rate, 0.001, 0.002 if number > 1 else 0.5, 250.0, 60.0
        )
        times = list(range(40))
        latencies = {0.5: 1.0, 0.95: 1.0, 0.99: 1.0, 1: 1.0}
        return Tried(sent, Seen(times, [100.0] * 40, latencies, 10), {}, 1.0, ())


def test_a_trial_without_a_say_is_tried_again_and_a_failed_one_loses_nothing():
    noted = []
    found = search(Late(), Limits(30.0), Effort(), noted.append)
    assert [(one.rate, one.verdict.void) for one in found.trials] == [(15_000, True), (15_000, False)]
    assert found.bracket == (15_000, None)
    assert [len(one.trials) for one in noted] == [1, 2]
    assert found.broken == "the stream is stuck"
    assert any("ended the search: the stream is stuck" in note for note in found.notes)


def test_two_trials_without_a_say_end_a_search():
    class Slow(Late):
        def trial(self, rate, warmup_s, measured_s, name):
            return super().trial(rate, warmup_s, measured_s, "trial-1")

    found = search(Slow(), Limits(30.0), Effort(), id)
    assert [one.verdict.void for one in found.trials] == [True, True]
    assert answer(found).startswith("Nothing can be said")
    one = replace(
        found.trials[0], rate=12_000, verdict=replace(found.trials[0].verdict, void=False, sustained=True)
    )
    assert "no trial at a higher rate says anything" in answer(replace(found, trials=(one, *found.trials)))


@pytest.mark.parametrize("refused", [None, PermissionError(1, "not allowed")])
def test_a_generator_goes_first_where_it_may(monkeypatch, tmp_path, refused):
    asked = Mock(side_effect=refused)
    for name, value in {
        "sched_setscheduler": asked,
        "sched_param": int,
        "SCHED_RR": 2,
        "SCHED_RESET_ON_FORK": 8,
    }.items():
        monkeypatch.setattr(generator.os, name, value, raising=False)
    monkeypatch.setattr(generator, "_PROCESSES", str(tmp_path))
    (tmp_path / "17").mkdir()
    generator.put_first(17)
    generator.put_first(18)  # it has ended
    assert [call.args for call in asked.call_args_list] == [(17, 2 | 8, 1), (18, 2 | 8, 1)]
    assert (tmp_path / "17" / "autogroup").read_text() == "-10"


def test_the_keeper_of_a_service_is_no_driver(monkeypatch):
    monkeypatch.setattr(processes, "_of_one", lambda _: 1.0)
    # What an earlier test of this process left, as Spark's JVM, is a child too and counts in both.
    others = processes.cpu_seconds({}, {})["driver"]
    with subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True
    ) as keeper:
        service = SimpleNamespace(pid=int(keeper.stdout.readline()), alive=True)
        with subprocess.Popen(["sleep", "60"]) as driver:
            found = processes.cpu_seconds({"kafka-1": service}, {})
            driver.kill()
        psutil.Process(service.pid).kill()
        keeper.kill()
    assert found == {"kafka-1": 1.0, "driver": others + 1.0}


def test_a_micro_batch_has_room_for_what_comes_in_a_trigger():
    """With 500,000 messages every 10 s a stream would be told not to keep up with 60,000 a second on any machine."""
    lake = subject("lake")
    assert [lake.most_at(rate) for rate in (0.0, 20_000.0, 60_000.0)] == [500_000, 500_000, 1_200_000]
    assert replace(lake, most=1000).most_at(60_000.0) == 1000
