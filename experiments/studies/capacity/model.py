"""Model of a job's time and memory by rows and cluster shape, with the runs that it was checked on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import UsageError
from core.units import count_text
from experiments.studies.capacity.fit import LEAST_DEGREES, Fit, fit
from experiments.studies.capacity.points import Point, Points
from experiments.studies.capacity.terms import Load, Terms, memory_terms, time_terms


@dataclass(frozen=True)
class Estimate:
    """A predicted value with its 95% prediction interval; None where there are too few runs for one."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def upper(self) -> float:
        """Upper end of the interval, or the value itself where there is no interval."""
        return self.value if self.high is None else self.high


@dataclass(frozen=True)
class Prediction:
    """Predicted time and memory of a job of one pass.

    Attributes:
        wall: seconds from start to end: `work` (one warm pass) and `overhead` (all else).
        heap, python: bytes of one executor; None where memory was not measured, or not for so many workers.
        beyond: how far the load lies outside what was measured, a sentence each.
    """

    load: Load
    wall: Estimate
    work: Estimate
    overhead: Estimate
    heap: Estimate | None
    python: Estimate | None
    beyond: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """One fit with its terms."""

    terms: Terms
    fit: Fit


@dataclass(frozen=True)
class Model:
    """Time and memory as functions of a load.

    Attributes:
        points: the runs that it was fitted to, and those to check it on.
        time: responses: one warm pass, everything else.
        memory: responses: heap, then Python where it was measured; None without measurements.
    """

    points: Points
    time: Part
    memory: Part | None

    @classmethod
    def of(cls, points: Points) -> "Model":
        """Fit a model to the training points.

        Raises:
            UsageError: there are too few points, or all have the same size of data.
        """
        training = points.training
        _enough(training)
        terms = time_terms([point.load for point in training])
        measured = np.array([[point.pass_s, point.overhead_s] for point in training])
        columns = terms.columns(point.load for point in training)
        if len(training) < len(terms.chosen) + 1:
            raise UsageError(
                f"{len(training)} runs cannot tell {len(terms.chosen)} terms apart ({', '.join(terms.names)}); "
                "run make plan with a larger budget"
            )
        return cls(points, Part(terms, fit(columns, measured, _within(training))), _memory(training))

    def predict(self, loads: Sequence[Load]) -> list[Prediction]:
        """Predict one further run of each load.

        Raises:
            UsageError: all runs had the same number of cores, and a load has another.
        """
        only = self.time.terms.only
        for load in loads:
            if only is not None and load.cores != only:
                raise UsageError(
                    f"all recorded runs had {only:g} cores, so {load.cores:g} cannot be predicted; add workers or cores to the "
                    "grid of the spec and run make plan again"
                )
        times = _estimates(self.time, loads, sums=True)
        memory = [self._memory_at(load) for load in loads]
        return [
            Prediction(load, wall, work, overhead, *sizes, self.beyond(load))
            for load, (work, overhead, wall), sizes in zip(loads, times, memory, strict=True)
        ]

    def beyond(self, load: Load) -> tuple[str, ...]:
        """Return how far a load lies outside the measured ones, held-out runs included, a sentence each."""
        found = []
        for what, value, measured in (
            ("rows", load.rows, [point.load.rows for point in self.points.all]),
            ("cores", load.cores, [point.load.cores for point in self.points.all]),
        ):
            least, most = min(measured), max(measured)
            if value > most:
                found.append(
                    f"{count_text(value)} {what} is {value / most:.1f} times the most that was measured ({count_text(most)})"
                )
            elif value < least:
                found.append(
                    f"{count_text(value)} {what} is less than the least that was measured ({count_text(least)})"
                )
        return tuple(found)

    def _memory_at(self, load: Load) -> tuple[Estimate | None, Estimate | None]:
        part = self.memory
        if part is None or part.terms.only not in (None, load.workers):
            return None, None
        (found,) = _estimates(part, [load])
        return found[0], found[1] if len(found) > 1 else None


def _enough(training: Sequence[Point]) -> None:
    if not training:
        raise UsageError("no run is recorded to fit a model to; run make plan first")
    sizes = sorted({point.load.rows for point in training})
    if len(sizes) < 2:
        raise UsageError(
            f"all recorded runs had {count_text(sizes[0])} rows, so other sizes cannot be predicted; run make plan again"
        )


def _within(training: Sequence[Point]) -> Any:
    """Return the relative standard deviation of one application about its trial's median, without the median's own."""
    several = [np.array(point.applications) for point in training if len(point.applications) > 1]
    if not several:
        return None
    squares = sum(((runs / np.median(runs, axis=0) - 1.0) ** 2).sum(axis=0) for runs in several)
    variance = squares / sum(len(runs) - 1 for runs in several)
    typical = np.mean([1.0 / len(point.applications) for point in training])
    return np.sqrt(variance * (1.0 - typical))


def _memory(training: Sequence[Point]) -> Part | None:
    known = [point for point in training if point.heap is not None]
    if not known:
        return None
    loads = [point.load for point in known]
    terms = memory_terms(loads)
    if len(known) <= len(terms.chosen) or len({load.rows for load in loads}) < 2:
        return None
    python = all(point.python is not None for point in known)
    measured = [[point.heap, point.python] if python else [point.heap] for point in known]
    return Part(terms, fit(terms.columns(loads), np.array(measured, dtype=float)))


def _estimates(part: Part, loads: Sequence[Load], *, sums: bool = False) -> list[list[Estimate]]:
    """Return the responses of each load; with `sums` their sum as the last."""
    columns = part.terms.columns(loads)
    values = _with_sum(part.fit.predict(columns), sums)
    if part.fit.degrees < LEAST_DEGREES:
        return [[Estimate(float(value)) for value in row] for row in values]
    lows, highs = np.percentile(_with_sum(part.fit.simulate(columns), sums), [2.5, 97.5], axis=0)
    return [
        [Estimate(float(value), float(low), float(high)) for value, low, high in zip(*rows, strict=True)]
        for rows in zip(values, lows, highs, strict=True)
    ]


def _with_sum(values: Any, wanted: bool) -> Any:
    return np.concatenate([values, values.sum(axis=-1, keepdims=True)], axis=-1) if wanted else values
