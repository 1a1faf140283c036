"""Medians, intervals, speed-ups and comparisons on invented numbers."""

import re

import pytest
from invented import application, outcome

from experiments.results.metrics import cold, medians, numbers, repeats
from experiments.spec.experiment import Comparison, Mean
from experiments.stats import faster, summaries


def scaled(workers, seconds, applications=5, **changes):
    """A trial whose measured passes take about `seconds`."""
    made = [
        application(n, [9.0, seconds * (1 + n / 100), seconds * (1 + n / 100)]) for n in range(applications)
    ]
    return outcome(made, workers, **changes)


def test_warm_ups_are_not_repeats_and_the_first_is_the_cold_number():
    item = application(0, [9.0, 2.0, 3.0], [1.0, 0.5, 0.5])
    assert repeats(item, "fit") == [2.0, 3.0]
    assert repeats(item, "total") == [2.5, 3.5]
    assert cold(item, "fit") == 9.0
    assert cold(item, "total") == 10.0


def test_median_is_of_the_medians_of_applications():
    found = summaries.spread(outcome([application(0, [9, 1, 1, 7]), application(1, [9, 3, 3, 3])]), "fit")
    assert (found.median, found.least, found.most) == (2.0, 1, 7)
    assert (found.low, found.high) == (None, None)


def test_failed_applications_do_not_count():
    trial = outcome([application(0, [9, 1, 1]), application(1, [9, 5], status="failed")], status="failed")
    assert medians(trial, "fit") == [1]
    assert summaries.spread(outcome([application(0, [9], status="failed")]), "fit") is None


def test_speedup_is_against_the_smallest_shape():
    one, two = scaled(1, 10.0), scaled(2, 5.0, shape_tag="shared-host")
    found = faster.speedup(two, [two, one])
    assert found.ratio == pytest.approx(2.0)
    assert found.low <= 2.0 <= found.high
    assert found.tag == "shared-host"
    assert faster.speedup(one, [two, one]).ratio == 1.0


def test_no_speedup_without_another_shape_or_between_different_trials():
    one, other = scaled(1, 10.0), scaled(2, 5.0, values={"model.rank": 9})
    assert faster.speedup(one, [one]) is None
    assert faster.speedup(other, [one, other]) is None


def test_speedup_is_refused_when_the_model_changed():
    one = scaled(1, 10.0)
    moved = [application(n, [9.0, 5.0], fingerprint=[3.0, 4.01]) for n in range(5)]
    found = faster.speedup(outcome(moved, 2), [one, outcome(moved, 2)])
    assert found.ratio is None
    assert re.search(r"model changed.*w1\u00d71c.*w2\u00d71c.*\b0\.01\b", found.refused)
    near = [application(n, [9.0, 5.0], fingerprint=[3.0, 4.00005]) for n in range(5)]
    assert faster.speedup(outcome(near, 2), [one, outcome(near, 2)]).ratio == pytest.approx(2.0398, abs=1e-4)


def test_speedup_is_refused_when_oversubscribed():
    one, many = scaled(1, 10.0), scaled(8, 5.0, shape_tag="oversubscribed")
    found = faster.speedup(many, [one, many])
    assert found.ratio is None
    assert "oversubscribed" in found.refused


def test_phases_of_one_trial_are_compared_within_each_application():
    made = [application(n, [9, 8.0 * (n + 1)], [9, 2.0 * (n + 1)]) for n in range(5)]
    comparison = Comparison({"phase": "fit"}, {"phase": "score"})
    (found,) = faster.compare([comparison], [outcome(made)])
    assert (found.result.ratio, found.result.low, found.result.high) == pytest.approx((4.0, 4.0, 4.0))


def test_fewer_than_five_applications_give_no_interval():
    comparison = Comparison({"phase": "fit"}, {"phase": "score"})
    (found,) = faster.compare([comparison], [outcome([application(0, [9, 8.0], [9, 2.0])])])
    assert (found.result.ratio, found.result.low, found.result.high) == (4.0, None, None)


def test_trials_are_paired_where_all_else_agrees():
    comparison = Comparison({"model.name": "knn"}, {"model.name": "als"}, "fit_s")
    trials = [
        scaled(workers, seconds, values={"model.name": model})
        for workers in (1, 2)
        for model, seconds in (("knn", 8.0 * workers), ("als", 4.0))
    ]
    found = list(faster.compare([comparison], trials))
    assert [(item.where, item.result.ratio) for item in found] == [
        ("workers=1", pytest.approx(2.0)),
        ("workers=2", pytest.approx(4.0)),
    ]


def test_comparison_of_shapes_is_refused_when_the_model_changed():
    moved = outcome([application(0, [9.0, 5.0], fingerprint=[1.0, 4.0])], 2)
    (found,) = faster.compare(
        [Comparison({"shape.workers": 1}, {"shape.workers": 2})], [scaled(1, 10.0), moved]
    )
    assert found.result.ratio is None
    assert "model changed" in found.result.refused


def test_means_are_taken_over_the_named_keys_only():
    trials = [
        outcome(
            [application(0, [1, 1], metrics={"rmse": rmse})], values={"job.fold": fold, "model.rank": rank}
        )
        for fold, rank, rmse in (("u1", 8, 0.9), ("u2", 8, 1.0), ("u1", 9, 0.8), ("u2", 9, 0.9))
    ]
    found = list(summaries.means([Mean("rmse", ("job.fold",))], trials))
    assert [(item.where, round(item.mean, 3)) for item in found] == [("rank=8", 0.95), ("rank=9", 0.85)]


def test_metrics_are_flat_and_count_repeats_over_applications():
    telemetry = {
        "groups": {"fit#1": _totals(2), "fit#0": _totals(50), "outside": _totals(1)},
        "executors_lost": [],
    }
    trial = outcome([application(n, [9.0, 1.0 + n, 2.0 + n], telemetry=telemetry) for n in range(2)])
    found = list(numbers(trial))
    fit = [(number.step, number.value) for number in found if number.name == "repeats/fit_s"]
    assert fit == [(0, 1.0), (1, 2.0), (2, 2.0), (3, 3.0)]
    single = {number.name: number.value for number in found}
    assert single["fit_s"] == 2.0
    assert single["rmse"] == 0.9
    assert single["rows/test_rows"] == 100
    assert single["spark/fit/tasks"] == 2
    assert single["harness/start_s"] == 6.0
    assert "spark/outside/tasks" not in single


def _totals(tasks):
    names = (
        "run_s",
        "cpu_s",
        "gc_s",
        "shuffle_read",
        "shuffle_write",
        "spill",
        "input_rows",
        "task_max_s",
        "task_median_s",
    )
    return {"tasks": tasks, **dict.fromkeys(names, 1.0)}
