"""Side information of ids in Gibbs sampling: a link matrix takes their features to what is expected of their factors.

J. Simm, A. Arany, P. Zakeri, T. Haber, J. Wegner, V. Chupakhin, H. Ceulemans, Y. Moreau, "Macau: Scalable Bayesian Factorization with
High-dimensional Side Information using MCMC", MLSP 2017. There each draw of the link matrix solves systems by conjugate gradients; here the features'
products are rotated to their axes once, and each draw is exact.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from scipy.sparse import csr_array

from jobs.engine.arrays import Floats, one_thread

Doubles = npt.NDArray[np.float64]

_SHAPE, _RATE = 1.0, 1.0
"""Gamma prior of the precision of a link matrix's entries, in units of the precision of the factors."""


@dataclass(frozen=True)
class Features:
    """Features of a side's ids.

    Attributes:
        rows: float32 [ids, features]; zeros of an id without ratings.
        columns: the same transposed.
        axes: float32 [features, features], eigenvectors of columns @ rows, one a column.
        squares: float64 [features], their eigenvalues.
    """

    rows: Any
    columns: Any
    axes: Floats
    squares: Doubles

    @classmethod
    def of(cls, rows: Any) -> "Features":
        """Prepare sparse features [ids, features]."""
        given = csr_array(rows, dtype=np.float32)
        squares, axes = eigh((given.T @ given).toarray(), driver="evd", overwrite_a=True)
        return cls(given, csr_array(given.T), axes, squares.astype(np.float64).clip(0))


class Link(NamedTuple):
    """A link matrix, float64 [features, rank], and the precision of its entries in units of that of the factors."""

    matrix: Doubles
    precision: float

    @classmethod
    def none(cls, features: Features, rank: int) -> "Link":
        """Return the link matrix that a chain begins with: features tell nothing."""
        return cls(np.zeros((len(features.squares), rank)), 1.0)

    def expected(self, features: Features) -> Doubles:
        """Return what features say of each id's factors, float64 [ids, rank]."""
        found: Doubles = features.rows @ self.matrix.astype(np.float32)
        return found.astype(np.float64)


def drawn_link(
    features: Features, rest: Doubles, precision: Doubles, before: Link, random: np.random.Generator
) -> Link:
    """Draw a link matrix, and then its precision.

    Args:
        features: of the ids.
        rest: float64 [ids, rank], factors without what is expected of all; zeros of an id without ratings.
        precision: float64 [rank, rank], of the factors.
        before: the last draw.
        random: of this draw.
    """
    count, rank = before.matrix.shape
    with one_thread():
        seen = features.axes.T @ (features.columns @ rest.astype(np.float32))
        strength = (features.squares + before.precision)[:, None]
        # Rows whose precision is `precision`: standard normal ones times the inverse of its root.
        noise = np.linalg.solve(np.linalg.cholesky(precision).T, random.standard_normal((rank, count))).T
        turned = seen / strength + noise / np.sqrt(strength)
        matrix = (features.axes @ turned.astype(np.float32)).astype(np.float64)
        size = float(np.sum((matrix @ precision) * matrix))
    return Link(matrix, float(random.gamma(_SHAPE + count * rank / 2, 1 / (_RATE + size / 2))))
