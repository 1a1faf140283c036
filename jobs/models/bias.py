"""Baseline of ratings, which every rating model must beat: global mean plus the item's and the user's bias.

Y. Koren, "Factor in the Neighbors: Scalable and Accurate Collaborative Filtering", ACM TKDD 4(1), 2010, section 2.1.
"""

from dataclasses import dataclass
from typing import ClassVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.modelling.baseline import BiasFit, RatingModel, clipped
from jobs.modelling.export import Exported
from jobs.modelling.factors import FactorRanking
from jobs.prepare.stored import Tables


@dataclass(frozen=True)
class BiasScorer(FactorRanking):
    """Scores by the baseline; unknown users and items get the mean."""

    fit: BiasFit
    clip: bool

    def score(self, pairs: DataFrame) -> DataFrame:
        prediction = F.col("bias_prediction")
        if self.clip:
            prediction = clipped(prediction, self.fit.low, self.fit.high)
        return self.fit.predict(pairs.select("user", "item")).select(
            "user", "item", prediction.alias("prediction")
        )

    def recommend(self, users: DataFrame, k: int, seen: DataFrame | None) -> DataFrame:
        """Rank as a model of two factors: (1, mean + user's bias) by (item's bias, 1)."""
        known = users.select("user").join(self.fit.users, "user", "left")
        user_factors = known.select(
            F.col("user").alias("id"),
            F.array(F.lit(1.0), F.lit(self.fit.mean) + F.coalesce(F.col("user_bias"), F.lit(0.0)))
            .cast("array<float>")
            .alias("features"),
        )
        item_factors = self.fit.items.select(
            F.col("item").alias("id"),
            F.array(F.col("item_bias"), F.lit(1.0)).cast("array<float>").alias("features"),
        )
        return self.ranked(user_factors, item_factors, k, seen, None)

    def exported(self) -> Exported:
        return Exported(bias=self.fit, clip=self.clip)

    def release(self) -> None:
        super().release()
        self.fit.release()


@dataclass(frozen=True)
class Bias(RatingModel):
    """Global mean, item and user effects; its hyper-parameters are those of every model of ratings."""

    exportable: ClassVar[bool] = True

    def fit(self, tables: Tables) -> BiasScorer:
        return BiasScorer(self.baseline(tables.ratings).hold(), self.clip)


MODEL = Bias
