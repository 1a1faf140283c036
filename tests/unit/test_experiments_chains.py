"""The section on Markov chains: its table, its pictures, its warning, and nothing where no trial has chains."""

import json

from invented import application, outcome
from matplotlib.figure import Figure

from experiments.report.sections import FINDINGS
from experiments.results.metrics import numbers
from experiments.spec.loading import read

EXPERIMENT = read("invented", {"question": "How sure?"})
KNOWN = {
    "chain_noise": 1.4, "chain_noise_r_hat": 1.01, "chain_noise_size": 120.4, "chain_rmse": 0.7, "chain_rmse_r_hat": 1.3,
    "chain_rmse_size": 9.0, "chain_pairs_r_hat": 1.04, "chain_pairs_size": 61.0, "interval_50": 0.51, "interval_80": 0.8,
    "interval_95": 0.94,
}  # fmt: skip
SERIES = {
    "chain_rmse_1": [(1, 1.1), (2, 0.8)],
    "chain_rmse_2": [(1, 1.2), (2, 0.7)],
    "calibration": [(50, 0.51), (95, 0.94)],
}


def sampled():
    return outcome([application(0, [9.0, 2.0], metrics=KNOWN, series=SERIES)])


def test_chains_are_told_with_their_courses_and_intervals():
    trials = [sampled(), outcome([application(0, [9.0, 2.0])])]
    found = FINDINGS["chains"](EXPERIMENT, trials)
    (table,) = found.tables
    label = trials[0].label
    assert table.rows == [
        [label, "1.010", "120", "1.300", "9", "1.040", "61", "1.400", "51.0%", "80.0%", "94.0%"]
    ]
    assert found.notes[0].startswith(
        f"the chains do not agree yet (R-hat above 1.05, of predictions 1.1; nan: too few draws) of {label} (training RMSE 1.30)"
    )
    drawn = {}
    for plot in found.plots:
        drawn[plot.name] = Figure().add_subplot()
        plot.draw(drawn[plot.name])
    assert drawn["calibration"].lines[1].get_xydata().tolist() == [[50, 51], [95, 94]]
    assert [line.get_ydata()[-1] for line in drawn["chains"].lines] == [0.8, 0.7]
    json.dumps(found.data)
    assert FINDINGS["chains"](EXPERIMENT, trials[1:]) is None


def test_of_many_trials_pictures_name_none():
    many, one = (FINDINGS["chains"](EXPERIMENT, [sampled()] * count) for count in (5, 1))
    assert len(many.tables[0].rows) == 5
    for plot, same in zip(many.plots, one.plots, strict=True):
        axes, few = Figure().add_subplot(), Figure().add_subplot()
        plot.draw(axes)
        same.draw(few)
        assert axes.get_legend() is None
        assert len(few.get_legend().get_texts()) == 1


def test_a_series_is_recorded_by_its_steps():
    found = [(number.name, number.step, number.value) for number in numbers(sampled())]
    assert ("chain/rmse_2", 2, 0.7) in found
    assert ("quality/calibration", 95, 0.94) in found
