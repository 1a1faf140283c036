"""Cores and running tasks over time."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

BINS = 300  # a picture of 7.5 inches shows no more


@dataclass
class Cores:
    """The executors that came and went.

    Attributes:
        start: when the application began.
        wanted: cores that the application asked for (`spark.cores.max`), 0 if that is not known.
        of_task: cores that one task takes (`spark.task.cpus`).
        lost_one: an executor went before the application ended.
    """

    start: float = 0.0
    wanted: float = 0.0
    of_task: float = 1.0
    lost_one: bool = False
    _steps: list[tuple[float, float]] = field(default_factory=list)
    _present: dict[str, float] = field(default_factory=dict)

    def add(self, executor: str, at: float, cores: float) -> None:
        """Note an executor that registered."""
        self._present[executor] = cores
        self._steps.append((at, cores))

    def remove(self, executor: str, at: float) -> None:
        """Note an executor that is gone; an unknown one changes nothing."""
        self._steps.append((at, -self._present.pop(executor, 0.0)))
        self.lost_one = True

    def at(self, begin: float) -> "Cores":
        """Return a copy that begins at a time, with the executors that are there now."""
        found = Cores(begin, self.wanted, self.of_task)
        for name, cores in self._present.items():
            found.add(name, begin, cores)
        return found

    @property
    def executors(self) -> int:
        """Number of executors now."""
        return len(self._present)

    @property
    def wanted_slots(self) -> float:
        """Number of tasks that the requested cores run at a time."""
        return self.wanted // self.of_task

    def slots(self, at: Any) -> Any:
        """Return how many tasks can run at each of some times."""
        steps = sorted(self._steps)
        levels = np.concatenate([[0.0], np.cumsum([cores for _, cores in steps])])
        found = levels[np.searchsorted([time for time, _ in steps], at, side="right")]
        return np.floor(found / self.of_task)

    @property
    def changes(self) -> Any:
        """The times at which executors came or went."""
        return np.asarray([time for time, _ in self._steps])


@dataclass(frozen=True)
class Levels:
    """Levels between consecutive points in time; `points` has one entry more than the others.

    Attributes:
        busy: running tasks, at most the slots.
        slots: tasks that can run.
        waiting: stages of which some tasks have begun and others have not.
    """

    points: Any
    busy: Any
    slots: Any
    waiting: Any

    def area(self, height: Any) -> float:
        """Return the integral of a quantity that has a value for each interval."""
        return float(np.sum(np.diff(self.points) * height))

    def between(self, height: Any, start: Any, end: Any) -> Any:
        """Return the integrals of such a quantity from each start to its end."""
        summed = np.concatenate([[0.0], np.cumsum(np.diff(self.points) * height)])
        return np.interp(end, self.points, summed) - np.interp(start, self.points, summed)


def levels(tasks: Any, cores: Cores, start: float, end: float) -> Levels:
    """Return what ran from `start` to `end`, from the intervals of the tasks alone.

    The CPU time that JVMs report is not used, because it lacks that of Python workers.
    """
    launch, finish = np.sort(tasks["launch"]), np.sort(tasks["finish"])
    first, last = _launches(tasks)
    every = np.concatenate([launch, finish, cores.changes])
    points = np.unique(np.concatenate([[start, end], every[(every > start) & (every < end)]]))
    at = points[:-1]
    running = np.searchsorted(launch, at, "right") - np.searchsorted(finish, at, "right")
    slots = cores.slots(at)
    if not len(cores.changes):  # a log without executors: as many slots as were ever used at a time
        slots = np.full(len(at), max(1.0, float(running.max(initial=1))))
    waiting = np.searchsorted(np.sort(first), at, "right") - np.searchsorted(np.sort(last), at, "right")
    return Levels(points, np.minimum(running, slots), slots, waiting)


def timeline(tasks: Any, cores: Cores, end: float) -> dict[str, Any]:
    """Return busy cores and cores over an application's life, as averages of bins of equal width."""
    start = cores.start or float(tasks["launch"].min(initial=end))
    if end <= start:
        return {}
    found = levels(tasks, cores, start, end)
    edges = np.linspace(start, end, BINS + 1)
    width = (end - start) / BINS
    busy = found.between(found.busy, edges[:-1], edges[1:]) / width * cores.of_task
    slots = found.between(found.slots, edges[:-1], edges[1:]) / width * cores.of_task
    return {
        "start": round(start, 3),
        "width_s": round(width, 6),
        "busy": [round(float(value), 2) for value in busy],
        "cores": [round(float(value), 2) for value in slots],
    }


def _launches(tasks: Any) -> tuple[Any, Any]:
    """Return the first and the last launch of each stage."""
    _, number = np.unique(tasks["stage"], return_inverse=True)
    count = int(number.max(initial=-1)) + 1
    first, last = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(first, number, tasks["launch"])
    np.maximum.at(last, number, tasks["launch"])
    return first, last
