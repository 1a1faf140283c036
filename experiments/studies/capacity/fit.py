"""Non-negative least squares on relative errors, with intervals for one further run."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls

LEAST_DEGREES = 2
_ROUNDS = 3
DRAWS = 2000
_SEED = 20_240
_LEAST_SHARE = 1e-9
_FARTHEST = 20.0  # in logarithms: two degrees of freedom draw scales that no machine has


@dataclass(frozen=True)
class Fit:
    """Several responses measured at the same points, each fitted as a sum of the same terms.

    Attributes:
        coefficients: (terms, responses), none negative.
        residuals: (points, responses), relative: log(measured / fitted).
        degrees: points less terms (all that were offered, those that came out as 0 too).
        draws: sets of coefficients that other runs at the same points might have given: (draws, terms, responses);
            None with fewer than two degrees of freedom.
        errors: (draws, responses): by how much one further run differs, as a factor, belonging to the draws.
    """

    coefficients: Any
    residuals: Any
    degrees: int
    draws: Any = None
    errors: Any = None

    def predict(self, columns: Any) -> Any:
        """Return the fitted values: (loads, responses)."""
        return np.asarray(columns) @ self.coefficients

    def simulate(self, columns: Any) -> Any:
        """Return simulated values of one further run of each load: (draws, loads, responses).

        Raises:
            ValueError: too few degrees of freedom; `draws` is None.
        """
        if self.draws is None:
            raise ValueError(
                f"{self.degrees} degrees of freedom are too few for an interval; {LEAST_DEGREES} are needed"
            )
        fitted = np.einsum("lt,dtr->dlr", np.asarray(columns), self.draws)
        return fitted * self.errors[:, None, :]


def fit(columns: Any, responses: Any, within: Any = None, draws: int = DRAWS) -> Fit:
    """Fit each response by non-negative least squares on relative errors.

    A large run varies by more seconds than a small one, so relative errors are minimised: the weights are the
    reciprocals of the fitted values, found by fitting again.

    The interval is a parametric bootstrap: relative errors (as factors: a time is never negative) of all responses
    together are drawn with the covariance of the logarithmic residuals, scaled by a chi-square draw because few degrees of
    freedom leave the variance uncertain, the coefficients are fitted again to each draw, and the error of one further
    run is added. Where errors are small and no coefficient is held at 0 that is the classical t prediction interval of
    least squares; it widens with the distance from the points.

    Args:
        columns: (points, terms), none negative.
        responses: (points, responses), all above 0.
        within: relative standard deviation of one run about the value of its point, for each response, where points
            are medians of several runs: a further run varies by that as well.
        draws: number of repeated fits.
    """
    matrix, measured = np.asarray(columns, dtype=float), np.asarray(responses, dtype=float)
    coefficients = np.column_stack([_weighted(matrix, measured[:, n]) for n in range(measured.shape[1])])
    fitted = _positive(matrix @ coefficients, measured)
    residuals = np.log(measured / fitted)
    degrees = len(matrix) - matrix.shape[1]
    if degrees < LEAST_DEGREES:
        return Fit(coefficients, residuals, degrees)
    random = np.random.default_rng(_SEED)
    root = _root(residuals.T @ residuals / degrees)
    scale = np.sqrt(degrees / random.chisquare(degrees, draws))
    errors = random.standard_normal((draws, *residuals.shape)) @ root * scale[:, None, None]
    further = random.standard_normal((draws, residuals.shape[1])) @ root * scale[:, None]
    if within is not None:
        further += random.standard_normal(further.shape) * np.asarray(within)
    factors, further = (np.exp(np.clip(drawn, -_FARTHEST, _FARTHEST)) for drawn in (errors, further))
    return Fit(coefficients, residuals, degrees, _refits(matrix, fitted, factors), further)


def _weighted(matrix: Any, measured: Any) -> Any:
    weights = measured
    for _ in range(_ROUNDS):
        found = _solve(matrix / weights[:, None], measured / weights)
        weights = _positive(matrix @ found, measured)
    return found


def _refits(matrix: Any, fitted: Any, factors: Any) -> Any:
    """Fit again to each draw, with the weights of the fit.

    Plain least squares is used where it has no negative coefficient, because it needs no search.
    """
    draws = np.empty((len(factors), matrix.shape[1], fitted.shape[1]))
    for response in range(fitted.shape[1]):
        weighted = matrix / fitted[:, response, None]
        targets = factors[:, :, response]
        length = np.linalg.norm(weighted, axis=0)
        draws[:, :, response] = targets @ np.linalg.pinv(weighted / length).T / length
        for number in np.flatnonzero((draws[:, :, response] < 0).any(axis=1)):
            draws[number, :, response] = _solve(weighted, targets[number])
    return draws


def _solve(matrix: Any, target: Any) -> Any:
    """Solve with columns scaled to one length, because rows are millions of times cores."""
    length = np.maximum(np.linalg.norm(matrix, axis=0), np.finfo(float).tiny)
    return nnls(matrix / length, target)[0] / length


def _positive(fitted: Any, measured: Any) -> Any:
    return np.maximum(fitted, _LEAST_SHARE * measured)


def _root(covariance: Any) -> Any:
    """Return the symmetric square root of a covariance, which need not have full rank."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors @ np.diag(np.sqrt(np.maximum(0.0, values))) @ vectors.T
