"""Factors of a Bayesian factorisation: samples of them, side by side, predict a mean and a deviation, and tell how the chains are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pyspark.sql import DataFrame

from datasets.compiled import compiled
from jobs.engine.arrays import USERS, Floats, Ints
from jobs.modelling.blocked import SCORED, BlockedScorer, Side, known_pairs, scoring
from jobs.modelling.chains import effective_size, r_hat
from jobs.modelling.factors import with_biases

_ALMOST_ALL = 0.95
"""Share of the pairs that chains are judged by: the worst ones of a thousand are chance."""


def joined(samples: Sequence[Floats], side: int, mean: float) -> Floats:
    """Put samples side by side, so that the product of two such rows is the mean of the samples' predictions.

    Args:
        samples: of each [ids, rank + 1], the bias last.
        side: whose they are.
        mean: of all ratings, which was taken off them.

    Returns:
        float32 [ids, samples * (rank + 2)]; users' are over the number of samples.
    """
    ids, width = samples[0].shape[0], samples[0].shape[1] + 1
    out = np.empty((ids, len(samples) * width), dtype=np.float32)
    for number, sample in enumerate(samples):
        out[:, number * width : (number + 1) * width] = with_biases(sample, side, mean)
    if side == USERS:
        out /= np.float32(len(samples))
    return out


@dataclass(frozen=True)
class SampledScorer(BlockedScorer):
    """Scores by the mean over samples, which stand side by side in the factors.

    Attributes:
        chains: number of samples of each chain; those of one chain are together.
        noise: variance of a rating around its mean; spread: of one whose user or item is not known.
        traces: of each chain, numbers by sweep.
    """

    chains: tuple[int, ...] = (1,)
    noise: float = 1.0
    spread: float = 1.0
    traces: Mapping[str, list[tuple[int, float]]] = field(default_factory=dict)

    def deviating(self, pairs: DataFrame) -> DataFrame:
        """Predict pairs with the standard deviation of a rating: that of the samples and of the noise together."""
        deviation = _Deviation(sum(self.chains), self.noise, self.spread)
        predict = scoring(self.sides, self.baseline, deviation, clip=self.clip)
        return pairs.select("user", "item").mapInArrow(predict, f"{SCORED}, deviation float")

    def agreement(self, user: Ints, item: Ints) -> dict[str, float]:
        """Return how well the chains agree on predictions of pairs: R-hat and effective size that 95% of the pairs reach."""
        users, items = self.sides.value
        both = known_pairs(users, items, user, item)
        if not len(both):
            return {}
        count, least = sum(self.chains), min(self.chains)
        samples = np.empty((len(both), count), dtype=np.float32)
        _sampled(users.factors, items.factors, user[both], item[both], samples)
        ends = np.cumsum(self.chains)
        traces = np.stack([samples[:, end - least : end] for end in ends], axis=1)
        return {
            "chain_pairs_r_hat": float(np.quantile([r_hat(trace) for trace in traces], _ALMOST_ALL)),
            "chain_pairs_size": float(
                np.quantile([effective_size(trace) for trace in traces], 1 - _ALMOST_ALL)
            ),
        }

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """Return what each chain was at by sweep."""
        return dict(self.traces)


@dataclass(frozen=True)
class _Deviation:
    """Deviations of pairs' ratings, from a number of samples; other attributes as of `SampledScorer`."""

    samples: int
    noise: float
    unknown: float

    def __call__(self, users: Side, items: Side, user: Ints, item: Ints) -> Floats:
        spread = np.full(len(user), self.unknown - self.noise, dtype=np.float32)
        both = known_pairs(users, items, user, item)
        _variances(users.factors, items.factors, user[both], item[both], self.samples, both, spread)
        found: Floats = np.sqrt(spread + np.float32(self.noise))
        return found


@compiled
def _sampled(users, items, user, item, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write each sample's prediction of each pair, [pairs, samples]; users' factors are over the number of samples."""
    samples = out.shape[1]
    width = users.shape[1] // samples
    for n in range(len(user)):
        for sample in range(samples):
            product = 0.0
            for j in range(sample * width, (sample + 1) * width):
                product += users[user[n], j] * items[item[n], j]
            out[n, sample] = product * samples


@compiled
def _variances(users, items, user, item, samples, places, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    """Write the variance of each pair's predictions to its place."""
    one = np.empty((1, samples), dtype=np.float32)
    for n in range(len(places)):
        _sampled(users, items, user[n : n + 1], item[n : n + 1], one)
        total, squares = 0.0, 0.0
        for sample in range(samples):
            total += one[0, sample]
            squares += np.float64(one[0, sample]) ** 2
        out[places[n]] = max(0.0, squares / samples - (total / samples) ** 2)
