"""Time of the tasks together without one of their costs.

The method is blocked-time analysis (Ousterhout, Rasti, Ratnasamy, Shenker, Chun: Making Sense of Performance in Data
Analytics Frameworks, NSDI 2015): take the time that a cause cost off each task and place the tasks again, in the order in
which they were launched, on as many slots.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


def makespan(seconds: Any, slots: int) -> float:
    """Return when the last of some tasks ends if each goes to the slot that is free first."""
    if len(seconds) <= slots:
        return float(np.max(seconds, initial=0.0))
    if slots == 1:
        return float(np.sum(seconds))
    rest = seconds.tolist()
    free = sorted(rest[:slots])
    for one in rest[slots:]:
        heapq.heapreplace(free, free[0] + one)
    return float(max(free))


@dataclass(frozen=True)
class Block:
    """Stages that ran at the same time, after all earlier ones and before all later ones.

    Attributes:
        start, end: of the first and the last of its tasks.
        rows: their places in the table of tasks, in the order of their launch.
    """

    start: float
    end: float
    rows: Any

    @property
    def seconds(self) -> float:
        """From its start to its end."""
        return self.end - self.start


def blocks(launch: Any, finish: Any, stage: Any) -> Iterator[Block]:
    """Yield the blocks of some tasks in the order of time."""
    if not len(launch):
        return
    _, number = np.unique(stage, return_inverse=True)
    count = int(number.max()) + 1
    first, last = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(first, number, launch)
    np.maximum.at(last, number, finish)
    order = np.argsort(first, kind="stable")
    ends = np.maximum.accumulate(last[order])
    begins = np.concatenate([[True], first[order][1:] >= ends[:-1]])
    block_of_stage = np.empty(count, dtype=int)
    block_of_stage[order] = np.cumsum(begins) - 1
    by_time = np.lexsort((launch, block_of_stage[number]))
    of_task = block_of_stage[number][by_time]
    for rows in np.split(by_time, np.flatnonzero(np.diff(of_task)) + 1):
        yield Block(float(launch[rows].min()), float(finish[rows].max()), rows)


def equalised(seconds: Any, stage: Any) -> Any:
    """Return the times as they would be if all tasks of a stage took equally long."""
    _, number = np.unique(stage, return_inverse=True)
    return (np.bincount(number, weights=seconds) / np.bincount(number))[number]


def seconds_saved(block: Block, seconds: Any, cost: Any, slots: int) -> float:
    """Return the seconds by which a block would be shorter if none of its tasks had a cost."""
    base = makespan(seconds, slots)
    if base <= 0 or not np.any(cost > 0):
        return 0.0
    return block.seconds * max(0.0, 1 - makespan(np.maximum(seconds - cost, 0.0), slots) / base)


def imbalance(seconds: Any, stage: Any, slots: int) -> tuple[float, float]:
    """Return the seconds that a block's tasks take beyond perfectly shared work: for being unequal, and for being too few.

    Equal tasks would remove the first; any number of tasks would remove the second.
    """
    equal = makespan(equalised(seconds, stage), slots)
    unequal = max(0.0, makespan(seconds, slots) - equal)
    return unequal, max(0.0, equal - float(np.sum(seconds)) / slots)
