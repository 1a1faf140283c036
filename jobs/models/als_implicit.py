"""Matrix factorisation of preferences by weighted alternating least squares, for ranking.

Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008. Its scores are
preferences (about 0 to 1), not ratings, so it has no RMSE.
"""

from dataclasses import dataclass
from typing import ClassVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.modelling.export import Exported
from jobs.modelling.factors import FactorRanking
from jobs.modelling.implicit_confidence import Confidence, check_confidence, strength
from jobs.modelling.mllib import AlsSettings, Factors, fit_als
from jobs.modelling.preflight import check_als
from jobs.prepare.stored import Tables


@dataclass(frozen=True)
class ImplicitScorer(FactorRanking):
    """Scores by factors; pairs whose user or item it has not seen have no score."""

    factors: Factors

    def score(self, pairs: DataFrame) -> DataFrame:
        scored = self.factors.score(pairs.select("user", "item"))
        return scored.select("user", "item", F.col("als_prediction").alias("prediction"))

    def recommend(self, users: DataFrame, k: int, seen: DataFrame | None) -> DataFrame:
        return self.ranked(self.factors.users, self.factors.items, k, seen, users)

    def exported(self) -> Exported:
        return Exported(self.factors.users, self.factors.items)

    def release(self) -> None:
        super().release()
        self.factors.release()


@dataclass(frozen=True)
class AlsImplicit:
    """Implicit ALS.

    Attributes:
        rank: number of factors.
        iterations: one solves the items and then the users.
        reg: regularisation, weighted by each side's number of interactions.
        alpha: how much an interaction's rating (1 where there is none) adds to the confidence of 1.
        confidence: "linear": 1 + alpha x rating; "log": 1 + alpha x log(1 + rating / eps), for counts.
        eps: the rating that counts as one step of the logarithm; with "log" only.
        blocks: number of user blocks and of item blocks, at least the cores of the largest cluster; it changes the model.
        seed: seed of the first factors.
        checkpoint: number of iterations between checkpoints of the lineage.
    """

    exportable: ClassVar[bool] = True

    rank: int = 32
    iterations: int = 12
    reg: float = 0.05
    alpha: float = 1.0
    confidence: Confidence = "linear"
    eps: float = 1.0
    blocks: int = 8
    seed: int = 1
    checkpoint: int = 5

    def __post_init__(self) -> None:
        check_confidence(self.alpha, self.eps)

    @property
    def predicts_rating(self) -> bool:
        return False

    def preflight(self, tables: Tables) -> None:
        check_als(tables, self.rank, self.blocks)

    def fit(self, tables: Tables) -> ImplicitScorer:
        given = strength(F.col("rating"), self.confidence, self.eps).alias("rating")
        settings = AlsSettings(
            self.rank,
            self.iterations,
            self.reg,
            self.blocks,
            self.seed,
            self.checkpoint,
            implicit=True,
            alpha=self.alpha,
        )
        return ImplicitScorer(fit_als(tables.ratings.select("user", "item", given), settings))


MODEL = AlsImplicit
