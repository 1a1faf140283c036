"""Does a stream keep up with a rate? The verdict on one trial in which messages came at that rate, whatever the stream did.

A stream keeps up if it does not fall behind: the upper bound of the slope of its lag is at most a hundredth of the rate. A lag
that grows more slowly than that cannot be told from one that stays in the minutes that a trial lasts. It must be in time as well, the
messages must have come at the rate that was asked for, and each must be where it belongs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from core.errors import JobError
from core.units import time_text

LEAST_POINTS = 30
"""Batches that a trial must have measured."""

_LEVEL = 0.95
_MOST_ALIKE = 0.95


class Slope(NamedTuple):
    """Messages a second by which a lag grows, and the upper 95% bound of that."""

    value: float
    upper: float


@dataclass(frozen=True)
class Limits:
    """Limits of what counts as keeping up.

    Attributes:
        latency_s: seconds from the intended sending of a message to its row, of 99% of them.
        delay_s: seconds from the intended sending to the handing over to Kafka's client, of 99%: later, the generator itself was late.
        off: share by which the rate of acknowledged messages may differ from the one asked for.
        slope: share of the rate by which the lag may grow.
    """

    latency_s: float
    delay_s: float = 0.010
    off: float = 0.005
    slope: float = 0.01


@dataclass(frozen=True)
class Observed:
    """One trial as it was measured, after its warm-up.

    Attributes:
        rate: messages a second that were asked for.
        achieved: messages a second that were handed to Kafka's client, and acknowledged in the end: what brokers take longer for is part
            of lag and latency, which count from the intended sending.
        times, lags: when batches ended, in seconds from any moment, and the messages that were then behind: the end of the topic's
            partitions less what was committed.
        latency_p99_s: from the intended sending of a message to its row.
        delay_p99_s: from the intended sending to the handing over to Kafka's client.
        differences: what the reconciliation found; empty if everything is where it belongs.
    """

    rate: float
    achieved: float
    times: Sequence[float]
    lags: Sequence[float]
    latency_p99_s: float
    delay_p99_s: float
    differences: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """Verdict on one rate.

    Attributes:
        sustained: whether the stream keeps up with it.
        slope: of the lag.
        reasons: why it does not, a clause each; empty if it does.
        void: whether the trial says nothing of the stream: the generator was not able to send at that rate, or there are too few
            batches to tell.
    """

    sustained: bool
    slope: Slope
    reasons: tuple[str, ...]
    void: bool = False


def slope(times: Sequence[float], lags: Sequence[float]) -> Slope:
    """Return by how much a lag grows a second.

    Lags of batches that follow one another are alike, so that they say less than as many independent ones: the degrees of freedom are
    those of n (1 - r) / (1 + r) values, r the correlation of a residual with the next (Bayley and Hammersley, The "effective" number of
    independent observations in an autocorrelated time series, 1946). Where the host drifts nothing is promised.

    Args:
        times: seconds, at least three different ones.
        lags: messages, as many.

    Raises:
        JobError: there are too few to tell.
    """
    x, y = np.asarray(times, dtype=float), np.asarray(lags, dtype=float)
    if len(x) != len(y) or len(np.unique(x)) < 3:
        raise JobError(
            f"the growth of a lag needs three batches or more, got {len(x)}: let the trial last longer, or the trigger be shorter"
        )
    centred = x - x.mean()
    spread = float(centred @ centred)
    value = float(centred @ y) / spread
    residuals = y - y.mean() - value * centred
    square = float(residuals @ residuals)
    if square <= 1e-18 * float(y @ y):
        return Slope(value, value)
    alike = float(residuals[1:] @ residuals[:-1]) / square
    alike = min(max(alike, 0.0), _MOST_ALIKE)
    count = max(3.0, len(x) * (1 - alike) / (1 + alike))
    error = math.sqrt(square / (count - 2) / spread * len(x) / count)
    return Slope(value, value + float(special.stdtrit(count - 2, _LEVEL)) * error)


def judge(observed: Observed, limits: Limits) -> Verdict:
    """Return the verdict on a trial.

    Raises:
        JobError: there are too few batches to tell.
    """
    grows = slope(observed.times, observed.lags)
    late = lateness(observed.rate, observed.achieved, observed.delay_p99_s, limits)
    if late:
        return Verdict(False, grows, late, void=True)
    reasons = []
    if grows.upper > limits.slope * observed.rate:
        reasons.append(
            f"the lag may grow by {grows.upper:,.0f} messages a second, and {limits.slope:.0%} of the rate is "
            f"{limits.slope * observed.rate:,.0f}"
        )
    if observed.latency_p99_s > limits.latency_s:
        reasons.append(
            f"99% of the rows were there within {time_text(observed.latency_p99_s)} (limit {time_text(limits.latency_s)})"
        )
    reasons += [f"messages are not where they belong: {one}" for one in observed.differences]
    if not reasons and len(observed.times) < LEAST_POINTS:
        few = f"{len(observed.times)} batches were measured, and {LEAST_POINTS} are needed to tell"
        return Verdict(False, grows, (few,), void=True)
    return Verdict(not reasons, grows, tuple(reasons))


def lateness(rate: float, achieved: float, delay_p99_s: float, limits: Limits) -> tuple[str, ...]:
    """Return why a generator was not able to send at a rate, so that the trial says nothing of the stream; empty if it was.

    Args:
        rate: messages a second that were asked for.
        achieved: messages a second that were sent.
        delay_p99_s: from the intended sending to the handing over to Kafka's client, of 99%.
        limits: of both.
    """
    late = []
    if delay_p99_s > limits.delay_s:
        late.append(
            f"99% of the messages were handed over up to {time_text(delay_p99_s)} after their time (limit "
            f"{time_text(limits.delay_s)})"
        )
    if abs(achieved / rate - 1) > limits.off:
        late.append(f"{achieved:,.0f} a second were sent, not {rate:,.0f}")
    return tuple(late)
