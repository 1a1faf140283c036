"""The answer to which of two takes longer: the ratio of their seconds, how sure it is, and what could have been missed.

Seconds of the same rounds are paired: whatever the host does to both (clock, neighbours, caches) cancels in their ratio.
Which comes first is random and balanced (`experiments.run.turns`), so a steady drift meets both sides alike and no rhythm
of the host meets always the same one. Without common rounds the two are independent samples, which is said. Both intervals
are those of `experiments.stats.intervals`: they have an exact power function and give a verdict from five values on, where the
bootstrap's interval is too narrow and no rank test can reach 5% at all (2 of 32 signs is 6.25%).
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from experiments.metric_table import TOTAL
from experiments.results.metrics import by_round, medians, typical
from experiments.results.outcome import Outcome
from experiments.stats.intervals import (
    LEAST_FOR_INTERVAL,
    detectable,
    error,
    ratio,
    reach,
    upper_bound,
)

LEAST_PAIRS = LEAST_FOR_INTERVAL
_NOT_PAIRED = "not paired, but compared as independent samples, so that a change of the host between them would look like theirs"
_LEFT_OUT = "applications without a counterpart in the same round are left out of the ratio"

Verdict = Literal["faster", "slower", "indistinguishable", "too few", "refused"]
Direction = Literal["as fast", "as long"]


@dataclass(frozen=True)
class Ratio:
    """Ratio of the seconds of two, of which the second (the contender) is judged.

    Attributes:
        ratio: of the geometric means of seconds: how many times "as fast" or "as long"; None where it is not claimed.
        low, high: 95% interval; None with fewer than five rounds or applications.
        count: rounds, or applications of the one that has fewer.
        direction: "as fast" is the first's seconds over the second's, "as long" the second's over the first's.
        refused: why it is not claimed.
        tag: the worse one of the two shapes'.
        changed: how the model changed between the two, where a person asked for the ratio nevertheless.
        unpaired: why the two are taken as independent samples; None where they are paired.
        left_out: applications that have no counterpart in the other trial's rounds and are not used.
        pairs: seconds of the first and of the second in each round; empty where they are not paired.
    """

    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0
    direction: Direction = "as fast"
    refused: str | None = None
    tag: str = "clean"
    changed: str | None = None
    unpaired: str | None = None
    left_out: int = 0
    pairs: Sequence[tuple[float, float]] = ()

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends; None where there is no interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def verdict(self) -> Verdict:
        """Verdict on the second."""
        return self.beyond(0.0)

    def beyond(self, tolerance: float) -> Verdict:
        """Say "slower" or "faster" only if the whole interval lies beyond this share (0.05: 5% more or less time)."""
        if self.ratio is None:
            return "refused"
        if self.low is None or self.high is None:
            return "too few"
        more: Verdict = "faster" if self.direction == "as fast" else "slower"
        less: Verdict = "slower" if self.direction == "as fast" else "faster"
        if self.low > 1 + tolerance:
            return more
        return less if self.high < 1 / (1 + tolerance) else "indistinguishable"

    @property
    def turned(self) -> "Ratio":
        """The same in the other direction: how many times as long, from how many times as fast."""
        ends = (None if end is None else 1 / end for end in (self.ratio, self.high, self.low))
        ratio, low, high = ends
        direction: Direction = "as long" if self.direction == "as fast" else "as fast"
        return dataclasses.replace(self, ratio=ratio, low=low, high=high, direction=direction)

    def scaled(self, work: float) -> "Ratio":
        """Return it for a second that did so many times the work of the first."""
        ends = (None if end is None else end * work for end in (self.ratio, self.low, self.high))
        ratio, low, high = ends
        return dataclasses.replace(self, ratio=ratio, low=low, high=high)

    @property
    def slower_detectable(self) -> float | None:
        """The second's seconds over the first's that at least 80 of 100 such comparisons would have found; None without interval.

        From the upper 95% bound of the spread, because five values know little of it.
        """
        if self.low is None or self.high is None:
            return None
        free = self.count - 1
        own = math.log(self.high / self.low) / 2 / float(reach(1.0, free))
        return math.exp(detectable(upper_bound(own, free), self.count))

    @property
    def faster_detectable(self) -> float | None:
        """As `slower_detectable`, for a second that takes less time."""
        found = self.slower_detectable
        return None if found is None else 1 / found

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON, its verdict included, without the pairs."""
        own = {
            item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "pairs"
        }
        return own | {
            "verdict": self.verdict,
            "slower_detectable": self.slower_detectable,
            "faster_detectable": self.faster_detectable,
        }


def of_pairs(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """Return how many times as long the second of each pair (baseline, contender) takes.

    Raises:
        ValueError: no pair, or seconds that are not positive.
    """
    log_ratios(pairs)  # refuses what has no logarithm
    return _paired(pairs, "as long")


def between(first: Outcome, second: Outcome, phase: str = TOTAL) -> Ratio:
    """Return how many times as fast the second trial's phase is; both have measured it.

    The rounds that both ran in are paired, if there are five, or if no other applications are left.
    """
    left, right = by_round(first, phase), by_round(second, phase)
    shared = [name for name in left if name in right]
    whole = medians(first, phase), medians(second, phase)
    alone = sum(map(len, whole)) - 2 * len(shared)
    if len(shared) >= LEAST_FOR_INTERVAL or (shared and not alone):
        return _paired([(left[name], right[name]) for name in shared], left_out=alone)
    why = f"{len(shared)} of their rounds are the same" if left and right else "their rounds are not known"
    return Ratio(*ratio(*whole, paired=False), count=min(map(len, whole)), unpaired=why)


def within(outcome: Outcome, first: str, second: str) -> Ratio | None:
    """Return how many times as fast the second phase is as the first of the same application; None if none has both."""
    found = [(typical(item, first), typical(item, second)) for item in outcome.measured]
    pairs = [(above, below) for above, below in found if above is not None and below is not None]
    return _paired(pairs) if pairs else None


def notes(found: Iterable[tuple[str, Ratio]]) -> Iterator[str]:
    """Say once for all of the same reason whose ratios are not paired, or leave applications out.

    Args:
        found: names of what is compared, and the ratios; those without an interval claim nothing and need no note.
    """
    reasons: dict[str, list[str]] = {}
    for name, item in found:
        if item.low is not None and item.unpaired:
            reasons.setdefault(f"{_NOT_PAIRED} ({item.unpaired})", []).append(name)
        elif item.low is not None and item.left_out:
            reasons.setdefault(_LEFT_OUT, []).append(f"{name} ({item.left_out})")
    yield from (f"{text}: {', '.join(dict.fromkeys(names))}" for text, names in reasons.items())


def log_ratios(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Return the logarithm of contender over baseline of each pair."""
    if not pairs:
        raise ValueError("no pair was measured")
    return [math.log(contender / baseline) for baseline, contender in pairs]


def called(logs: Any) -> Any:
    """Test many samples at once: the sign of each row's verdict (1 slower, -1 faster, 0 indistinguishable).

    Args:
        logs: (samples x pairs) log-ratios.
    """
    mean = logs.mean(axis=1)
    away = reach(*error((1.0,), [logs], paired=True))
    return np.where(mean - away > 0, 1, np.where(mean + away < 0, -1, 0))


def _paired(
    pairs: Sequence[tuple[float, float]], direction: Direction = "as fast", *, left_out: int = 0
) -> Ratio:
    first, second = zip(*pairs, strict=True)
    sides = (first, second) if direction == "as fast" else (second, first)
    return Ratio(*ratio(*sides, paired=True), len(pairs), direction, left_out=left_out, pairs=pairs)
