"""The verdict on time: known cases, and coverage and power by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from experiments.stats.intervals import detectable, upper_bound
from experiments.stats.ratios import called, of_pairs


def pairs_of(logs):
    return [(10.0, 10.0 * math.exp(value)) for value in logs]


def test_interval_is_that_of_a_paired_t_test():
    logs = [0.11, 0.05, 0.2, -0.02, 0.08, 0.13]
    found = of_pairs(pairs_of(logs))
    interval = stats.ttest_1samp(logs, 0.0).confidence_interval(0.95)
    assert found.ratio == pytest.approx(math.exp(np.mean(logs)))
    assert (found.low, found.high) == pytest.approx((math.exp(interval.low), math.exp(interval.high)))
    assert found.verdict == "slower"


@pytest.mark.parametrize(
    ("centre", "verdict"), [(0.26, "slower"), (-0.26, "faster"), (0.0, "indistinguishable")]
)
def test_three_verdicts(centre, verdict):
    assert of_pairs(pairs_of([centre + item for item in (-0.02, -0.01, 0.0, 0.01, 0.02)])).verdict == verdict


def test_fewer_than_five_pairs_give_no_verdict_however_far_apart():
    found = of_pairs(pairs_of([1.0, 1.0, 1.0, 1.0]))
    assert (found.verdict, found.low, found.slower_detectable) == ("too few", None, None)
    assert of_pairs(pairs_of([1.0] * 5)).verdict == "slower"
    with pytest.raises(ValueError, match="no pair"):
        of_pairs([])


def test_equal_seconds_are_indistinguishable_and_nothing_could_be_missed():
    found = of_pairs([(3.0, 3.0)] * 6)
    assert (found.verdict, found.ratio, found.slower_detectable) == ("indistinguishable", 1.0, 1.0)


def test_a_tolerance_must_be_passed_by_the_whole_interval():
    found = of_pairs(pairs_of([math.log(1.10) + item for item in (-0.02, -0.01, 0.0, 0.01, 0.02)]))
    assert found.beyond(0.0) == found.beyond(0.05) == "slower"
    assert found.low < 1.10
    assert found.beyond(0.09) == "indistinguishable"
    mirrored = of_pairs([(contender, baseline) for baseline, contender in found.pairs])
    assert mirrored.beyond(0.05) == "faster"
    assert mirrored.beyond(0.09) == "indistinguishable"


@pytest.mark.parametrize("count", [5, 12])
def test_ninety_five_of_a_hundred_intervals_hold_the_truth(count):
    """An interval holds the truth where the sample less the truth is called indistinguishable."""
    random = np.random.default_rng(7)
    away = called(random.normal(0.0, 0.1, (20_000, count)))
    assert np.mean(away == 0) == pytest.approx(0.95, abs=0.006)


@pytest.mark.parametrize("count", [5, 10, 20])
def test_the_detectable_effect_is_found_in_eighty_of_a_hundred(count):
    spread = 0.1
    effect = detectable(spread / math.sqrt(count), count)
    random = np.random.default_rng(11)
    found = called(random.normal(effect, spread, (20_000, count)))
    assert np.mean(found == 1) == pytest.approx(0.8, abs=0.012)


@pytest.mark.parametrize("count", [5, 10, 20])
def test_what_is_said_to_be_found_in_eighty_of_a_hundred_is_so_in_ninety_five_of_a_hundred_comparisons(count):
    """The spread is estimated too: as if it were known, less than half of the comparisons kept their word."""
    free = count - 1
    random = np.random.default_rng(13)
    estimated = np.sqrt(random.chisquare(free, 10_000) / free)  # of a true standard error of 1
    beyond = stats.t.ppf(0.975, free)

    def kept(shift):
        return np.mean(stats.nct.sf(beyond, free, shift) >= 0.8)

    one = detectable(1.0, count)
    assert kept(one * estimated) < 0.5
    assert kept(one * estimated * upper_bound(1.0, free)) == pytest.approx(0.95, abs=0.01)


def test_what_would_have_been_found_is_reckoned_with_the_largest_spread():
    logs = [0.02, -0.05, 0.01, 0.06, -0.04, 0.0]
    found = of_pairs(pairs_of(logs))
    error = np.std(logs, ddof=1) / math.sqrt(6)
    least = detectable(upper_bound(error, 5), 6)
    assert math.log(found.slower_detectable) == pytest.approx(least)
    assert found.faster_detectable == pytest.approx(1 / found.slower_detectable)
    assert least > 1.5 * detectable(error, 6)


def test_many_samples_at_once_are_judged_like_one():
    random = np.random.default_rng(3)
    logs = random.normal(0.05, 0.1, (40, 8))
    words = {1: "slower", -1: "faster", 0: "indistinguishable"}
    signs = called(logs)
    assert len(set(signs.tolist())) > 1
    assert [words[sign] for sign in signs.tolist()] == [of_pairs(pairs_of(row)).verdict for row in logs]
