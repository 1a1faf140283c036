"""Gibbs sampling of a factorisation: hyper-parameters of both sides' factors, and the precision of the noise.

R. Salakhutdinov, A. Mnih, "Bayesian Probabilistic Matrix Factorization using Markov Chain Monte Carlo", ICML 2008: the factors of a side
are normal with one mean and precision, which have a Normal-Wishart prior; the precision of the noise has a Gamma prior. Every draw has a
generator of its own, keyed by seed, sweep and what is drawn, so that it depends on nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from jobs.engine.arrays import ITEMS, USERS, Floats, one_thread
from jobs.engine.draws import unit_vectors
from jobs.engine.neighbours import Csr
from jobs.engine.normal_equations import Draw, Prior, padded, squared_errors
from jobs.engine.rules import Equations, Half, solved

Doubles = npt.NDArray[np.float64]

_STRENGTH = 2.0
"""Rows that the prior mean of factors counts as; the prior's degrees of freedom are the number of factors, its scale is 1, as in the paper."""

_SHAPE, _RATE = 1.0, 1.0
"""Gamma prior of the noise's precision: as if two ratings had been seen, with an error of 1 each."""

NOISE = 2
"""What is drawn, beside the sides."""

_START = 0.3
"""Length of first factors. From longer ones a chain of few ratings stays where it fits their noise; from shorter ones it takes more sweeps."""


class HalfStep(Protocol):
    """Draws the factors of a side, given the other side's; with their squared errors if they are wanted."""

    def __call__(
        self, side: int, other: Floats, rule: "Gibbs", draw: Draw, *, errors: bool = False
    ) -> Half: ...


class Sample(NamedTuple):
    """One sweep of a chain.

    Attributes:
        users, items: factors, zeros of ids without ratings.
        noise: precision of the noise, drawn after them.
        rmse: of the training ratings.
    """

    users: Floats
    items: Floats
    noise: float
    rmse: float


class Normal(NamedTuple):
    """Distribution of a side's factors: mean [rank] and precision [rank, rank]."""

    mean: Doubles
    precision: Doubles


def generator(seed: int, sweep: int, what: int) -> np.random.Generator:
    """Return the generator of one draw."""
    return np.random.default_rng((seed, sweep, what))


def drawn_normal(factors: Floats, random: np.random.Generator) -> Normal:
    """Draw mean and precision of the factors [rows, rank] of those that have ratings, given these factors."""
    rows, rank = factors.shape
    with one_thread():
        wide = factors.astype(np.float64)
        centre = wide.mean(axis=0)
        spread = (wide - centre).T @ (wide - centre)
    strength, freedom = _STRENGTH + rows, rank + rows
    # The scale's inverse is the identity, the prior mean zero.
    inverse = np.eye(rank) + spread + _STRENGTH * rows / strength * np.outer(centre, centre)
    precision = _wishart(inverse, freedom, random)
    root = np.linalg.cholesky(strength * precision)
    noise = solve_triangular(root.T, random.standard_normal(rank), lower=False)
    return Normal(rows / strength * centre + noise, precision)


def _wishart(inverse: Doubles, freedom: int, random: np.random.Generator) -> Doubles:
    """Draw from the Wishart distribution whose scale has this inverse (M. Bartlett's decomposition)."""
    rank = len(inverse)
    lower = np.tril(random.standard_normal((rank, rank)), -1)
    lower[np.diag_indices(rank)] = np.sqrt(random.chisquare(freedom - np.arange(rank)))
    # With inverse = L L^T the scale is L^-T L^-1, whose root is L^-T.
    root = solve_triangular(np.linalg.cholesky(inverse).T, lower, lower=False)
    found: Doubles = root @ root.T
    return found


def drawn_noise(squares: float, ratings: int, random: np.random.Generator) -> float:
    """Draw the precision of the noise, given the sum of squared errors of all ratings."""
    return float(random.gamma(_SHAPE + ratings / 2, 1 / (_RATE + squares / 2)))


@dataclass(frozen=True)
class Gibbs:
    """Conditional distribution of a row's factors; a rule of the engine.

    Everything is divided by the precision of the noise, and a draw's noise by its root: the draw is the same, and no rating needs a weight.

    Attributes:
        normal: of all rows' factors.
        noise: precision of the noise.
    """

    normal: Normal
    noise: float

    def equations(self, rows: Csr) -> Equations:
        """Take the ratings as they are."""
        return Equations(rows.values, None, np.zeros(len(rows.indptr) - 1, dtype=np.float32))

    def prior(self, other: Any) -> Prior:
        """Return what the distribution of all rows says of each, whatever the other side's factors are."""
        del other
        precision = self.normal.precision / self.noise
        return Prior(precision.astype(np.float32), (precision @ self.normal.mean).astype(np.float32))


def chain(
    half_step: HalfStep, known: tuple[Any, Any], ratings: int, rank: int, seed: int
) -> Iterator[Sample]:
    """Yield the sweeps of a chain without end: of each the items' factors are drawn first, then the users', then the noise.

    Args:
        half_step: draws factors.
        known: bool [users] and [items], which ids have ratings.
        ratings: number of ratings.
        rank: number of factors.
        seed: of all draws.
    """
    of_users, of_items = known
    users = _START * unit_vectors(len(of_users), rank, seed, USERS)
    items = _START * unit_vectors(len(of_items), rank, seed, ITEMS)
    users[~of_users], items[~of_items] = 0, 0
    noise, sweep = 1.0, 0
    while True:
        sweep += 1
        normal = drawn_normal(items[of_items], generator(seed, sweep, ITEMS))
        draw = Draw(seed, 2 * sweep + ITEMS, noise**-0.5)
        items = half_step(ITEMS, users, Gibbs(normal, noise), draw).factors
        items[~of_items] = 0
        normal = drawn_normal(users[of_users], generator(seed, sweep, USERS))
        draw = Draw(seed, 2 * sweep + USERS, noise**-0.5)
        users, squares = _with_squares(half_step(USERS, items, Gibbs(normal, noise), draw, errors=True))
        users[~of_users] = 0
        total = float(squares.sum())
        noise = drawn_noise(total, ratings, generator(seed, sweep, NOISE))
        yield Sample(users, items, noise, (total / ratings) ** 0.5)


def _with_squares(half: Half) -> tuple[Floats, Doubles]:
    assert half.squares is not None  # it was asked for
    return half.factors, half.squares


@dataclass(frozen=True)
class Whole:
    """Half-steps of all ratings in one thread.

    Attributes:
        by_user, by_item: the ratings, what is common to all taken off.
        rank: number of factors.
    """

    by_user: Csr
    by_item: Csr
    rank: int

    def __call__(self, side: int, other: Floats, rule: Gibbs, draw: Draw, *, errors: bool = False) -> Half:
        """Draw the factors of a side."""
        rows = self.by_item if side == ITEMS else self.by_user
        out, wide = np.zeros((len(rows.indptr) - 1, self.rank), dtype=np.float32), padded(other)
        solved(rows, wide, rule, out, prior=rule.prior(other), draw=draw)
        return Half(out, squared_errors(rows, wide, out) if errors else None)
