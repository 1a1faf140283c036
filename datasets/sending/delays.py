"""Delays between when messages were due and when they were handed to the client, as quantiles in bounded memory."""

import math
from collections.abc import Sequence

import numpy as np

_STEPS = 64  # of each doubling: a quantile is at most 1.1% too large
_LEAST_S = 1e-6
_DOUBLINGS = 40
_TOGETHER = 2048


class Delays:
    """Histogram of delays in logarithmic steps.

    They are counted some thousands at a time: a few at a time would take longer than the messages themselves.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_STEPS * _DOUBLINGS, dtype=np.int64)
        self._longest_s = 0.0
        self._noted: list[tuple[Sequence[float], float]] = []
        self._uncounted = 0

    def add(self, due: Sequence[float], handed: float) -> None:
        """Note messages that were due at these times (seconds) and all handed over by one later time."""
        self._noted.append((due, handed))
        self._uncounted += len(due)
        if self._uncounted >= _TOGETHER:
            self._count()

    def _count(self) -> None:
        if not self._noted:
            return
        sizes = [len(due) for due, _ in self._noted]
        delays = np.repeat([handed for _, handed in self._noted], sizes) - np.concatenate(
            [due for due, _ in self._noted]
        )
        self._longest_s = max(self._longest_s, float(delays.max()))
        steps = np.log2(np.maximum(delays, _LEAST_S) / _LEAST_S) * _STEPS
        self._counts += np.bincount(
            np.minimum(steps.astype(np.int64), len(self._counts) - 1), minlength=len(self._counts)
        )
        self._noted, self._uncounted = [], 0

    @property
    def longest_s(self) -> float:
        """The longest delay in seconds; 0 if there are none."""
        self._count()
        return self._longest_s

    def quantile(self, share: float) -> float:
        """Return the seconds that this share of the messages did not exceed; 0 if there are none."""
        self._count()
        total = int(self._counts.sum())
        if not total:
            return 0.0
        step = int(np.searchsorted(np.cumsum(self._counts), math.ceil(share * total)))
        return min(_LEAST_S * 2 ** ((step + 1) / _STEPS), self.longest_s)
