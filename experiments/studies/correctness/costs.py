"""Messages a second of each side, their share of the batch's, and the time that each guarantee adds: ratios within the rounds."""

from dataclasses import dataclass

from experiments.stats.ratios import Ratio, of_pairs
from experiments.stats.summaries import Spread, spread_of
from experiments.studies.correctness.session import Measured
from jobs.guarantees.ladders import Side


@dataclass(frozen=True)
class Step:
    """One guarantee.

    Attributes:
        given: side that gives it; lacking: side that lacks it and is else the same.
        ratio: how many times as long the first takes.
    """

    given: Side
    lacking: Side
    ratio: Ratio

    @property
    def guarantee(self) -> str:
        """Name of the guarantee."""
        return self.lacking.lacks

    @property
    def cost(self) -> float:
        """Share of the time without it that it adds; below 0 if it was faster with it."""
        assert self.ratio.ratio is not None  # pairs of seconds have one
        return self.ratio.ratio - 1


def per_s(found: Measured, side: Side) -> Spread:
    """Return the messages a second of a side's rounds."""
    spread = spread_of([[found.asked.rows / seconds] for seconds in found.seconds[side.name]])
    assert spread is not None  # there is a round at least
    return spread


def share(found: Measured, side: Side, of: Side | None = None) -> Ratio:
    """Return the share of the batch's messages a second that a side takes in, which is the batch's seconds over the side's."""
    batch = of or found.asked.ladder.yardstick
    return of_pairs(_pairs(found, batch, side)).turned


def steps(found: Measured) -> list[Step]:
    """Return the cost of each guarantee, the first that is given up first."""
    return [
        Step(given, lacking, of_pairs(_pairs(found, lacking, given)))
        for given, lacking in found.asked.ladder.steps
    ]


def _pairs(found: Measured, first: Side, second: Side) -> list[tuple[float, float]]:
    """Return the seconds of two sides in each round."""
    return list(zip(found.seconds[first.name], found.seconds[second.name], strict=True))
