"""Which runs a plan chooses, and what it refuses."""

import itertools
import re

import numpy as np
import pytest

from cluster.shape import Shape
from core.errors import UsageError
from experiments.page.text_tables import as_text
from experiments.spec import loading as spec
from experiments.studies.capacity.design import choose
from experiments.studies.capacity.planner import Candidates, Pilot, plan
from experiments.studies.capacity.terms import Load, time_terms

DEFAULT = Shape(1, 1, "1g")
ROWS = [50_000, 100_000, 200_000, 400_000]
FIXED = {"data.name": "synthetic/ml-1m", "model.name": "als", "model.blocks": 8}


def candidates(host_cores=4, workers=(1, 2), held_out=(), rows=ROWS, **fixed):
    values = {
        "question": "How long?",
        **FIXED,
        **fixed,
        "grid": {"data.rows": rows, "shape.workers": list(workers)},
        "held_out": list(held_out),
    }
    return Candidates.of(spec.read("planned", values), DEFAULT, host_cores)


def seconds(load, fixed=60.0, slope=1e-3):
    return fixed + slope * load.rows / load.cores


def pilots_of(found):
    loads = [found.loads[index] for index in found.pilots()]
    return [Pilot(seconds(load), seconds(load, fixed=0.0)) for load in loads]


def test_pilots_are_the_cheapest_run_and_one_of_four_times_its_rows():
    found = candidates()
    first, second = (found.loads[index] for index in found.pilots())
    assert (first.rows, first.cores) == (50_000, 2)
    assert (second.rows, second.cores) == (200_000, 2)


def test_a_handful_within_the_budget_and_the_pilots_among_them():
    found = candidates()
    made = plan(found, pilots_of(found), 1e6)
    assert len(made.chosen) == 2 + 4  # two terms, four more runs than terms
    assert made.chosen[:2] == found.pilots()
    assert len(set(made.chosen)) == 6
    assert made.costs == pytest.approx([seconds(load) for load in found.loads])
    tight = plan(found, pilots_of(found), 500)
    assert tight.cost <= 500
    assert 3 <= len(tight.chosen) < 6
    table = as_text(made.table())
    assert "1st: pilot" in table
    assert "3rd: most information" in table


def test_pilots_that_show_no_growth_do_not_make_large_runs_look_cheap():
    found = candidates()
    made = plan(found, [Pilot(100.0, 20.0), Pilot(90.0, 40.0)], 1e6)
    largest = made.costs[found.loads.index(Load(400_000, 1.0, 1))]
    assert largest == pytest.approx(50.0 + 40.0 * 4)  # the larger pilot had 100,000 rows a core


def test_a_budget_that_buys_too_little_says_what_would_do():
    found = candidates()
    with pytest.raises(UsageError, match=r"\b\d runs\b.*\bat least 3\b.*--budget \d+m"):
        plan(found, pilots_of(found), 150)


def test_both_sizes_and_both_core_counts_are_chosen():
    found = candidates()
    chosen = [found.loads[index] for index in plan(found, pilots_of(found), 1e6).chosen]
    assert {load.cores for load in chosen} == {1, 2}
    assert {50_000, 400_000} <= {load.rows for load in chosen}


def test_held_out_and_oversubscribed_runs_are_no_candidates():
    found = candidates(host_cores=2, workers=(1, 2, 3), held_out=[{"data.rows": 400_000}])
    assert {load.rows for load in found.loads} == {50_000, 100_000, 200_000}
    assert {trial.shape.workers for trial in found.trials} == {1, 2}
    assert len(found.remarks) == 5
    assert re.search(r"w3\u00d71c\b.*worker cores.*\b2\b", found.remarks[0])
    assert all(words in found.remarks[-1] for words in ("4 candidates", "shared-host"))
    assert {trial.flat["data.rows"] for trial in found.held_out} == {400_000}


def test_part_of_the_grid_keeps_labels_and_partitions_of_the_whole():
    found = candidates(host_cores=8, workers=(1, 8), held_out=[{"data.rows": 400_000}])
    two = [found.trials[0], found.held_out[-1]]
    again = found.only(two).trials(DEFAULT)
    assert [trial.key("", "", "", "") for trial in again] == [trial.key("", "", "", "") for trial in two]
    assert {trial.partitions for trial in again} == {16}


def test_a_share_of_a_data_set_counts_as_rows():
    values = {
        "question": "How long?",
        "data.name": "movielens/1m",
        "model.name": "als",
        "grid": {"clean.sample": [0.1, 0.5, 1.0], "shape.workers": [1, 2]},
        "held_out": [{"clean.sample": 1.0}],
    }
    found = Candidates.of(spec.read("sampled", values), DEFAULT, 4)
    assert {round(load.rows, -3) for load in found.loads} == {100_000, 500_000}
    # The whole is a default, which a trial does not list among its values.
    assert len(found.held_out) == 2
    whole = found.only([found.held_out[0]]).trials(DEFAULT)
    assert [trial.label for trial in whole] == ["als w1\u00d71c"]
    assert [trial.flat.get("clean.sample") for trial in found.only(found.trials).trials(DEFAULT)] == [
        0.1,
        0.1,
        0.5,
        0.5,
    ]


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"shape.workers": [1, 2]}, "1 size"),
        ({"model.rank": [8, 16], "data.rows": ROWS}, "rank"),
    ],
)
def test_a_grid_that_no_model_can_be_made_of_is_refused(grid, words):
    experiment = spec.read("odd", {"question": "How long?", **FIXED, "grid": grid})
    with pytest.raises(UsageError, match=words):
        Candidates.of(experiment, DEFAULT, 4)


def test_what_is_held_out_must_stand_in_the_spec():
    values = {"question": "Why?", **FIXED, "grid": {"shape.workers": [1]}, "held_out": [{"shape.worker": 2}]}
    with pytest.raises(UsageError, match=r"^experiment odd: .*'shape.worker'.*'shape.workers'"):
        spec.read("odd", values)


def test_greedy_choice_is_close_to_the_best_of_all():
    """The greedy design's determinant is at least 90% (per term) of the best design of the same size."""
    loads = [Load(rows, cores, cores) for rows in ROWS for cores in (1, 2, 4)]
    columns = time_terms(loads).columns(loads)
    scaled = columns / columns.max(axis=0)

    def spread(indices):
        part = scaled[list(indices)]
        return np.linalg.det(part.T @ part) ** (1 / columns.shape[1])

    found = [choice.index for choice in choose(columns, [1.0] * len(loads), 7.0, 7)]
    best = max(map(spread, itertools.combinations(range(len(loads)), 7)))
    assert len(found) == 7
    assert spread(found) >= 0.9 * best


def test_choice_prefers_information_for_its_time():
    columns = np.array([[1.0, 0.1], [1.0, 0.9], [1.0, 1.0]])
    chosen = choose(columns, [1.0, 2.0, 50.0], 60.0, 2, start=[0])
    assert [choice.index for choice in chosen] == [0, 1]
    assert [choice.index for choice in choose(columns, [1.0, 2.0, 50.0], 2.5, 3, start=[0])] == [0]
