"""Fits scaling laws to measured times, with intervals, and tests whether the law describes the times at all.

Sizes n count in units of the smallest shape, S(n) is the speed-up against it.

* Amdahl (Validity of the single processor approach, AFIPS 1967): S(n) = n / (1 + s (n - 1)), s the serial fraction.
* The Universal Scalability Law (Gunther, A simple capacity model of massively parallel transaction systems, CMG 1993;
  Guerrilla Capacity Planning, 2007): S(n) = n / (1 + s (n - 1) + k n (n - 1)), s contention, k coherency.
* Karp and Flatt (Measuring parallel processor performance, CACM 33(5), 1990): the serial fraction that one measured
  speed-up on p cores would mean, e = (1/S - 1/p) / (1 - 1/p).

Both laws are linear in the times once the time of the smallest shape is a parameter too,

    T(n) = t1 * 1/n + t1 s * (n - 1)/n + t1 k * (n - 1),

so they are fitted to the geometric means of the applications' times by least squares of relative errors, in closed form.
Parameters are not forced to be positive: an interval that contains 0 says that the data do not show the effect, a
negative one that the law does not hold.

Near the fit a parameter is a weighted sum of mean logarithms (the weights are its derivatives, and their sum is 0), so it
is given an interval as a ratio is (`experiments.stats.intervals`): of the same rounds where the shapes took turns.

Whether the law describes the times is asked of their own noise: what it misses, against what the means may stray by
chance (F test of the lack of fit; where rounds are shared a round's own level is taken out first). The noncentral F
distribution says how much it may miss at most; where that is much, nobody can tell.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy import optimize, stats

from experiments.stats.intervals import LEAST_FOR_INTERVAL, LEVEL, error, reach

Law = Literal["amdahl", "usl"]
LEAST_SIZES: dict[Law, int] = {"amdahl": 3, "usl": 6}
"""From how many different sizes on a law is fitted."""

NAMES: dict[Law, str] = {"amdahl": "Amdahl", "usl": "Universal Scalability Law"}
MUCH = 0.10
"""A law that may miss the times by more than this share (root mean square over its degrees of freedom) is not confirmed."""

NEGLIGIBLE = 0.02
"""A law that misses the times by less is not called poor, however little they vary."""

_STEP = 1e-5  # of a logarithm, for derivatives
_NO_NOISE = 1e-12  # variance of logarithms below which times are equal but for rounding
_CERTAIN = 1e4  # times the noise, from which on what is missed is what it is

Described = Literal["yes", "no", "cannot tell"]


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
        chance: how often a law that holds would miss them by as much, from the noise of the times.
        possible: the most that it may miss them by without the noise: upper 95% bound.
        paired: whether the intervals are of shared rounds.
    """

    law: Law
    seconds: float
    parameters: tuple[Parameter, ...]
    residuals: tuple[float, ...]
    missed: float
    chance: float
    possible: float
    paired: bool

    @property
    def described(self) -> Described:
        """Whether the law describes the times: "no" if it misses them by more than their noise does, and not by little."""
        if self.chance < 1 - LEVEL and self.missed > NEGLIGIBLE:
            return "no"
        return "yes" if self.possible <= MUCH else "cannot tell"

    @property
    def poor(self) -> bool:
        """Whether the law is shown not to describe the times."""
        return self.described == "no"

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
    """One measured point: its size, one time for each of its applications, and their times by round where that is known."""

    name: str
    size: float
    seconds: Sequence[float]
    by_round: Mapping[str, float] = field(default_factory=dict)


def why_not(law: Law, samples: Sequence[Sample]) -> str | None:
    """Say why a law is not fitted to these points, None if it can be."""
    sizes = len({round(item.size, 6) for item in samples})
    if sizes < LEAST_SIZES[law]:
        return f"it takes {LEAST_SIZES[law]} sizes, there {'is' if sizes == 1 else 'are'} {sizes}"
    few = [item for item in samples if len(item.seconds) < LEAST_FOR_INTERVAL]
    if few:
        named = ", ".join(f"{item.name} has {len(item.seconds)}" for item in few)
        return f"intervals take {LEAST_FOR_INTERVAL} applications a point: {named}"
    return None


def fit(law: Law, samples: Sequence[Sample]) -> Fit:
    """Fit a law.

    Args:
        law: which.
        samples: points; `why_not` says nothing of them.
    """
    logs, paired = _logs(samples)
    means = np.array([sample.mean() for sample in logs])
    counts = np.array([len(sample) for sample in logs])
    basis = _basis(law, np.array([item.size for item in samples]))
    coefficients = _solve(basis, np.exp(means)[None, :], counts)[0]
    fitted = basis @ coefficients
    misses = fitted / np.exp(means) - 1
    freedom = len(samples) - basis.shape[1]
    chance, possible = _lack(float(counts @ misses**2), freedom, logs, paired=paired)
    return Fit(
        law=law,
        seconds=float(coefficients[0]),
        parameters=tuple(_parameters(law, basis, means, logs, paired=paired)),
        residuals=tuple(float(value) for value in np.exp(means) / fitted - 1),
        missed=math.sqrt(float((misses**2).sum()) / freedom),
        chance=chance,
        possible=possible,
        paired=paired,
    )


def karp_flatt(speedup: float, cores: float) -> float:
    """Return the experimentally determined serial fraction of a speed-up on `cores` over one core.

    It is negative where the speed-up is larger than the number of cores.
    """
    return (1 / speedup - 1 / cores) / (1 - 1 / cores)


def _logs(samples: Sequence[Sample]) -> tuple[list[Any], bool]:
    """Return logarithms of seconds, of the rounds that all points share if there are five, else of all applications."""
    shared = [name for name in samples[0].by_round if all(name in item.by_round for item in samples)]
    if len(shared) >= LEAST_FOR_INTERVAL:
        return [np.log([item.by_round[name] for name in shared]) for item in samples], True
    return [np.log(np.asarray(item.seconds, dtype=float)) for item in samples], False


def _basis(law: Law, sizes: np.ndarray) -> np.ndarray:
    columns = [1 / sizes, (sizes - 1) / sizes]
    return np.stack(columns if law == "amdahl" else [*columns, sizes - 1], axis=1)


def _solve(basis: np.ndarray, times: np.ndarray, counts: np.ndarray) -> Any:
    """Least squares of relative errors for each row of times (rows x points); returns rows x coefficients.

    A point weighs as much as it has applications.
    """
    share = np.sqrt(counts / counts.mean())
    weighted = basis[None, :, :] / times[:, :, None] * share[None, :, None]
    square = np.einsum("rpk,rpl->rkl", weighted, weighted)
    right = (weighted * share[None, :, None]).sum(axis=1)
    return np.linalg.solve(square, right[:, :, None])[:, :, 0]


def _parameters(
    law: Law, basis: np.ndarray, means: np.ndarray, logs: Sequence[Any], *, paired: bool
) -> Iterator[Parameter]:
    """Yield each parameter with its interval, from its derivatives by the mean logarithms."""
    counts = np.array([len(sample) for sample in logs])
    steps = _STEP * np.eye(len(means))
    found = _solve(basis, np.exp(np.concatenate([means[None, :], means + steps, means - steps])), counts)
    values = found[:, 1:] / found[:, :1]
    up, down = np.split(values[1:], 2)
    names = ("serial",) if law == "amdahl" else ("contention", "coherency")
    for place, name in enumerate(names):
        away = float(reach(*error(((up - down)[:, place] / (2 * _STEP)).tolist(), logs, paired=paired)))
        value = float(values[0, place])
        yield Parameter(name, value, value - away, value + away)


def _lack(missed: float, freedom: int, logs: Sequence[Any], *, paired: bool) -> tuple[float, float]:
    """Test what a law misses against the noise of the means.

    Args:
        missed: sum of squared misses, each times its number of applications.
        freedom: points less coefficients.
        logs: of the points' times.
        paired: whether they are of the same rounds.

    Returns:
        The chance that a law that holds misses as much, and the most that it may miss by (root mean square over `freedom`).
    """
    if paired:
        table = np.stack(logs)
        rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
        own = (len(table) - 1) * (table.shape[1] - 1)
    else:
        rest = np.concatenate([sample - sample.mean() for sample in logs])
        own = len(rest) - len(logs)
    noise = float((rest**2).sum()) / own
    each = len(logs) / sum(1 / len(sample) for sample in logs)
    if noise * _CERTAIN < max(missed / freedom, _NO_NOISE):
        return float(missed < _NO_NOISE), math.sqrt(missed / each / freedom)
    found = missed / freedom / noise
    most = _noncentrality(max(found, 1.0), freedom, own)  # less than chance leaves is luck, and no knowledge
    return float(stats.f.sf(found, freedom, own)), math.sqrt(most * noise / each / freedom)


def _noncentrality(found: float, first: int, second: int) -> float:
    """Return the largest noncentrality under which an F value of 1 or more is as small as this one in 5% of cases."""

    def beyond(value: float) -> float:
        return float(stats.ncf.cdf(found, first, second, value)) - (1 - LEVEL)

    most = 10.0 + 4.0 * found * first
    while beyond(most) > 0:
        most *= 2
    return float(optimize.brentq(beyond, 0.0, most))
