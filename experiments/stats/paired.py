"""Student's t on the logarithms of paired ratios: which of two sides takes longer, and what could have been missed.

Each pair is two neighbouring applications, so whatever the host does to both (clock, neighbours, caches) cancels in
their ratio. Which comes first is random and balanced (`experiments.run.turns`), so a steady drift meets both sides alike and
no rhythm of the host meets always the same one. The interval is that of all paired ratios (`experiments.stats.intervals`); it
has an exact power function and gives a verdict from five pairs on, where the bootstrap's interval is too narrow and no
rank test can reach 5% at all (2 of 32 signs is 6.25%).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import optimize, stats

from experiments.stats.intervals import LEAST_FOR_INTERVAL, LEVEL, error, ratio, reach

LEAST_PAIRS = LEAST_FOR_INTERVAL
ALPHA = 1 - LEVEL
POWER = 0.8

Verdict = Literal["faster", "slower", "indistinguishable", "too few"]


@dataclass(frozen=True)
class Timing:
    """Timing results of the pairs.

    Attributes:
        pairs: seconds of baseline and contender.
        ratio: contender's seconds over baseline's, the geometric mean of the pairs' ratios.
        low, high: its 95% interval; None with fewer than five pairs.
        slower_detectable, faster_detectable: the ratios that would have been found in at least 80 of 100 such comparisons,
            from the upper 95% bound of the pairs' spread: five pairs know little of it.
    """

    pairs: Sequence[tuple[float, float]]
    ratio: float
    low: float | None = None
    high: float | None = None
    slower_detectable: float | None = None
    faster_detectable: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Verdict on the contender."""
        return self.beyond(0.0)

    def beyond(self, tolerance: float) -> Verdict:
        """Say "slower" or "faster" only if the whole interval lies beyond this share (0.05: 5% more or less time)."""
        if self.low is None or self.high is None:
            return "too few"
        if self.low > 1 + tolerance:
            return "slower"
        return "faster" if self.high < 1 / (1 + tolerance) else "indistinguishable"


def timing(pairs: Sequence[tuple[float, float]]) -> Timing:
    """Compare the seconds of the pairs (baseline, contender).

    Raises:
        ValueError: no pair, or seconds that are not positive.
    """
    logs = np.asarray(log_ratios(pairs))
    found = ratio(*zip(*((contender, baseline) for baseline, contender in pairs), strict=True), paired=True)
    if len(logs) < LEAST_PAIRS:
        return Timing(pairs, *found)
    own, free = error((1.0,), [logs], paired=True)
    least = detectable(upper_bound(float(own), free), len(logs))
    return Timing(pairs, *found, math.exp(least), math.exp(-least))


def log_ratios(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Return the logarithm of contender over baseline of each pair."""
    if not pairs:
        raise ValueError("no pair was measured")
    return [math.log(contender / baseline) for baseline, contender in pairs]


def upper_bound(error: float, free: int) -> float:
    """Return the upper 95% bound of a standard error that was estimated itself, if what it is of is about normal.

    Args:
        error: as estimated.
        free: its degrees of freedom.
    """
    return error * math.sqrt(free / float(stats.chi2.ppf(ALPHA, free)))


def detectable(error: float, pairs: int, power: float = POWER) -> float:
    """Return the mean log-ratio that a two-sided t test at 5% finds with this power.

    Args:
        error: standard error of the mean log-ratio, as if it were known (`upper_bound`).
        pairs: how many.
        power: share of such comparisons in which it is found, from the noncentral t distribution.
    """
    if error == 0:
        return 0.0
    free = pairs - 1
    far = float(reach(1.0, free))

    def missing(shift: float) -> float:
        return float(stats.nct.sf(far, free, shift)) - power

    return float(optimize.brentq(missing, 0.0, far + 20.0)) * error


def called(logs: Any) -> Any:
    """Test many samples at once: the sign of each row's verdict (1 slower, -1 faster, 0 indistinguishable).

    Args:
        logs: (samples x pairs) log-ratios.
    """
    mean = logs.mean(axis=1)
    away = reach(*error((1.0,), [logs], paired=True))
    return np.where(mean - away > 0, 1, np.where(mean + away < 0, -1, 0))
