"""One value says which of two is faster: the same verdict in both directions, of pairs and of independent samples."""

import math

import numpy as np
import pytest
from invented import application, outcome
from scipy import optimize, stats

from experiments.stats.intervals import detectable, error, upper_bound
from experiments.stats.ratios import Ratio, between, of_pairs

NOISE = (0.98, 1.01, 1.03, 0.99, 1.02, 1.0)


def trial(workers, seconds, rounds=None):
    made = [
        application(number, [9.0, seconds * factor], **({"round_id": f"r{number}"} if rounds else {}))
        for number, factor in enumerate(NOISE if workers == 1 else NOISE[::-1])
    ]
    return outcome(made, workers)


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(5.0, "faster"), (20.0, "slower"), (10.0, "indistinguishable")]
)
@pytest.mark.parametrize("rounds", [True, False])
def test_verdict_is_of_the_second_in_both_directions(seconds, verdict, rounds):
    found = between(trial(1, 10.0, rounds), trial(2, seconds, rounds))
    assert (found.unpaired is None) == rounds
    assert (found.count, found.direction, found.verdict) == (6, "as fast", verdict)
    turned = found.turned
    assert (turned.direction, turned.verdict) == ("as long", verdict)
    assert turned.low < turned.ratio < turned.high
    assert turned.ratio == pytest.approx(1 / found.ratio)
    assert (turned.slower_detectable, turned.faster_detectable) == pytest.approx(
        (found.slower_detectable, found.faster_detectable)
    )
    assert turned.turned.interval == pytest.approx(found.interval)


def test_trials_of_the_same_rounds_are_judged_like_pairs():
    found, pairs = between(trial(1, 10.0, True), trial(2, 9.0, True)), zip(NOISE, NOISE[::-1], strict=True)
    told = of_pairs([(10.0 * one, 9.0 * other) for one, other in pairs])
    assert told.direction == "as long"
    assert found.turned.interval == pytest.approx(told.interval)
    assert found.slower_detectable == pytest.approx(told.slower_detectable)


def test_a_tolerance_is_the_same_share_of_time_in_both_directions():
    found = Ratio(1 / 1.2, 1 / 1.25, 1 / 1.15, count=6)
    for item in (found, found.turned):
        assert [item.beyond(share) for share in (0.0, 0.14, 0.16)] == [
            "slower",
            "slower",
            "indistinguishable",
        ]


def test_what_is_not_claimed_has_no_verdict_on_time():
    refused = Ratio(refused="the model changed")
    assert (refused.verdict, refused.turned.verdict, refused.slower_detectable) == (
        "refused",
        "refused",
        None,
    )
    assert (Ratio(3.0, count=4).verdict, Ratio(3.0, count=4).interval) == ("too few", None)
    assert refused.as_json()["verdict"] == "refused"


def test_independent_samples_say_what_they_would_have_found():
    one, two = trial(1, 10.0), trial(2, 10.0)
    logs = [np.log(np.multiply(10.0, NOISE))] * 2
    own, free = error((1.0, -1.0), logs, paired=False)
    least = detectable(upper_bound(float(own), free), free + 1)
    assert math.log(between(one, two).slower_detectable) == pytest.approx(least)


@pytest.mark.parametrize("count", [5, 8, 20, 100])
def test_the_detectable_effect_solves_the_power_function(count):
    far = stats.t.ppf(0.975, count - 1)
    shift = optimize.brentq(lambda shift: stats.nct.sf(far, count - 1, shift) - 0.8, 0.0, far + 20)
    assert detectable(0.1, count) == pytest.approx(0.1 * shift)
    assert upper_bound(0.1, count - 1) == pytest.approx(
        0.1 * math.sqrt((count - 1) / stats.chi2.ppf(0.05, count - 1))
    )


def test_a_ratio_of_scaled_work_keeps_its_spread():
    found = of_pairs([(10.0 * one, 5.0 * other) for one, other in zip(NOISE, NOISE[::-1], strict=True)])
    twice = found.scaled(2.0)
    assert twice.ratio == pytest.approx(2 * found.ratio)
    assert twice.slower_detectable == pytest.approx(found.slower_detectable)
