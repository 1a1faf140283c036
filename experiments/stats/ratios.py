"""Ratios of two trials' seconds: of the same rounds where they took turns, else of two independent samples, which is said."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from experiments.metric_names import TOTAL
from experiments.results.metrics import by_round, medians, typical
from experiments.results.outcome import Outcome
from experiments.stats.intervals import LEAST_FOR_INTERVAL, ratio

_NOT_PAIRED = "not paired, but compared as independent samples, so that a change of the host between them would look like theirs"
_LEFT_OUT = "applications without a counterpart in the same round are left out of the ratio"


@dataclass(frozen=True)
class Ratio:
    """Ratio that says how many times faster the second of two is.

    Attributes:
        ratio: of the geometric means of seconds; None where it is not claimed.
        low, high: 95% interval; None with fewer than five rounds or applications.
        refused: why it is not claimed.
        tag: the worse one of the two shapes'.
        changed: how the model changed between the two, where a person asked for the ratio nevertheless.
        unpaired: why the two are taken as independent samples; None where they are paired.
        left_out: applications that have no counterpart in the other trial's rounds and are not used.
    """

    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    refused: str | None = None
    tag: str = "clean"
    changed: str | None = None
    unpaired: str | None = None
    left_out: int = 0


def between(first: Outcome, second: Outcome, phase: str = TOTAL) -> Ratio:
    """Return how many times as fast the second trial's phase is; both have measured it.

    The rounds that both ran in are paired, if there are five, or if no other applications are left.
    """
    left, right = by_round(first, phase), by_round(second, phase)
    shared = [name for name in left if name in right]
    whole = medians(first, phase), medians(second, phase)
    alone = sum(map(len, whole)) - 2 * len(shared)
    if len(shared) >= LEAST_FOR_INTERVAL or (shared and not alone):
        return _paired([left[name] for name in shared], [right[name] for name in shared], left_out=alone)
    why = f"{len(shared)} of their rounds are the same" if left and right else "their rounds are not known"
    return Ratio(*ratio(*whole, paired=False), unpaired=why)


def within(outcome: Outcome, first: str, second: str) -> Ratio | None:
    """Return how many times as fast the second phase is as the first of the same application; None if none has both."""
    found = [(typical(item, first), typical(item, second)) for item in outcome.measured]
    pairs = [(above, below) for above, below in found if above is not None and below is not None]
    return _paired(*zip(*pairs, strict=True), left_out=0) if pairs else None


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


def _paired(above: Sequence[float], below: Sequence[float], *, left_out: int) -> Ratio:
    return Ratio(*ratio(above, below, paired=True), left_out=left_out)
