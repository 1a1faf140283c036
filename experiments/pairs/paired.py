"""Student's t on the logarithms of paired ratios: which of two sides takes longer, and what could have been missed.

Each pair is two neighbouring applications, so whatever the host does to both (clock, neighbours, caches) cancels in
their ratio. Order alternates (A B, B A), so a steady drift meets both sides alike. Ratios of times are multiplicative:
their logarithm makes "twice" and "half" equally far, and the mean of few of them nearly normal. The t interval needs no
more than that, has an exact power function, and gives a verdict from five pairs on, where the bootstrap's interval is
too narrow and no rank test can reach 5% at all (2 of 32 signs is 6.25%).
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import optimize, stats

LEAST_PAIRS = 5
ALPHA = 0.05
POWER = 0.8

Verdict = Literal["faster", "slower", "indistinguishable", "too few"]


@dataclass(frozen=True)
class Timing:
    """What the pairs say of the seconds.

    Attributes:
        pairs: seconds of baseline and contender.
        ratio: contender's seconds over baseline's, the geometric mean of the pairs' ratios.
        low, high: its 95% interval; None with fewer than five pairs.
        slower_detectable, faster_detectable: the ratios that would have been found in 80 of 100 such comparisons.
    """

    pairs: Sequence[tuple[float, float]]
    ratio: float
    low: float | None = None
    high: float | None = None
    slower_detectable: float | None = None
    faster_detectable: float | None = None

    @property
    def verdict(self) -> Verdict:
        """What may be said of the contender."""
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
    logs = log_ratios(pairs)
    mean = statistics.fmean(logs)
    if len(logs) < LEAST_PAIRS:
        return Timing(pairs, math.exp(mean))
    error = statistics.stdev(logs) / math.sqrt(len(logs))
    reach = float(stats.t.ppf(1 - ALPHA / 2, len(logs) - 1)) * error
    least = detectable(error, len(logs))
    return Timing(
        pairs,
        math.exp(mean),
        math.exp(mean - reach),
        math.exp(mean + reach),
        math.exp(least),
        math.exp(-least),
    )


def log_ratios(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Return the logarithm of contender over baseline of each pair."""
    if not pairs:
        raise ValueError("no pair was measured")
    return [math.log(contender / baseline) for baseline, contender in pairs]


def detectable(error: float, pairs: int, power: float = POWER) -> float:
    """Return the mean log-ratio that a two-sided t test at 5% finds with this power.

    Args:
        error: standard error of the mean log-ratio.
        pairs: how many.
        power: share of such comparisons in which it is found, from the noncentral t distribution.
    """
    if error == 0:
        return 0.0
    free = pairs - 1
    reach = float(stats.t.ppf(1 - ALPHA / 2, free))

    def missing(shift: float) -> float:
        return float(stats.nct.sf(reach, free, shift)) - power

    return float(optimize.brentq(missing, 0.0, reach + 20.0)) * error


def called(logs: Any) -> Any:
    """Test many samples at once: the sign of each row's verdict (1 slower, -1 faster, 0 indistinguishable).

    Args:
        logs: (samples x pairs) log-ratios.
    """
    count = logs.shape[1]
    mean = logs.mean(axis=1)
    reach = float(stats.t.ppf(1 - ALPHA / 2, count - 1)) * logs.std(axis=1, ddof=1) / math.sqrt(count)
    return np.where(mean - reach > 0, 1, np.where(mean + reach < 0, -1, 0))
