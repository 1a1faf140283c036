"""Trials that are still to be run: taken up where they were interrupted, put in order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cluster.shape import Shape
from experiments.results.outcome import Outcome, begin, stored
from experiments.run.environment import same_host
from experiments.run.turns import balanced
from experiments.spec.trial import Trial

MOST_SHARING = 50
"""Trials in one application: what it measured is recorded when it has ended, and would be lost with the harness."""


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

    @property
    def left(self) -> int:
        """Number of applications that are still to run, if all succeed."""
        return self.trial.applications - len(self.outcome.applications) if self.open else 0


class Turn(NamedTuple):
    """One trial's next application: `round_id` is shared by the applications that run in the same round of one run."""

    round_id: str
    item: Pending


def take_up(folder: Path, experiment: str, trial: Trial, key: str, context: Mapping[str, Any]) -> Pending:
    """Continue the newest attempt of a trial if it was interrupted on this host, else begin a new one.

    Args:
        folder: of the experiment.
        experiment: its name.
        trial: what is to be run.
        key: of the trial.
        context: as for `experiments.results.outcome.begin`.
    """
    tries = [(place, outcome) for place, outcome in stored(folder) if outcome.key == key]
    if tries:
        place, last = tries[-1]
        interrupted = last.status in ("running", "killed") and last.tags == context["tags"]
        if interrupted and same_host(last.environment, context["environment"]):
            return Pending(trial, place, last.resumed(trial))
    outcome = begin(experiment, trial, key, context)
    return Pending(trial, folder / key[:16] / outcome.attempt, outcome)


def rounds(pending: Sequence[Pending], run: str) -> Iterator[Turn]:
    """Yield each trial once a round, for its next application, until none has more to run.

    Applications of different trials, and of different shapes, take turns, so that a host that grows slower or faster
    meanwhile does so for all. Trials of one shape stay together within a round, because reshaping workers costs time;
    shapes, and trials within a shape, change places from round to round (`experiments.run.turns`). A single round keeps the
    given order.

    Args:
        pending: trials; those of one shape are put together, shapes in the order in which they first come.
        run: names this run of the experiment and is the seed of the order.
    """
    groups: dict[Shape, list[Pending]] = {}
    for item in pending:
        groups.setdefault(item.trial.shape, []).append(item)
    shapes = list(groups.values())
    most = max((item.left for item in pending), default=0)
    orders = balanced(most, run, lambda random: _shuffled(shapes, random))
    if most == 1:
        orders = [[item for group in shapes for item in group]]
    for number, order in enumerate(orders):
        yield from (Turn(f"{run}.{number}", item) for item in order if item.open)


def applications(pending: Sequence[Pending], run: str) -> Iterator[tuple[str | None, list[Pending]]]:
    """Yield the trials of each next application: one with its round, or all those that share it, in no round.

    What an application leaves unfinished of those that share it comes again in another one.

    Args:
        pending: trials that have applications of their own, or trials that share some.
        run: as for `rounds`.
    """
    for turn in rounds([item for item in pending if not item.trial.shared], run):
        yield turn.round_id, [turn.item]
    for group in sharing([item for item in pending if item.trial.shared]):
        while waiting := [item for item in group if item.open]:
            yield None, waiting


def sharing(pending: Sequence[Pending]) -> Iterator[list[Pending]]:
    """Yield the trials that may share an application: those whose sessions would be the same, shape by shape."""
    groups: dict[Shape, dict[Any, list[Pending]]] = {}
    for item in pending:
        trial = item.trial
        data = trial.data.slug if trial.data else None
        session = (trial.job, data, tuple(sorted(trial.spark.items())), trial.partitions)
        groups.setdefault(trial.shape, {}).setdefault(session, []).append(item)
    for group in (group for sessions in groups.values() for group in sessions.values()):
        yield from (group[start : start + MOST_SHARING] for start in range(0, len(group), MOST_SHARING))


def _shuffled(groups: Sequence[Sequence[Pending]], random: np.random.Generator) -> list[Pending]:
    places = [(group, random.permutation(len(group))) for group in groups]
    return [places[at][0][own] for at in random.permutation(len(groups)) for own in places[at][1]]
