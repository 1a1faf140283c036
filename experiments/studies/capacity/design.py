"""Choice of the runs that give most information about the terms for each second that they take.

Ernest chooses by optimal experiment design under a budget (section 3.4); there a convex program, here its greedy form.
F. Pukelsheim, "Optimal Design of Experiments", SIAM 2006, chapter 6, has the D-criterion: the determinant of the
information matrix, whose square root is inverse to the volume of the coefficients' confidence region.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_RIDGE = 1e-6


@dataclass(frozen=True)
class Choice:
    """One chosen candidate: its place among the candidates, its gain in log det, its cost in seconds."""

    index: int
    gain: float
    cost: float


def choose(
    columns: Any, costs: Sequence[float], budget: float, most: int, start: Sequence[int] = ()
) -> list[Choice]:
    """Choose greedily by gain in log det of the information matrix for each second, within the budget.

    Args:
        columns: (candidates, terms); each term is scaled by its largest value, so that all count alike.
        costs: seconds that each candidate takes, all above 0.
        budget: seconds for all of them together.
        most: the largest number of choices.
        start: candidates that are always taken, and paid from the budget.

    Returns:
        The choices in order, those of `start` first.
    """
    matrix = np.asarray(columns, dtype=float)
    matrix = matrix / np.maximum(matrix.max(axis=0), np.finfo(float).tiny)
    inverse = np.eye(matrix.shape[1]) / _RIDGE
    chosen: list[Choice] = []
    left = budget
    waiting = list(range(len(matrix)))
    while waiting and len(chosen) < most:
        gains = {index: float(np.log1p(matrix[index] @ inverse @ matrix[index])) for index in waiting}
        index = _next(waiting, start, gains, costs, left)
        if index is None:
            break
        chosen.append(Choice(index, gains[index], costs[index]))
        waiting.remove(index)
        left -= costs[index]
        step = inverse @ matrix[index]
        inverse -= np.outer(step, step) / (1.0 + matrix[index] @ step)
    return chosen


def _next(
    waiting: Sequence[int], start: Sequence[int], gains: dict[int, float], costs: Sequence[float], left: float
) -> int | None:
    first = next((index for index in start if index in waiting), None)
    if first is not None:
        return first
    affordable = [index for index in waiting if costs[index] <= left]
    return max(affordable, key=lambda index: gains[index] / costs[index], default=None)
