"""Fits find the parameters of curves that were made with known ones, and their intervals hold them."""

import json
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from experiments.stats.fits import Sample, fit, karp_flatt, why_not

SIZES = (1, 2, 3, 4, 5, 6)
MEASURED = json.loads((Path(__file__).parent / "six_workers.json").read_text())["points"]
REAL = [Sample(f"w{point['workers']}", point["workers"], point["seconds"]) for point in MEASURED]


def times(contention, coherency, noise=0.0, sizes=SIZES, applications=5, seed=0):
    random = np.random.default_rng(seed)
    return [
        Sample(
            f"w{n}", n,
            40 * (1 + contention * (n - 1) + coherency * n * (n - 1)) / n * np.exp(random.normal(0, noise, applications)),
        )
        for n in sizes
    ]  # fmt: skip


@pytest.mark.parametrize("serial", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("sizes", [(1, 2, 4), SIZES, (1, 8, 64)])
def test_amdahl_finds_the_serial_fraction(serial, sizes):
    found = fit("amdahl", times(serial, 0, sizes=sizes))
    assert found.parameters[0].value == pytest.approx(serial, abs=1e-9)
    assert found.seconds == pytest.approx(40)
    assert found.missed < 1e-9
    assert not found.poor
    assert found.speedup(sizes[-1]) == pytest.approx(sizes[-1] / (1 + serial * (sizes[-1] - 1)))


@pytest.mark.parametrize(("contention", "coherency"), [(0.0, 0.0), (0.1, 0.02), (0.02, 0.001)])
def test_universal_scalability_law_finds_contention_and_coherency(contention, coherency):
    found = fit("usl", times(contention, coherency))
    assert [item.value for item in found.parameters] == pytest.approx([contention, coherency], abs=1e-9)
    assert found.speedup(6) == pytest.approx(6 / (1 + 5 * contention + 30 * coherency))


def test_peak_is_told_only_where_coherency_is_shown():
    assert fit("usl", times(0.1, 0.02)).peak == pytest.approx((0.9 / 0.02) ** 0.5)
    noisy = fit("usl", times(0.1, 0.0, noise=0.05))
    assert noisy.parameters[1].low < 0 < noisy.parameters[1].high
    assert not noisy.parameters[1].shown
    assert noisy.peak is None
    assert fit("amdahl", times(0.1, 0.0)).peak is None


LAWS = {"amdahl": {"serial": 0.1}, "usl": {"contention": 0.1, "coherency": 0.02}}


@pytest.mark.parametrize("noise", [0.05, 0.15])
def test_intervals_hold_the_truth_about_as_often_as_they_say(noise):
    held = Counter()
    rounds = 400
    for seed in range(rounds):
        for law, truth in LAWS.items():
            made = times(0.1, truth.get("coherency", 0.0), noise=noise, seed=seed)
            for item in fit(law, made).parameters:
                held[item.name] += item.low <= truth[item.name] <= item.high
    assert all(0.93 <= count / rounds <= 1.0 for count in held.values()), held


def in_rounds(contention, coherency, noise, seed, walk=0.0, sizes=SIZES, count=5):
    """Times of shapes that take turns, on a host whose speed walks at random from one application to the next."""
    random = np.random.default_rng(seed)
    own = [item.seconds for item in times(contention, coherency, noise, sizes, count, seed)]
    host = np.exp(np.cumsum(random.normal(0, walk, (count, len(sizes)))).reshape(count, len(sizes)))
    host = random.permuted(host, axis=1).T
    return [
        Sample(f"w{n}", n, seconds * level, {f"r{k}": value for k, value in enumerate(seconds * level)})
        for n, seconds, level in zip(sizes, own, host, strict=True)
    ]


def test_intervals_of_shared_rounds_hold_under_drift_and_are_narrower_than_those_of_independent_samples():
    held, widths = Counter(), {True: [], False: []}
    rounds = 300
    for seed in range(rounds):
        made = in_rounds(0.1, 0.0, 0.02, seed, walk=0.05, sizes=(1, 2, 4))
        for samples in (made, [Sample(item.name, item.size, item.seconds) for item in made]):
            found = fit("amdahl", samples)
            (serial,) = found.parameters
            held[found.paired] += serial.low <= 0.1 <= serial.high
            widths[found.paired].append(serial.high - serial.low)
    assert 0.92 <= held[True] / rounds <= 0.98
    assert statistics.median(widths[True]) < 0.8 * statistics.median(widths[False])


def test_rounds_that_not_all_shapes_share_are_left_out_or_none_is_paired():
    made = in_rounds(0.1, 0.0, 0.02, 1, count=7)
    first, *rest = made
    alone = [Sample(first.name, first.size, first.seconds, dict(list(first.by_round.items())[:5])), *rest]
    assert fit("amdahl", alone).paired
    assert fit("amdahl", alone).seconds != fit("amdahl", made).seconds
    few = [Sample(first.name, first.size, first.seconds, dict(list(first.by_round.items())[:4])), *rest]
    assert not fit("amdahl", few).paired


def described(law, contention, coherency, noise, *, paired, rounds=300, sizes=SIZES):
    found = Counter()
    for seed in range(rounds):
        made = in_rounds(contention, coherency, noise, seed, sizes=sizes)
        if not paired:
            made = [Sample(item.name, item.size, item.seconds) for item in made]
        found[fit(law, made).described] += 1 / rounds
    return found


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("noise", [0.01, 0.05, 0.15, 0.3])
@pytest.mark.parametrize(("law", "sizes"), [("amdahl", (1, 2, 4)), ("amdahl", SIZES), ("usl", SIZES)])
def test_a_law_that_holds_is_refused_in_one_of_twenty_sweeps_at_most_however_loud_they_are(
    law, sizes, noise, paired
):
    coherency = 0.02 if law == "usl" else 0.0
    found = described(law, 0.1, coherency, noise, paired=paired, sizes=sizes)
    assert found["no"] <= 0.09  # 5%, and 3 standard errors of 300 sweeps


def test_a_law_that_does_not_hold_is_refused_where_the_noise_lets_it_be_seen():
    assert described("amdahl", 0.05, 0.15, 0.05, paired=True)["no"] > 0.99
    assert described("amdahl", 0.05, 0.15, 0.15, paired=True)["no"] > 0.9


def test_noise_that_hides_a_miss_of_ten_percent_lets_nobody_tell():
    quiet, loud = (
        described("amdahl", 0.1, 0.0, noise, paired=True, sizes=(1, 2, 4)) for noise in (0.03, 0.3)
    )
    assert quiet["yes"] > 0.9
    assert loud["cannot tell"] > 0.7
    hidden = described("amdahl", 0.05, 0.15, 0.3, paired=True, sizes=(1, 2, 4))
    assert hidden["yes"] < 0.15


def test_times_that_do_not_vary_are_judged_by_what_is_missed():
    assert fit("amdahl", times(0.1, 0.0)).described == "yes"
    assert fit("amdahl", times(0.1, 0.1)).described == "no"
    near = [
        Sample(item.name, item.size, np.array(item.seconds) * (1 + 0.01 * (n % 2)))
        for n, item in enumerate(times(0.1, 0.0))
    ]
    assert fit("amdahl", near).described == "yes"


def test_intervals_are_not_so_wide_that_they_hold_anything():
    found = fit("usl", times(0.1, 0.02, noise=0.02))
    contention, coherency = found.parameters
    assert 0 < contention.high - contention.low < 0.15
    assert 0 < coherency.high - coherency.low < 0.04


def test_amdahl_is_poor_where_more_workers_make_it_slower():
    assert fit("amdahl", times(0.05, 0.15, noise=0.01)).poor
    assert not fit("usl", times(0.05, 0.15, noise=0.01)).poor


def test_superlinear_times_give_a_negative_fraction_as_it_is():
    assert fit("amdahl", times(-0.05, 0)).parameters[0].value == pytest.approx(-0.05)
    assert fit("amdahl", times(-0.05, 0)).parameters[0].high < 0


def test_first_size_from_which_more_is_worth_little():
    assert fit("amdahl", times(0.2, 0)).little_more(0.05) == 7
    assert fit("amdahl", times(1.0, 0)).little_more(0.05) == 1
    # Against two workers: S(n/2) = n/2 / (1 + 0.2 (n/2 - 1)) grows by 5.9% from 8 to 9 workers, by 4.9% from 9 to 10.
    assert fit("amdahl", times(0.2, 0)).little_more(0.05, first=2) == 9
    assert fit("amdahl", times(-0.19, 0)).little_more(0.05) is None


@pytest.mark.parametrize(
    ("law", "sizes", "applications", "why"),
    [
        ("amdahl", (1, 2), 5, "takes 3 sizes, there are 2"),
        ("amdahl", (1, 2, 2, 1), 5, "takes 3 sizes, there are 2"),
        ("usl", (1, 2, 3, 4, 5), 5, "takes 6 sizes, there are 5"),
        ("amdahl", (1, 2, 4), 4, "5 applications a point: w1 has 4, w2 has 4, w4 has 4"),
        ("amdahl", (1, 2, 4), 5, None),
        ("usl", SIZES, 5, None),
    ],
)
def test_too_little_is_refused_with_the_reason(law, sizes, applications, why):
    found = why_not(law, times(0.1, 0, sizes=sizes, applications=applications))
    assert found is None if why is None else why in found


def test_laws_describe_a_curve_that_was_measured():
    """`make experiment NAME=fractions`: six workers of a third of a core each; all intervals are of those times."""
    assert [item.size for item in REAL] == list(SIZES)
    for law in ("amdahl", "usl"):
        assert why_not(law, REAL) is None
        found = fit(law, REAL)
        assert not found.poor
        for sample in REAL:
            seconds = found.seconds / found.speedup(sample.size)
            assert min(sample.seconds) * 0.95 < seconds < max(sample.seconds) * 1.05
    contention, coherency = fit("usl", REAL).parameters
    assert contention.shown
    assert not coherency.shown
    assert fit("usl", REAL).peak is None


def test_serial_fraction_of_the_measured_curve_is_the_one_that_karp_and_flatt_find():
    (serial,) = fit("amdahl", REAL).parameters
    ratio = statistics.median(REAL[0].seconds) / statistics.median(REAL[-1].seconds)
    assert serial.low < karp_flatt(ratio, 6) < serial.high
    assert serial.shown


@pytest.mark.parametrize("left_out", [4, 5, 6])
def test_a_point_of_the_measured_curve_that_was_left_out_is_foretold(left_out):
    rest = [item for item in REAL if item.size != left_out]
    found = fit("amdahl", rest)
    median = statistics.median(REAL[left_out - 1].seconds)
    assert found.seconds / found.speedup(left_out) == pytest.approx(median, rel=0.1)
