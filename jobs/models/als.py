"""Matrix factorisation of ratings by alternating least squares, MLlib's explicit variant.

Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-Scale Parallel Collaborative Filtering for the Netflix Prize",
AAIM 2008. Rows whose user or item it has not seen fall back to the bias baseline.
"""

from dataclasses import dataclass
from typing import ClassVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.modelling.baseline import BiasFit, RatingModel, clipped
from jobs.modelling.export import Exported
from jobs.modelling.factors import FactorRanking
from jobs.modelling.mllib import AlsSettings, Factors, fit_als
from jobs.modelling.preflight import check_als
from jobs.prepare.stored import Tables


@dataclass(frozen=True)
class AlsScorer(FactorRanking):
    """Scores by factors where it knows both sides, else by the baseline."""

    factors: Factors
    bias: BiasFit
    on_residuals: bool
    clip: bool

    def score(self, pairs: DataFrame) -> DataFrame:
        """Predict every pair; none is null."""
        scored = self.bias.predict(self.factors.score(pairs.select("user", "item")))
        als = F.col("als_prediction") + (F.col("bias_prediction") if self.on_residuals else F.lit(0.0))
        prediction = F.coalesce(als, F.col("bias_prediction")).cast("float")
        if self.clip:
            prediction = clipped(prediction, self.bias.low, self.bias.high)
        return scored.select("user", "item", prediction.alias("prediction"))

    def recommend(self, users: DataFrame, k: int, seen: DataFrame | None) -> DataFrame:
        """Rank by the unclipped prediction, in which ties are rare; users without factors are absent."""
        return self.ranked(*self._ranking_factors(), k, seen, users)

    def exported(self) -> Exported:
        return Exported(self.factors.users, self.factors.items, self.bias, self.on_residuals, self.clip)

    def release(self) -> None:
        super().release()
        self.factors.release()
        self.bias.release()

    def _ranking_factors(self) -> tuple[DataFrame, DataFrame]:
        """Return both sides' factors, with the baseline as two more dimensions where it is part of the model."""
        users, items = self.factors.users, self.factors.items
        if not self.on_residuals:
            return users, items
        user_bias, item_bias = (
            self.bias.users.withColumnRenamed("user", "id"),
            self.bias.items.withColumnRenamed("item", "id"),
        )
        own = F.array(F.lit(1.0), F.lit(self.bias.mean) + F.col("user_bias")).cast("array<float>")
        other = F.array(F.col("item_bias"), F.lit(1.0)).cast("array<float>")
        return (
            users.join(user_bias, "id").select("id", F.concat("features", own).alias("features")),
            items.join(item_bias, "id").select("id", F.concat("features", other).alias("features")),
        )


@dataclass(frozen=True)
class Als(RatingModel):
    """Explicit ALS; besides these it has the hyper-parameters of every model of ratings.

    Attributes:
        rank: number of factors.
        iterations: one solves the items and then the users.
        reg: regularisation, weighted by each side's number of ratings.
        blocks: number of user blocks and of item blocks, at least the cores of the largest cluster; it changes the model.
        seed: seed of the first factors.
        on_residuals: factorise the residuals of the bias baseline, and add the baseline to predictions.
        checkpoint: number of iterations between checkpoints of the lineage.
    """

    exportable: ClassVar[bool] = True

    rank: int = 32
    iterations: int = 12
    reg: float = 0.06
    blocks: int = 8
    seed: int = 1
    on_residuals: bool = False
    checkpoint: int = 5

    def preflight(self, tables: Tables) -> None:
        check_als(tables, self.rank, self.blocks, instead="als_implicit")

    def fit(self, tables: Tables) -> AlsScorer:
        bias = self.baseline(tables.ratings).hold()
        settings = AlsSettings(
            self.rank, self.iterations, self.reg, self.blocks, self.seed, self.checkpoint, implicit=False
        )
        factors = fit_als(self._targets(tables.ratings, bias), settings)
        return AlsScorer(factors, bias, self.on_residuals, self.clip)

    def _targets(self, ratings: DataFrame, bias: BiasFit) -> DataFrame:
        if not self.on_residuals:
            return ratings
        rest = (F.col("rating") - F.col("bias_prediction")).cast("float")
        return bias.predict(ratings.select("user", "item", "rating")).select(
            "user", "item", rest.alias("rating")
        )


MODEL = Als
