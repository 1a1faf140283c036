"""Growth of the same work's task time on a larger shape, which shows cores that compete with one another."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.results.outcome import Application, Outcome
from experiments.spec.tables import SHAPE

MATTERS_FROM = 1.25
"""Ratio of task times from which on the growth is reported: as much as a cause that costs a fifth of the core-time."""


@dataclass(frozen=True)
class Inflation:
    """Task seconds of a pass against those on the smallest shape.

    Attributes:
        ratio: medians of the measured passes of all applications.
        of: label of the trial on the smallest shape.
    """

    ratio: float
    of: str

    @property
    def matters(self) -> bool:
        """Whether it is large enough to be reported."""
        return self.ratio >= MATTERS_FROM

    @property
    def sentence(self) -> str:
        """The growth in words."""
        return (
            f"the same work took {self.ratio:.1f}\u00d7 the task time that it took on {self.of}: its cores are slower, as where "
            "they share a host, its memory or its disk"
        )


def inflation(outcome: Outcome, outcomes: Sequence[Outcome]) -> Inflation | None:
    """Compare a trial with the one on the smallest shape.

    Returns:
        None if it is that one, a number is missing, or trials shared an application, where each finds JVMs warmer.
    """
    outcomes = [item for item in outcomes if not item.shared]
    family = [item for item in outcomes if _unshaped(item) == _unshaped(outcome) and _typical(item)]
    if outcome not in family:
        return None
    smallest = min(family, key=lambda item: (item.size.capacity, item.size.workers))
    if smallest.size.capacity >= outcome.size.capacity:
        return None
    return Inflation(_typical(outcome) / _typical(smallest), str(smallest.size))


def _typical(outcome: Outcome) -> float:
    seconds = [value for item in outcome.measured for value in _passes(item)]
    return statistics.median(seconds) if seconds else 0.0


def _passes(application: Application) -> list[float]:
    """Return the seconds that tasks ran in each measured pass, without the time to ship them, which is another cause."""
    passes: dict[int, float] = {}
    for time in application.phases:
        if time.kind == "repeat":
            run = application.cost_of(time.phase, time.pass_).get("run_s", 0.0)
            passes[time.pass_] = passes.get(time.pass_, 0.0) + run
    return [value for value in passes.values() if value > 0]


def _unshaped(outcome: Outcome) -> dict[str, object]:
    return {key: value for key, value in outcome.values.items() if key not in SHAPE}
