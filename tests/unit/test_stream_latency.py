"""Latencies at rates: what repeats say together, late generators, the page and the runs, from plain values."""

import dataclasses

import pytest

from core.errors import UsageError
from experiments.__main__ import main
from experiments.metric_table import described
from experiments.report.stream_latency import answer, report_of
from experiments.studies.rates.generator import Generated
from experiments.studies.rates.observed import Seen
from experiments.studies.rates.rig import Tried
from experiments.studies.rates.subjects import SUBJECTS
from experiments.studies.stream_latency.record import node
from experiments.studies.stream_latency.trials import Effort, Found, falling_behind, judged

EFFORT = Effort(repeats=2, warmup_s=10, measured_s=30)


def tried(p50=1.0, rate=1000, delay=0.004, grows=0.0, after=0.25, differences=(), warm=True):
    times = list(range(0, 30, 3))
    seen = Seen(
        times,
        [1000 + int(grows * one) for one in times],
        {0.5: p50, 0.95: 2 * p50, 0.99: 3 * p50, 1: 4 * p50},
        30 * rate,
        after,
        warm,
    )
    return Tried(Generated(40 * rate, float(rate), 0.001, delay, 150.0, 40.0), seen, {}, 29.0, differences)


def found(*trials, name="lake"):
    subject = SUBJECTS[name]
    asked = {
        "subject": dataclasses.asdict(subject), "rates": sorted({one.rate for one in trials}), "effort": dataclasses.asdict(EFFORT),
    }  # fmt: skip
    return Found(subject.name, asked, trials, {}, 1_700_000_000.0)


def test_repeats_of_a_rate_have_a_median_and_a_spread():
    made = found(
        judged(1000, 2, tried(2.0)),
        judged(5000, 1, tried(4.0, 5000)),
        judged(1000, 1, tried(1.0)),
        judged(1000, 3, tried(1.2)),
    )
    low, high = made.rates
    assert ([one.round for one in low.repeats], high.rate) == ([1, 2, 3], 5000)
    spread = low.latency(0.99)
    assert (spread.median, spread.least, spread.most) == pytest.approx((3.6, 3.0, 6.0))
    assert made.good
    text = answer(made)
    assert "At 1,000 messages a second a row of lake.ratings is visible 1.2 s after" in text
    assert "At 5,000 it is 4.0 s, 12.0 s and 16.0 s." in text


def test_a_trial_whose_generator_was_late_says_nothing():
    late = judged(1000, 1, tried(9.0, delay=0.011))
    assert not late.counts
    assert not judged(1000, 1, tried(rate=990)).counts
    some = found(late, judged(1000, 2, tried(1.0)))
    assert some.rates[0].latency(0.5).most == 1.0
    assert some.good
    assert "1,000/s, round 1 says nothing" in "\n".join(some.notes)
    nothing = found(late)
    assert not nothing.good
    assert nothing.rates[0].latency(0.5) is None
    assert answer(nothing).startswith("Nothing is known")
    page = report_of(nothing).text()
    assert "says nothing, generator late in 1" in page


def test_a_trial_of_a_cold_stream_says_nothing():
    made = found(judged(1000, 1, tried(9.0, warm=False)), judged(1000, 2, tried(1.0)))
    assert made.rates[0].latency(0.5).most == 1.0
    assert "round 1 says nothing: the first batch" in "\n".join(made.notes)
    assert "measured, stream cold in 1" in report_of(made).text()
    assert "the stream was still cold in 1 of 1" in answer(found(judged(1000, 1, tried(warm=False))))


def test_what_a_latency_goes_to_is_said():
    told, bound = (judged(1000, number, tried(after=after)) for number, after in ((1, 0.25), (2, None)))
    assert "ended 0.25 s after that" in "\n".join(found(told).notes)
    assert "an upper bound" not in "\n".join(found(told).notes)
    assert "1 trial(s) have batches of which" in "\n".join(found(told, bound).notes)
    assert "an upper bound" in "\n".join(found(told, name="feedback").notes)


def test_other_things_that_are_wrong_are_said():
    behind = judged(1000, 1, tried(grows=50))
    assert falling_behind(behind) == pytest.approx(50, abs=1)
    assert falling_behind(judged(1000, 1, tried(grows=5))) is None
    assert "as the stream fell behind" in answer(found(behind))
    assert "measured, fell behind in 1" in report_of(found(behind)).text()
    bad = judged(1000, 2, tried(differences=("lost: 1",)))
    short = dataclasses.replace(tried(), generated=dataclasses.replace(tried().generated, acknowledged=7))
    made = found(behind, bad, judged(1000, 3, short))
    notes = "\n".join(made.notes)
    for words in (
        "round 1: the stream fell behind, by 50",
        "round 2: messages are not where they belong: lost: 1",
        "7 of 40,000",
    ):
        assert words in notes
    assert not made.good


def test_page_and_runs_have_all_numbers(tmp_path):
    made = found(
        judged(1000, 1, tried(1.0)),
        judged(1000, 2, tried(1.5)),
        judged(50_000, 1, tried(9.0, 50_000, delay=0.5)),
    )
    report = report_of(made)
    page, numbers, raw, *pictures = report.write(tmp_path)
    assert "1.25 (1.00\u20131.50)" in page.read_text()
    assert {path.suffix for path in pictures} == {".png", ".svg"}
    assert len(raw.read_text().splitlines()) == 4
    assert "latency-lake-ratings" in (tmp_path / "index.html").read_text()
    root = node(made, "said", [numbers])
    assert [child.name for child in root.children] == ["1,000/s", "50,000/s"]
    medians = {one.name: one.value for one in root.children[0].metrics}
    assert (medians["rate/latency_p50_s"], medians["rate/latency_max_s"]) == (1.25, 5.0)
    assert "rate/latency_p50_s" not in {one.name for one in root.children[1].metrics}
    trial = root.children[0].children[1]
    assert trial.params == {"rate": "1000", "round": "2"}
    known = {name for name, *_ in described()}
    assert {
        one.name for child in root.children for two in (child, *child.children) for one in two.metrics
    } <= known


@pytest.mark.parametrize(
    "typed",
    [
        ["typo"],
        ["lake", "--rate", "fast"],
        ["lake", "--rate", "1000,0"],
        ["lake", "--repeats", "0"],
        ["lake", "--trigger", "1"],
    ],
)
def test_wrong_words_are_refused(typed, tmp_path):
    assert main(["stream-latency", *typed, "--cluster-set", f"run_dir={tmp_path}"]) == UsageError.exit_status
    assert list(tmp_path.iterdir()) == []
