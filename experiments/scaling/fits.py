"""Fits scaling laws to measured times, with bootstrap intervals over applications.

Sizes n count in units of the smallest shape, S(n) is the speed-up against it.

* Amdahl (Validity of the single processor approach, AFIPS 1967): S(n) = n / (1 + s (n - 1)), s the serial fraction.
* The Universal Scalability Law (Gunther, A simple capacity model of massively parallel transaction systems, CMG 1993;
  Guerrilla Capacity Planning, 2007): S(n) = n / (1 + s (n - 1) + k n (n - 1)), s contention, k coherency.
* Karp and Flatt (Measuring parallel processor performance, CACM 33(5), 1990): the serial fraction that one measured
  speed-up on p cores would mean, e = (1/S - 1/p) / (1 - 1/p).

Both laws are linear in the times once the time of the smallest shape is a parameter too,

    T(n) = t1 * 1/n + t1 s * (n - 1)/n + t1 k * (n - 1),

so they are fitted by least squares of relative errors, in closed form. Parameters are not forced to be positive: an
interval that contains 0 says that the data do not show the effect, a negative one that the law does not hold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Law = Literal["amdahl", "usl"]
LEAST_SIZES: dict[Law, int] = {"amdahl": 3, "usl": 6}
"""From how many different sizes on a law is fitted."""

NAMES: dict[Law, str] = {"amdahl": "Amdahl", "usl": "Universal Scalability Law"}
LEAST_APPLICATIONS = 5
POOR = 0.10
"""A fit that misses times by more than this share, root mean square over its degrees of freedom, is poor."""

NEGLIGIBLE = 0.02
"""A time that is missed by less does not speak against a law, however little it varies."""

_RESAMPLES = 4_000
_SEED = 20_231


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law with its 95% interval."""

    name: str
    value: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether the data show it at all: its interval does not contain 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Fit:
    """A law fitted to times.

    Attributes:
        seconds: of the smallest shape, by the fit.
        parameters: "serial" or "contention", and "coherency".
        residuals: measured time over fitted time, less 1, for each point in its order.
        missed: share by which times are missed, root mean square over the degrees of freedom.
        outside: how many points' own 95% intervals do not contain the fitted time, which is off by more than `NEGLIGIBLE`.
    """

    law: Law
    seconds: float
    parameters: tuple[Parameter, ...]
    residuals: tuple[float, ...]
    missed: float
    outside: int

    @property
    def poor(self) -> bool:
        """Whether the law does not describe the times: it misses them by far, or many by more than their noise."""
        return self.missed > POOR or self.outside > len(self.residuals) / 3

    def speedup(self, size: float) -> float:
        """Return S(n)."""
        contention, coherency = ([item.value for item in self.parameters] + [0.0])[:2]
        return float(size / (1 + contention * (size - 1) + coherency * size * (size - 1)))

    @property
    def peak(self) -> float | None:
        """The size beyond which more makes it slower (Gunther 2007); None where no coherency is shown."""
        by_name = {item.name: item for item in self.parameters}
        coherency = by_name.get("coherency")
        if coherency is None or coherency.low <= 0:
            return None
        return max(1.0, math.sqrt(max(0.0, 1 - by_name["contention"].value) / coherency.value))

    def little_more(self, share: float, first: int = 1, most: int = 1000) -> int | None:
        """The first number of workers from which one more adds less than `share`; None if there is none up to `most`.

        Args:
            share: of the speed, as 0.05.
            first: how many workers the smallest shape has.
            most: where the search ends.
        """
        for workers in range(first, most):
            now, more = self.speedup(workers / first), self.speedup((workers + 1) / first)
            if now <= 0 or more <= 0:  # the curve left the range in which it means anything
                return None
            if more / now - 1 < share:
                return workers
        return None


@dataclass(frozen=True)
class Sample:
    """One measured point: its size, and one time for each of its applications."""

    name: str
    size: float
    seconds: Sequence[float]


def why_not(law: Law, samples: Sequence[Sample]) -> str | None:
    """Say why a law is not fitted to these points, None if it can be."""
    sizes = len({round(item.size, 6) for item in samples})
    if sizes < LEAST_SIZES[law]:
        return f"it takes {LEAST_SIZES[law]} sizes, there {'is' if sizes == 1 else 'are'} {sizes}"
    few = [item for item in samples if len(item.seconds) < LEAST_APPLICATIONS]
    if few:
        named = ", ".join(f"{item.name} has {len(item.seconds)}" for item in few)
        return f"intervals take {LEAST_APPLICATIONS} applications a point: {named}"
    return None


def fit(law: Law, samples: Sequence[Sample]) -> Fit:
    """Fit a law; the intervals are percentiles over resampled applications of every point.

    Args:
        law: which.
        samples: points; `why_not` says nothing of them.
    """
    basis = _basis(law, np.array([item.size for item in samples]))
    medians = np.array([np.median(item.seconds) for item in samples])
    coefficients = _solve(basis, medians[None, :])[0]
    random = np.random.default_rng(_SEED)
    drawn = np.stack([_medians(item.seconds, random) for item in samples], axis=1)
    resampled = _solve(basis, drawn)
    fitted = basis @ coefficients
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    names = ("serial",) if law == "amdahl" else ("contention", "coherency")
    parameters = tuple(
        Parameter(
            name, float(coefficients[k] / coefficients[0]), *_interval(resampled[:, k] / resampled[:, 0])
        )
        for k, name in enumerate(names, start=1)
    )
    residuals = medians / fitted - 1
    freedom = len(samples) - basis.shape[1]
    return Fit(
        law=law,
        seconds=float(coefficients[0]),
        parameters=parameters,
        residuals=tuple(float(value) for value in residuals),
        missed=float(np.sqrt((residuals**2).sum() / freedom)),
        outside=int((((fitted < low) | (fitted > high)) & (np.abs(residuals) > NEGLIGIBLE)).sum()),
    )


def karp_flatt(speedup: float, cores: float) -> float:
    """Return the experimentally determined serial fraction of a speed-up on `cores` over one core.

    It is negative where the speed-up is larger than the number of cores.
    """
    return (1 / speedup - 1 / cores) / (1 - 1 / cores)


def _basis(law: Law, sizes: np.ndarray) -> np.ndarray:
    columns = [1 / sizes, (sizes - 1) / sizes]
    return np.stack(columns if law == "amdahl" else [*columns, sizes - 1], axis=1)


def _solve(basis: np.ndarray, times: np.ndarray) -> Any:
    """Least squares of relative errors for each row of times (rows x points); returns rows x coefficients."""
    weighted = basis[None, :, :] / times[:, :, None]
    square = np.einsum("rpk,rpl->rkl", weighted, weighted)
    right = weighted.sum(axis=1)
    return np.linalg.solve(square, right[:, :, None])[:, :, 0]


def _medians(values: Sequence[float], random: np.random.Generator) -> np.ndarray:
    sample = np.asarray(values, dtype=float)
    return np.asarray(np.median(sample[random.integers(0, len(sample), (_RESAMPLES, len(sample)))], axis=1))


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
