"""Means over trials that a spec asks for."""

import dataclasses
from collections.abc import Sequence

from experiments.page.finding import Finding
from experiments.page.tables import mean_table
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment
from experiments.stats.summaries import means


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    averaged = list(means(experiment.means, [item for item in outcomes if item.measured]))
    if not averaged:
        return None
    data = {"means": [dataclasses.asdict(item) for item in averaged]}
    return Finding("Means", tables=(mean_table(averaged),), data=data)


FIND = _find
