"""Objectives of factorisations: what a model makes of a row's ratings in its normal equations; and fold-in, which is solving them.

A half-step of a fit and the folding in of one person are the same call, so that both give the same factors.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from jobs.engine.arrays import Floats, one_thread
from jobs.engine.neighbours import Csr
from jobs.engine.normal_equations import Draw, Prior, Spent, padded, solve


class Equations(NamedTuple):
    """Parts of rows' equations that their ratings determine.

    Attributes:
        targets: float32 of each entry.
        weights: float32 of each entry; None: all are 1.
        ridge: float32 of each row.
    """

    targets: Floats
    weights: Floats | None
    ridge: Floats


class Half(NamedTuple):
    """Results of a half-step: factors float32 [ids, rank], and each id's squared errors, float64 [ids], if they were asked for."""

    factors: Floats
    squares: npt.NDArray[np.float64] | None


class Rule(Protocol):
    """An objective; Spark must be able to send it."""

    @property
    def biased(self) -> bool:
        """Whether the last factor of each id is its bias: a prediction is the product of the others and both biases."""

    def equations(self, rows: Csr) -> Equations:
        """Return what the ratings of some rows make of their equations."""

    def prior(self, other: Floats) -> Prior | None:
        """Return the part of every row's equations, from the other side's factors [ids, rank]."""


@dataclass(frozen=True)
class Weighted:
    """Squared errors of ratings, and each row's factors penalised in proportion to its number of ratings.

    Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-Scale Parallel Collaborative Filtering for the Netflix Prize", AAIM 2008.
    """

    reg: float
    biased: bool = field(default=False, repr=False)

    def equations(self, rows: Csr) -> Equations:
        """Take the ratings as they are."""
        return Equations(rows.values, None, np.float32(self.reg) * _numbers(rows))

    def prior(self, other: Floats) -> None:
        """Nothing is common to all rows."""


@dataclass(frozen=True)
class Unobserved:
    """Preferences: an interaction should be predicted as 1, and with a small weight every pair as 0.

    Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, with the weights of S. Rendle, W.
    Krichene, L. Zhang, Y. Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks", RecSys 2022. A row with n
    interactions has the penalty reg * (n + weight * columns) ** exponent.

    Attributes:
        reg: scale of the penalty; exponent: 0: each row's is the same, 1: in proportion to what is observed of it.
        weight: of every pair, observed or not.
        columns: ids of the other side that have interactions.
    """

    reg: float
    exponent: float
    weight: float
    columns: int

    @property
    def biased(self) -> bool:
        """Preferences have no biases."""
        return False

    def equations(self, rows: Csr) -> Equations:
        """Take the values as weights; one below 0 says with its size that there is no preference."""
        values = np.asarray(rows.values)
        ridge = self.reg * (_numbers(rows) + self.weight * self.columns) ** self.exponent
        weights = None if np.all(values == 1) else np.abs(values)
        return Equations((values > 0).astype(np.float32), weights, ridge.astype(np.float32))

    def prior(self, other: Floats) -> Prior:
        """Return the sum over all pairs, observed or not."""
        with one_thread():
            matrix = np.float32(self.weight) * (other.T @ other)
        return Prior(matrix, np.zeros(other.shape[1], dtype=np.float32))


def _numbers(rows: Csr) -> Floats:
    return np.diff(rows.indptr).astype(np.float32)


class Columns(NamedTuple):
    """Factors of the other side as the kernel takes them.

    Attributes:
        factors: float32 [ids, rank], padded; a bias has been replaced by the 1 that a row's own bias is multiplied by.
        biases: float32 [ids], which are taken off the ratings; None: there are none.
    """

    factors: Floats
    biases: Floats | None

    def rest(self, rows: Csr) -> Csr:
        """Return what their biases leave of the ratings of rows."""
        return rows if self.biases is None else rows._replace(values=rows.values - self.biases[rows.indices])


def laid(other: Floats, *, biased: bool) -> Columns:
    """Prepare the other side's factors, float32 [ids, rank]; with `biased` the last is the bias."""
    if not biased:
        return Columns(padded(other), None)
    biases = np.ascontiguousarray(other[:, -1])
    ones = other.copy()
    ones[:, -1] = 1
    return Columns(padded(ones), biases)


class FoldIn:
    """Factors of rows from their ratings and the other side's factors, without a fit."""

    def __init__(self, other: Floats, rule: Rule) -> None:
        """Prepare for the other side's factors, float32 [ids, rank], zeros of ids that are not known."""
        self._other, self._rule = laid(other, biased=rule.biased), rule
        self._rank, self.prior = other.shape[1], rule.prior(other)

    def __call__(self, rows: Csr) -> Floats:
        """Return the factors of rows, float32 [rows, rank], from their whole histories.

        Args:
            rows: of each row all ratings, in the columns of the other side's ids.

        Raises:
            UndeterminedError: the equations of a row have no unique solution.
        """
        out = np.zeros((len(rows.indptr) - 1, self._rank), dtype=np.float32)
        solved(self._other.rest(rows), self._other.factors, self._rule, out, prior=self.prior)
        return out


def solved(
    rows: Csr, other: Floats, rule: Rule, out: Floats, *, prior: Prior | None = None, draw: Draw | None = None
) -> Spent:
    """Solve the equations of rows by a rule; as `jobs.engine.normal_equations.solve`."""
    targets, weights, ridge = rule.equations(rows)
    given = rows._replace(values=targets)
    if weights is None:
        return solve(given, other, ridge, out, prior=prior, draw=draw)
    return solve(given, other, ridge, out, weights=weights, prior=prior, draw=draw)
