"""The COST of a Spark model: the least worker cores with which it beats one competent thread.

F. McSherry, M. Isard, D. G. Murray, "Scalability! But at what COST?", HotOS XV, 2015.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from experiments.metric_table import RMSE
from experiments.results.metrics import medians, quality
from experiments.results.outcome import Outcome
from experiments.stats.families import untimed
from experiments.stats.ratios import Ratio, between
from experiments.studies.cost.rivals import Rivals, iterations

SAME_RMSE = 0.005
SAME_NDCG = 0.99
_ONE_THREAD = 1.1  # processor time of the process over that of its one thread; above it others helped


@dataclass(frozen=True)
class Point:
    """One shape of the cluster against one thread.

    Attributes:
        trial: of Spark; refused: why its time is not set against one thread's, None if it is.
    """

    trial: Outcome
    refused: str | None = None

    @property
    def cores(self) -> int:
        """Worker cores in all."""
        return self.trial.size.total_cores


@dataclass(frozen=True)
class Match:
    """Trials that reached the same quality.

    Attributes:
        rivals: where they come from.
        single: the trial of one thread; None where `refused` says why there is no comparison.
        points: one for each of Spark's, by cores.
        target: the nDCG that all had to reach; None where equal RMSE at equal iterations is asked for.
    """

    rivals: Rivals
    single: Outcome | None
    points: list[Point]
    target: float | None = None
    refused: str | None = None

    @property
    def counted(self) -> list[Point]:
        """The points that count for a claim."""
        return [point for point in self.points if point.refused is None]


@dataclass(frozen=True)
class Verdict:
    """Verdict on one phase.

    Attributes:
        kind: "reached" at the least number of cores whose time is below one thread's; "undecided" where the interval of the
            best shape holds 1; "not reached"; "refused" where there is nothing to compare.
        cores, ratio: of that shape, or of Spark's fastest; how many times as fast as one thread.
    """

    phase: str
    kind: Literal["reached", "undecided", "not reached", "refused"]
    cores: int | None = None
    ratio: Ratio | None = None


def matched(found: Rivals) -> Match:
    """Choose the trials that are set side by side, and say which are not and why."""
    helped = max((quality(item).get("single_threads", 1.0) for item in found.singles), default=1.0)
    if helped > _ONE_THREAD:
        return Match(
            found, None, [], refused=f"{found.model} kept {helped:.1f} threads busy: that is not one thread"
        )
    return _by_rmse(found) if found.metric == RMSE.key else _by_ranking(found)


def faster(match: Match, point: Point, phase: str) -> Ratio | None:
    """Return how many times as fast as one thread Spark was; None if either did not measure it."""
    assert match.single is not None
    both = medians(match.single, phase) and medians(point.trial, phase)
    return between(match.single, point.trial, phase) if both else None


def verdict(match: Match, phase: str) -> Verdict:
    """Find the least number of cores whose time is below one thread's.

    With five applications on both sides the whole 95% interval must be below it; an interval is of one shape by itself.
    """
    found = [
        (point.cores, ratio)
        for point in match.counted
        if (ratio := faster(match, point, phase)) is not None and ratio.ratio is not None
    ]
    if not found:
        return Verdict(phase, "refused")
    for cores, ratio in found:
        if _beats(ratio):
            return Verdict(phase, "reached", cores, ratio)
    cores, ratio = max(found, key=lambda item: item[1].ratio or 0.0)
    undecided = ratio.verdict == "indistinguishable"
    return Verdict(phase, "undecided" if undecided else "not reached", cores, ratio)


def curve(trials: Sequence[Outcome], metric: str) -> list[tuple[int, float, float]]:
    """Return (iterations, median seconds of a fit, quality) of one shape's trials, by iterations."""
    return sorted(
        (iterations(item), statistics.median(medians(item, "fit")), quality(item)[metric])
        for item in trials
        if metric in quality(item) and medians(item, "fit")
    )


def shapes(found: Rivals) -> Iterator[list[Outcome]]:
    """Yield Spark's trials of each shape, by cores."""
    sizes = sorted({item.size for item in found.sparks}, key=lambda size: (size.total_cores, size.workers))
    for size in sizes:
        yield [item for item in found.sparks if item.size == size]


def _beats(ratio: Ratio) -> bool:
    """Whether it is faster; of too few applications, which are a look, the ratio itself tells."""
    return ratio.verdict == "faster" or (ratio.verdict == "too few" and (ratio.ratio or 0.0) > 1.0)


def _smallest(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the trial of one thread with the fewest idle executors beside it."""
    return min(outcomes, key=lambda item: item.size.total_cores)


def _by_rmse(found: Rivals) -> Match:
    single = _smallest(found.singles)
    ours = quality(single)[RMSE.key]
    points = []
    for trial in (item for trials in shapes(found) for item in trials):
        theirs = quality(trial).get(RMSE.key)
        refused = untimed(trial)
        if theirs is None or abs(theirs - ours) > SAME_RMSE:
            shown = "none" if theirs is None else f"{theirs:.4f}"
            refused = f"its RMSE is {shown}, one thread's {ours:.4f}: more than {SAME_RMSE} apart"
        points.append(Point(trial, refused))
    return Match(found, single, points)


def _by_ranking(found: Rivals) -> Match:
    """Take of each shape the fewest iterations that reach what both sides can reach."""
    size = _smallest(found.singles).size
    alone = [item for item in found.singles if item.size == size]
    best = [
        max((quality(item)[found.metric] for item in side if found.metric in quality(item)), default=0.0)
        for side in (alone, found.sparks)
    ]
    target = SAME_NDCG * min(best)
    if target <= 0:
        return Match(found, None, [], refused="one of the two has no nDCG: set top_n and k")
    single = _first(alone, found.metric, target)
    assert single is not None
    points = []
    for trials in shapes(found):
        reached = _first(trials, found.metric, target)
        if reached is None:
            points.append(Point(trials[-1], f"none of its trials reached an nDCG of {target:.4f}"))
        else:
            points.append(Point(reached, untimed(reached)))
    return Match(found, single, points, target)


def _first(trials: Sequence[Outcome], metric: str, target: float) -> Outcome | None:
    enough = [item for item in trials if quality(item).get(metric, 0.0) >= target]
    return min(enough, key=iterations, default=None)
