"""Every spec that ships loads, asks a question, and names only parameters, data sets and phases that exist."""

import pytest

from cluster.shape import Shape
from experiments.spec import loading as spec

DEFAULT = Shape(2, 1, "2g")


@pytest.mark.parametrize("name", spec.names())
def test_spec(name):
    experiment = spec.load(name)
    assert experiment.question.endswith("?")
    trials = experiment.trials(DEFAULT)
    assert trials
    assert len({trial.key("", "", "", "") for trial in trials}) == len(trials)
    assert len({trial.label for trial in trials}) == len(trials)
    assert len({trial.partitions for trial in trials}) == 1
    for comparison in experiment.comparisons:
        for side in (comparison.baseline, comparison.contender):
            chosen = {key: value for key, value in side.items() if key != "phase"}
            assert any(chosen.items() <= trial.flat.items() for trial in trials)
