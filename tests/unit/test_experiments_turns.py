"""The order of turns: balanced, the same for the same seed, and in step with nothing that the host does."""

from collections import Counter
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.run.pending import rounds
from experiments.run.turns import balanced
from experiments.stats.intervals import error, reach

SEEDS = 10_000


def orders(count, number, seed="seed"):
    return balanced(number, seed, lambda random: random.permutation(count).tolist())


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("number", [4, 10])
def test_each_comes_before_each_other_as_often_as_after_it(count, number):
    found = orders(count, number)
    assert all(sorted(order) == list(range(count)) for order in found)
    for one, other in combinations(range(count), 2):
        assert sum(order.index(one) < order.index(other) for order in found) == number / 2


def test_an_odd_number_leaves_one_order_over():
    assert sorted(Counter(order[0] for order in orders(2, 7)).values()) == [3, 4]
    assert orders(2, 0) == []


def test_the_seed_makes_the_order():
    assert orders(3, 8) == orders(3, 8)
    assert len({str(orders(3, 8, str(seed))) for seed in range(20)}) > 15


def host(random, count, period):
    """Seconds of applications in the order in which they run, and a job of the host that takes 30% of one every `period`."""
    phase = random.random((SEEDS, 1)) * period
    busy = np.clip(1 - (np.arange(count) + phase) % period, 0, 1)
    return random.normal(0.0, 0.03, (SEEDS, count)) + np.log1p(0.3 * busy)


def alarms(first, second):
    """How often two equal sides are called different; rows are comparisons, columns pairs."""
    away = reach(*error((1.0, -1.0), [first, second], paired=True))
    return float(np.mean(np.abs(first.mean(axis=1) - second.mean(axis=1)) > away))


@pytest.mark.parametrize("pairs", [10, 20])
def test_a_host_with_a_period_of_four_applications_is_taken_for_a_difference_only_by_fixed_turns(pairs):
    random = np.random.default_rng(5)
    seconds = host(random, 2 * pairs, 4.0).reshape(SEEDS, pairs, 2)
    fixed = np.tile(np.arange(pairs) % 2 == 1, (SEEDS, 1))
    drawn = np.array([[order[0] == 1 for order in orders(2, pairs, str(seed))] for seed in range(SEEDS)])
    sides = {
        name: [np.where(turned, seconds[..., at], seconds[..., 1 - at]) for at in (1, 0)]
        for name, turned in (("fixed", fixed), ("drawn", drawn))
    }
    assert alarms(*sides["fixed"]) > 0.2
    assert alarms(*sides["drawn"]) < 0.06


@pytest.mark.parametrize("period", [2.0, 3.0, 5.0, 6.0, 7.3, 8.0, 12.0])
def test_no_other_period_is_taken_for_a_difference(period):
    random = np.random.default_rng(6)
    seconds = host(random, 20, period).reshape(SEEDS, 10, 2)
    turned = np.array([[order[0] == 1 for order in orders(2, 10, str(seed))] for seed in range(SEEDS)])
    sides = [np.where(turned, seconds[..., at], seconds[..., 1 - at]) for at in (1, 0)]
    assert alarms(*sides) < 0.085


class Trial:
    """What `rounds` knows of a trial that is to be run."""

    def __init__(self, name, left, shape):
        self.name, self.left, self.trial = name, left, SimpleNamespace(shape=shape)

    @property
    def open(self):
        return self.left > 0


def run(trials, seed="run"):
    found = []
    for turn in rounds(trials, seed):
        turn.item.left -= 1
        found.append((turn.round_id, turn.item.name))
    return found


def test_trials_run_once_a_round_until_none_has_more_to_run():
    found = run([Trial("a", 3, 1), Trial("b", 1, 2), Trial("c", 2, 2)])
    per_round = [sorted(name for where, name in found if where == f"run.{number}") for number in range(3)]
    assert per_round[0] == ["a", "b", "c"]
    assert Counter(name for _, name in found) == {"a": 3, "b": 1, "c": 2}
    assert [where for where, _ in found] == sorted(where for where, _ in found)


def test_shapes_stay_together_within_a_round_and_change_places_between_rounds():
    made = [("a", 1), ("b", 2), ("c", 1), ("d", 2), ("e", 3)]
    found = run([Trial(name, 10, shape) for name, shape in made])
    per_round = [[name for where, name in found if where == f"run.{number}"] for number in range(10)]
    for order in per_round:
        assert abs(order.index("a") - order.index("c")) == abs(order.index("b") - order.index("d")) == 1
    for one, other in combinations("abcde", 2):
        assert sum(order.index(one) < order.index(other) for order in per_round) == 5
    assert found == run([Trial(name, 10, shape) for name, shape in made])
    assert found != run([Trial(name, 10, shape) for name, shape in made], "another run")


def test_a_single_round_keeps_the_specs_order():
    assert [name for _, name in run([Trial("a", 1, 1), Trial("b", 1, 2), Trial("c", 1, 1)])] == [
        "a",
        "c",
        "b",
    ]
    assert run([]) == []


@pytest.mark.parametrize("period", [3.0, 6.0])
def test_trials_of_three_shapes_are_in_step_with_no_period_either(period):
    random = np.random.default_rng(7)
    seconds = host(random, 30, period).reshape(SEEDS, 10, 3)
    places = np.array([np.argsort(orders(3, 10, str(seed)), axis=1) for seed in range(SEEDS)])
    own = np.take_along_axis(seconds, places, axis=2)
    assert all(alarms(own[..., one], own[..., other]) < 0.085 for one, other in combinations(range(3), 2))
