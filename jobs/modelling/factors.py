"""Ranking by products of factors, as every scorer of a factor model does it."""

from dataclasses import dataclass, field

import numpy as np
from pyspark.sql import DataFrame

from jobs.engine.arrays import USERS, Floats
from jobs.engine.topn_frames import ItemFactors, recommend_factors


def with_biases(factors: Floats, side: int, mean: float) -> Floats:
    """Return factors of a side, [..., rank + 1] with the bias last, as [..., rank + 2] whose products are predictions: both biases and the mean included."""
    rank = factors.shape[-1] - 1
    out = np.ones((*factors.shape[:-1], rank + 2), dtype=np.float32)
    if side == USERS:
        out[..., : rank + 1] = factors
    else:
        out[..., :rank] = factors[..., :rank]
        out[..., rank + 1] = factors[..., rank] + np.float32(mean)
    return out


@dataclass(frozen=True)
class FactorRanking:
    """Part of a scorer that ranks by factors; what it sends to the executors for that is freed by `release`."""

    sent: list[ItemFactors] = field(default_factory=list, kw_only=True)

    def ranked(
        self, users: DataFrame, items: DataFrame, k: int, seen: DataFrame | None, asked: DataFrame | None
    ) -> DataFrame:
        """Rank the best `k` items for each user.

        Args:
            users: (id int, features array<float>).
            items: (id int, features array<float>).
            k: how many.
            seen: (user, item) pairs to leave out.
            asked: (user int) whom to rank for; None for all in `users`.

        Returns:
            As `jobs.modelling.model.Scorer.recommend`.
        """
        self.sent.append(ItemFactors(items))
        return recommend_factors(users, self.sent[-1], k, seen, asked)

    def release(self) -> None:
        """Free what was sent; frames that were ranked with it can no longer be computed."""
        while self.sent:
            self.sent.pop().release()
