"""Search for the highest rate that a stream keeps up with, between half of what it drains a second and all of it."""

from collections.abc import Mapping
from typing import NamedTuple

LOWEST, HIGHEST = 0.5, 1.0
"""Shares of the rate at which the stream drains a backlog: it keeps up with no more, and with less than half only if it is broken."""

STEPS = 5


class Bracket(NamedTuple):
    """Highest rate that was kept up with, and the lowest that was not; None where no trial says so."""

    sustained: float | None
    failed: float | None


def next_rate(drained: float, kept_up: Mapping[float, bool]) -> float | None:
    """Return the rate to try next, None when there are enough trials.

    Args:
        drained: messages a second at which the stream drains a backlog.
        kept_up: for each rate that was tried whether the stream kept up with it.
    """
    if len(kept_up) >= STEPS:
        return None
    found = bracket(kept_up)
    low = found.sustained if found.sustained is not None else LOWEST * drained
    high = found.failed if found.failed is not None else HIGHEST * drained
    return (low + high) / 2


def bracket(kept_up: Mapping[float, bool]) -> Bracket:
    """Return what the trials say.

    A stream that kept up with a rate and not with a lower one was disturbed once: the lower one counts, which claims less.
    """
    failed = min((rate for rate, kept in kept_up.items() if not kept), default=None)
    below = [rate for rate, kept in kept_up.items() if kept and (failed is None or rate < failed)]
    return Bracket(max(below, default=None), failed)
