"""Delays between when messages were due and when they were handed to the client, as quantiles in bounded memory."""

import math
from collections.abc import Sequence

import numpy as np

_STEPS = 64  # of each doubling: a quantile is at most 1.1% too large
_LEAST_S = 1e-6
_DOUBLINGS = 40


class Delays:
    """Histogram of delays in logarithmic steps."""

    def __init__(self) -> None:
        self._counts = np.zeros(_STEPS * _DOUBLINGS, dtype=np.int64)
        self.longest_s = 0.0

    def add(self, due: Sequence[float], handed: float) -> None:
        """Note messages that were due at these times (seconds) and all handed over by one later time."""
        delays = handed - np.asarray(due)
        self.longest_s = max(self.longest_s, float(delays.max()))
        steps = np.log2(np.maximum(delays, _LEAST_S) / _LEAST_S) * _STEPS
        self._counts += np.bincount(
            np.minimum(steps.astype(np.int64), len(self._counts) - 1), minlength=len(self._counts)
        )

    def quantile(self, share: float) -> float:
        """Return the seconds that this share of the messages did not exceed; 0 if there are none."""
        total = int(self._counts.sum())
        if not total:
            return 0.0
        step = int(np.searchsorted(np.cumsum(self._counts), math.ceil(share * total)))
        return min(_LEAST_S * 2 ** ((step + 1) / _STEPS), self.longest_s)
