"""Intervals hold the truth as often as they say, by simulation; which applications are paired, and what is said if none are."""

import math
import statistics

import numpy as np
import pytest
from invented import application, outcome

from experiments.page.tables import notes as trial_notes
from experiments.page.tables import ratio_text
from experiments.results.metrics import by_round
from experiments.stats import faster
from experiments.stats.intervals import error, interval, ratio, reach
from experiments.stats.ratios import between, notes, within

SAMPLES = 10_000
NOISES = ("normal", "heavy tails", "outliers")


def noise(random, kind, shape):
    """Logarithms of seconds, with median 0."""
    if kind == "normal":
        return random.normal(0.0, 0.1, shape)
    if kind == "heavy tails":
        return 0.05 * random.standard_t(3, shape)
    far = np.log(1.5) * random.choice((-1.0, 1.0), shape) * (random.random(shape) < 0.07)
    return random.normal(0.0, 0.05, shape) + far


def drifting(random, count):
    """Two sides of a host whose speed walks at random by 5% an application; A and B, B and A by a coin."""
    walk = np.cumsum(random.normal(0.0, 0.05, (SAMPLES, 2 * count)), axis=1).reshape(SAMPLES, count, 2)
    seconds = random.permuted(walk, axis=2) + random.normal(0.0, 0.02, walk.shape)
    return seconds[..., 0], seconds[..., 1]


def held(sides, *, paired, truth=0.0):
    away = reach(*error((1.0, -1.0), sides, paired=paired))
    middle = sides[0].mean(axis=-1) - sides[1].mean(axis=-1)
    return float(np.mean(np.abs(middle - truth) <= away))


@pytest.mark.parametrize("count", [5, 6, 7, 8, 10, 15])
@pytest.mark.parametrize("kind", [*NOISES, "one-sided outliers"])
def test_a_trials_own_seconds_lie_in_ninety_three_of_a_hundred_intervals(count, kind):
    random = np.random.default_rng(count)
    if kind == "one-sided outliers":
        logs = noise(random, "normal", (SAMPLES, count)) + np.log(2) * (
            random.random((SAMPLES, count)) < 0.05
        )
    else:
        logs = noise(random, kind, (SAMPLES, count))
    ends = np.array([interval(row) for row in np.exp(logs).tolist()])
    share = np.mean((ends[:, 0] <= 1.0) & (ends[:, 1] >= 1.0))
    # 93.75% is what five values can give at most; 0.6 points are 2.5 standard errors of this simulation.
    assert 0.93 - 0.006 <= share <= 0.98


def test_interval_of_seconds_lies_between_order_statistics():
    assert interval([1.0, 2.0, 3.0, 4.0]) == (None, None)
    assert interval([5.0, 1.0, 3.0, 2.0, 4.0]) == (1.0, 5.0)
    low, high = interval([float(value) for value in range(1, 11)])
    assert 2.0 < low < 3.0 < 8.0 < high < 9.0
    assert interval([2.0] * 7) == (2.0, 2.0)


@pytest.mark.parametrize("count", [5, 7, 10, 20])
@pytest.mark.parametrize("kind", [*NOISES, "drift"])
def test_paired_ratios_lie_in_ninety_five_of_a_hundred_intervals(count, kind):
    random = np.random.default_rng(count)
    own = (
        (noise(random, kind, (SAMPLES, count)) for _ in range(2))
        if kind != "drift"
        else drifting(random, count)
    )
    assert 0.94 <= held(list(own), paired=True) <= 0.98


@pytest.mark.parametrize("counts", [(5, 5), (5, 20), (10, 6), (10, 10)])
@pytest.mark.parametrize("kind", [*NOISES, "one louder"])
def test_unpaired_ratios_lie_in_at_least_ninety_five_of_a_hundred_intervals(counts, kind):
    random = np.random.default_rng(sum(counts))
    louder = 4.0 if kind == "one louder" else 1.0
    name = "normal" if kind == "one louder" else kind
    sides = [
        noise(random, name, (SAMPLES, count)) * scale
        for count, scale in zip(counts, (1.0, louder), strict=True)
    ]
    assert held(sides, paired=False) >= 0.945


def test_pairs_find_under_drift_what_independent_samples_miss():
    """A true difference of 10%, five rounds: the walk of the host is in both samples, and cancels in the pairs."""
    random = np.random.default_rng(3)
    sides = drifting(random, 5)
    found = {
        paired: 1 - held([sides[0] + math.log(1.1), sides[1]], paired=paired) for paired in (True, False)
    }
    equal = {paired: 1 - held(list(sides), paired=paired) for paired in (True, False)}
    assert found[True] > 0.4
    assert found[True] > 2 * found[False]
    assert equal[False] < 0.02 < equal[True] < 0.06


def test_many_samples_at_once_are_judged_as_one_is():
    random = np.random.default_rng(3)
    sides = [np.exp(noise(random, "normal", (30, 7))) for _ in range(2)]
    for paired in (True, False):
        logs = [np.log(side) for side in sides]
        away = reach(*error((1.0, -1.0), logs, paired=paired))
        for row in range(30):
            middle, low, high = ratio(sides[0][row], sides[1][row], paired=paired)
            assert middle == pytest.approx(
                statistics.geometric_mean(sides[0][row]) / statistics.geometric_mean(sides[1][row])
            )
            assert math.log(high / middle) == pytest.approx(away[row])
            assert low * high == pytest.approx(middle**2)


def test_fewer_than_five_values_have_a_ratio_and_no_interval():
    assert ratio([4.0] * 4, [2.0] * 4, paired=True) == (pytest.approx(2.0), None, None)
    assert ratio([4.0] * 9, [2.0] * 4, paired=False) == (pytest.approx(2.0), None, None)


DRIFT = (1.0, 1.5, 2.2, 3.1, 4.0, 6.0, 9.0)  # what the host does to whole rounds


def timed(workers, seconds, rounds, **changes):
    """A trial whose applications ran in these rounds, each of which has its own level; None: nobody noted it."""
    made = [
        application(n, [9.0, seconds * DRIFT[n] * (1 + (n % 3) / 100)], round_id=name)
        for n, name in enumerate(rounds)
    ]
    return outcome(made, workers, **changes)


ROUNDS = [f"one.{number}" for number in range(7)]


def test_trials_of_the_same_rounds_are_paired_and_the_hosts_drift_cancels():
    one, two = timed(1, 10.0, ROUNDS[:6]), timed(2, 5.0, ROUNDS[:6])
    found = between(one, two)
    assert (found.unpaired, found.left_out) == (None, 0)
    assert (found.ratio, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))
    other = between(timed(1, 10.0, [None] * 6), timed(2, 5.0, [None] * 6))
    assert other.low < 1.0 < 2.5 < other.high
    assert other.unpaired
    assert faster.speedup(two, [one, two]).low == pytest.approx(2.0)


def test_rounds_are_told_by_their_names_and_not_by_the_numbers_of_the_applications():
    """A trial that was taken up later has the same numbers, measured on another day."""
    first = timed(1, 10.0, ROUNDS[:5])
    later = timed(2, 5.0, [f"another day.{number}" for number in range(5)])
    assert by_round(first, "fit").keys() == set(ROUNDS[:5])
    found = between(first, later)
    assert found.unpaired
    assert found.low is not None
    (note,) = notes([("w2", found)])
    assert "not paired" in note
    assert note.endswith(": w2")


def test_common_rounds_are_paired_where_there_are_five_and_the_rest_is_left_out():
    found = between(timed(1, 10.0, ROUNDS), timed(2, 5.0, ROUNDS[:6]))
    assert (found.unpaired, found.left_out) == (None, 1)
    assert found.ratio == pytest.approx(2.0)
    assert "w2 (1)" in next(iter(notes([("w2", found)])))
    few = between(timed(1, 10.0, ROUNDS), timed(2, 5.0, [*ROUNDS[:4], "x", "y"]))
    assert few.unpaired
    look = between(timed(1, 10.0, ROUNDS[:2]), timed(2, 5.0, ROUNDS[:2]))
    assert (look.ratio, look.low, look.unpaired) == (pytest.approx(2.0), None, None)
    assert list(notes([("w2", look)])) == []


def test_an_application_without_one_of_the_phases_moves_no_other_pair():
    made = [application(n, [9, 8.0 * (n + 1)], [9, 2.0 * (n + 1)] if n != 2 else []) for n in range(6)]
    found = within(outcome(made), "fit", "score")
    assert (found.ratio, found.low, found.high) == pytest.approx((4.0, 4.0, 4.0))
    assert within(outcome(made[2:3]), "fit", "score") is None


def test_unpaired_ratios_are_marked_and_the_notes_say_why():
    made = [timed(n, 10.0 / n, [None] * 5) for n in (1, 2)]
    assert ratio_text(between(*made)).endswith("unpaired")
    assert any("not paired" in line and "w2" in line for line in trial_notes(made))
    paired = [timed(n, 10.0 / n, ROUNDS[:5]) for n in (1, 2)]
    assert "unpaired" not in ratio_text(between(*paired))
    assert not any("not paired" in line for line in trial_notes(paired))
