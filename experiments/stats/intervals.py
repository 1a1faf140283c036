"""The one policy of intervals: which number is given one, how, and what it holds.

* A trial's own seconds: the median of its applications, between interpolated order statistics (Hettmansperger and
  Sheather, Confidence intervals based on interpolated order statistics, Statistics & Probability Letters 4, 1986). It
  needs no shape of the noise, only that applications vary independently; where the host drifts nothing is promised.
* A ratio of two trials that took turns: Student's t over the logarithms of the ratios of the same rounds. What the host
  does to a whole round cancels; ratios of times are multiplicative, so that logarithms make "twice" and "half" equally far.
* A ratio of two trials that did not: t over the logarithms of both, variances not pooled, with the degrees of freedom
  of the smaller sample, which is too wide rather than too narrow. A drift of the host between the two is not in it.

What could have been missed is reckoned with the upper bound of the spread (`upper_bound`, `detectable`): five values know little of it.

How often each holds the truth is simulated in tests/unit/test_experiments_intervals.py; reasons: docs/adr/0017-intervals.md.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special  # every command imports this, and scipy.stats takes several times as long

LEVEL = 0.95
ALPHA = 1 - LEVEL
POWER = 0.8
LEAST_FOR_INTERVAL = 5
"""Applications, rounds or pairs from which on there is an interval."""


def interval(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """Return the interval of the median; None twice for fewer than five values.

    With five it reaches from the least to the most, which holds the median in 93.75% of samples: no interval between
    order statistics of five values can do better.
    """
    if len(values) < LEAST_FOR_INTERVAL:
        return None, None
    inner, share = _between(len(values))
    ordered = sorted(values)
    low, high = ((1 - share) * end[inner - 1] + share * end[inner] for end in (ordered, ordered[::-1]))
    return low, high


def ratio(
    above: Sequence[float], below: Sequence[float], *, paired: bool
) -> tuple[float, float | None, float | None]:
    """Return the ratio of the geometric means, with its interval where both sides have five values.

    Args:
        above: seconds.
        below: those that they are divided by.
        paired: whether values at the same place were measured in the same round.
    """
    sides = [np.asarray(side, dtype=float) for side in (above, below)]
    logs = [np.log(sides[0] / sides[1])] if paired else [np.log(side) for side in sides]
    weights = (1.0, -1.0)[: len(logs)]
    middle = sum(weight * float(sample.mean()) for weight, sample in zip(weights, logs, strict=True))
    if min(len(above), len(below)) < LEAST_FOR_INTERVAL:
        return math.exp(middle), None, None
    away = float(reach(*error(weights, logs, paired=paired)))
    return math.exp(middle), math.exp(middle - away), math.exp(middle + away)


def error(weights: Sequence[float], logs: Sequence[Any], *, paired: bool) -> tuple[Any, int]:
    """Return the standard error of a weighted sum of means, and its degrees of freedom.

    Args:
        weights: one for each sample.
        logs: logarithms of seconds, an array for each sample, values along its last axis.
        paired: whether values at the same place are of the same round; the error is then that of the rounds' own sums.
    """
    parts = [weight * sample for weight, sample in zip(weights, logs, strict=True)]
    if paired:
        parts = [np.sum(parts, axis=0)]
    counts = [part.shape[-1] for part in parts]
    variances = [part.var(axis=-1, ddof=1) / count for part, count in zip(parts, counts, strict=True)]
    return np.sqrt(np.sum(variances, axis=0)), min(counts) - 1


def reach(error: Any, free: int, level: float = LEVEL) -> Any:
    """Return how far an interval goes to each side of its middle."""
    return _quantile(free, level) * error


def upper_bound(error: float, free: int) -> float:
    """Return the upper 95% bound of a standard error that was estimated itself, if what it is of is about normal.

    Args:
        error: as estimated.
        free: its degrees of freedom.
    """
    return error * math.sqrt(free / float(special.chdtri(free, LEVEL)))


def detectable(error: float, count: int, power: float = POWER) -> float:
    """Return the mean log-ratio that a two-sided t test at 5% finds with this power.

    Args:
        error: standard error of the mean log-ratio, as if it were known (`upper_bound`).
        count: pairs, or values of the smaller sample.
        power: share of such comparisons in which it is found, from the noncentral t distribution.
    """
    free = count - 1
    return float(special.nctdtrinc(free, 1 - power, reach(1.0, free))) * error


@lru_cache(maxsize=256)
def _quantile(free: int, level: float) -> float:
    return float(special.stdtrit(free, (1 + level) / 2))


@lru_cache(maxsize=256)
def _between(count: int) -> tuple[int, float]:
    """Return the place of the outer order statistic, counted from 1, and how far to go from it to the next one inside."""
    held = [1 - 2 * float(special.bdtr(place - 1, count, 0.5)) for place in range(1, count // 2 + 2)]
    place = sum(share >= LEVEL for share in held)
    if place == 0:
        return 1, 0.0
    outer, inner = held[place - 1], held[place]
    part = (outer - LEVEL) / (outer - inner)
    return place, (count - place) * part / (place + (count - 2 * place) * part)
