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
from jobs.engine.links import Features, Link, drawn_link
from jobs.engine.neighbours import Csr
from jobs.engine.normal_equations import Draw, Prior, squared_errors
from jobs.engine.rules import Equations, Half, laid, solved

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
    """Draws the factors of a side, given the other side's; as `jobs.engine.half_steps.Engine.half_step`."""

    def __call__(
        self,
        side: int,
        other: Floats,
        rule: "Gibbs",
        draw: Draw,
        *,
        errors: bool = False,
        own: Floats | None = None,
    ) -> Half: ...


class Sample(NamedTuple):
    """One sweep of a chain.

    Attributes:
        users, items: factors, the last of which is the id's bias; zeros of ids without ratings.
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


def drawn_normal(factors: Doubles, random: np.random.Generator, link: Link | None = None) -> Normal:
    """Draw mean and precision of factors.

    Args:
        factors: [rows, rank] of those that have ratings, without what features say of each.
        random: of this draw.
        link: the link matrix, whose entries have this precision, too.
    """
    rows, rank = factors.shape
    with one_thread():
        centre = factors.mean(axis=0)
        spread = (factors - centre).T @ (factors - centre)
        if link is not None:
            spread += link.precision * link.matrix.T @ link.matrix
    strength, freedom = _STRENGTH + rows, rank + rows + (0 if link is None else len(link.matrix))
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

    @property
    def biased(self) -> bool:
        """Every id has a bias."""
        return True

    def equations(self, rows: Csr) -> Equations:
        """Take the ratings as they are."""
        return Equations(rows.values, None, np.zeros(len(rows.indptr) - 1, dtype=np.float32))

    def prior(self, other: Any) -> Prior:
        """Return what the distribution of all rows says of each, whatever the other side's factors are."""
        del other
        precision = self.normal.precision / self.noise
        return Prior(precision.astype(np.float32), (precision @ self.normal.mean).astype(np.float32))


class Ground(NamedTuple):
    """Ground that a chain runs on.

    Attributes:
        half_step: draws factors.
        known: bool [users] and [items], which ids have ratings.
        ratings: number of ratings.
        features: of users and items; None: they have none.
    """

    half_step: HalfStep
    known: tuple[Any, Any]
    ratings: int
    features: tuple[Features | None, Features | None] = (None, None)


class _Side:
    """One side's factors and what is drawn for all of them."""

    def __init__(self, side: int, ground: Ground, rank: int, seed: int) -> None:
        self._side, self._ground, self._seed = side, ground, seed
        self._known, self._features = ground.known[side], ground.features[side]
        # Biases of zero would be believed to be as alike as that, for the longer the more ids there are.
        self.factors = _START * unit_vectors(len(self._known), rank + 1, seed, side)
        self.factors[~self._known] = 0
        self._link = None if self._features is None else Link.none(self._features, rank + 1)

    def draw(self, sweep: int, other: Floats, noise: float, *, errors: bool = False) -> Doubles | None:
        """Draw what is common to all factors, and then these; return the squared errors if they are wanted."""
        random = generator(self._seed, sweep, self._side)
        normal, own = self._normal(random)
        draw = Draw(self._seed, 2 * sweep + self._side, noise**-0.5)
        rule = Gibbs(normal, noise)
        if own is not None:
            with one_thread():
                own = (own @ (normal.precision / noise)).astype(np.float32)
        half = self._ground.half_step(self._side, other, rule, draw, errors=errors, own=own)
        self.factors = half.factors
        self.factors[~self._known] = 0
        return half.squares

    def _normal(self, random: np.random.Generator) -> tuple[Normal, Any]:
        """Draw the distribution of the factors; return what features say of each, too."""
        factors = self.factors.astype(np.float64)
        if self._features is None or self._link is None:
            return drawn_normal(factors[self._known], random), None
        expected = self._link.expected(self._features)
        normal = drawn_normal((factors - expected)[self._known], random, self._link)
        rest = factors - normal.mean
        rest[~self._known] = 0
        self._link = drawn_link(self._features, rest, normal.precision, self._link, random)
        return normal, self._link.expected(self._features)


def chain(ground: Ground, rank: int, seed: int) -> Iterator[Sample]:
    """Yield the sweeps of a chain without end: of each the items' factors are drawn first, then the users', then the noise.

    Args:
        ground: that it runs on.
        rank: number of factors besides the bias.
        seed: of all draws.
    """
    users, items = (_Side(side, ground, rank, seed) for side in (USERS, ITEMS))
    noise, sweep = 1.0, 0
    while True:
        sweep += 1
        items.draw(sweep, users.factors, noise)
        squares = users.draw(sweep, items.factors, noise, errors=True)
        assert squares is not None  # they were asked for
        total = float(squares.sum())
        noise = drawn_noise(total, ground.ratings, generator(seed, sweep, NOISE))
        yield Sample(users.factors, items.factors, noise, (total / ground.ratings) ** 0.5)


@dataclass(frozen=True)
class Whole:
    """Half-steps of all ratings in one thread.

    Attributes:
        by_user, by_item: the ratings, what is common to all taken off.
    """

    by_user: Csr
    by_item: Csr

    def __call__(
        self,
        side: int,
        other: Floats,
        rule: Gibbs,
        draw: Draw,
        *,
        errors: bool = False,
        own: Floats | None = None,
    ) -> Half:
        """Draw the factors of a side."""
        columns = laid(other, biased=rule.biased)
        rows = columns.rest(self.by_item if side == ITEMS else self.by_user)
        out, prior = np.zeros((len(rows.indptr) - 1, other.shape[1]), dtype=np.float32), rule.prior(other)
        solved(rows, columns.factors, rule, out, prior=prior if own is None else prior.plus(own), draw=draw)
        return Half(out, squared_errors(rows, columns.factors, out) if errors else None)
