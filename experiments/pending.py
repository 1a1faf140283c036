"""Trials that are still to be run: taken up where they were interrupted, put in order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.environment import same_host
from experiments.outcome import Outcome, begin, stored
from experiments.trial import Shape, Trial


@dataclass
class Pending:
    """A trial that is to be run, its folder, and what came of it so far."""

    trial: Trial
    folder: Path
    outcome: Outcome

    @property
    def open(self) -> bool:
        """Whether applications are still to be run."""
        return self.outcome.status == "running"


def take_up(folder: Path, experiment: str, trial: Trial, key: str, context: Mapping[str, Any]) -> Pending:
    """Continue the newest attempt of a trial if it was interrupted on this host, else begin a new one.

    Args:
        folder: of the experiment.
        experiment: its name.
        trial: what is to be run.
        key: of the trial.
        context: as for `experiments.outcome.begin`.
    """
    tries = [(place, outcome) for place, outcome in stored(folder) if outcome.key == key]
    if tries:
        place, last = tries[-1]
        interrupted = last.status in ("running", "killed") and last.tags == context["tags"]
        if interrupted and same_host(last.environment, context["environment"]):
            return Pending(trial, place, last.resumed(trial))
    outcome = begin(experiment, trial, key, context)
    return Pending(trial, folder / key[:16] / outcome.attempt, outcome)


def sorted_by_shape(pending: Sequence[Pending]) -> list[Pending]:
    """Put trials of one shape together, shapes in the order in which they first come."""
    order: dict[Shape, int] = {}
    for item in pending:
        order.setdefault(item.trial.shape, len(order))
    return sorted(pending, key=lambda item: order[item.trial.shape])


def rounds(pending: Sequence[Pending]) -> Iterator[Pending]:
    """Yield each trial once a round, for its next application, until none has more to run.

    Applications of different trials, and of different shapes, take turns, so that a host that grows slower or faster
    meanwhile does so for all. Every other round goes backwards: a steady drift meets all alike, and the shape at the turn stays.
    """
    order = list(pending)
    while any(item.open for item in order):
        yield from (item for item in order if item.open)
        order.reverse()
