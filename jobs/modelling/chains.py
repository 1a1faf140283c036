"""Health of Markov chains: whether they tell the same, and how many independent draws their samples are worth.

A. Gelman, J. Carlin, H. Stern, D. Dunson, A. Vehtari, D. Rubin, "Bayesian Data Analysis", third edition, 2013, section 11.4 (chains split in halves)
and 11.5; autocorrelations are summed up to the first pair whose sum is negative (C. Geyer, "Practical Markov Chain Monte Carlo", 1992).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


def r_hat(traces: Any) -> float:
    """Return how much wider all draws together are than each half of a chain: 1 if they tell the same, NaN for fewer than four draws.

    Args:
        traces: of one number, [chains, draws].
    """
    halves = _halves(traces)
    if halves.shape[1] < 2:
        return float("nan")
    within, total = _variances(halves)
    return float(np.sqrt(total / within)) if within > 0 else 1.0


def effective_size(traces: Any) -> float:
    """Return how many independent draws the draws [chains, draws] are worth; NaN for fewer than four."""
    halves = _halves(traces)
    chains, draws = halves.shape
    if draws < 2:
        return float("nan")
    within, total = _variances(halves)
    if not within > 0:
        return float(chains * draws)
    centred = halves - halves.mean(axis=1, keepdims=True)
    products = [
        (centred[:, lag:] * centred[:, : draws - lag]).sum(axis=1).mean() / draws for lag in range(draws)
    ]
    alike = 1 - (within - np.array(products) * draws / (draws - 1)) / total
    alike[0] = 1.0
    pairs = alike[: draws // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    kept = np.minimum.accumulate(pairs[: negative[0]] if len(negative) else pairs)
    return float(chains * draws / max(2 * kept.sum() - 1, 1 / np.log10(max(chains * draws, 10))))


def _halves(traces: Any) -> Doubles:
    given = np.asarray(traces, dtype=np.float64)
    half = given.shape[1] // 2
    return np.concatenate([given[:, :half], given[:, given.shape[1] - half :]])


def _variances(halves: Doubles) -> tuple[float, float]:
    """Return the mean variance within the halves, and the estimate of the variance of all draws."""
    draws = halves.shape[1]
    within = float(halves.var(axis=1, ddof=1).mean())
    between = float(draws * halves.mean(axis=1).var(ddof=1))
    return within, within * (draws - 1) / draws + between / draws
