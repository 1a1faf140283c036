"""Baseline of ratings, which every rating model must beat: global mean plus the item's and the user's bias.

Y. Koren, "Factor in the Neighbors: Scalable and Accurate Collaborative Filtering", ACM TKDD 4(1), 2010, section 2.1.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.topn import ItemFactors, recommend_factors
from jobs.modelling.baseline import BiasFit, clipped, fit_bias
from jobs.modelling.export import Exported
from jobs.prepare.stored import Tables
from jobs.runtime.cached_rdds import release_all


@dataclass(frozen=True)
class BiasScorer:
    """Scores by the baseline; unknown users and items get the mean."""

    fit: BiasFit
    clip: bool
    sent: list[ItemFactors] = field(default_factory=list)

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
        self.sent.append(ItemFactors(item_factors))
        return recommend_factors(user_factors, self.sent[-1], k, seen, None)

    def exported(self) -> Exported:
        return Exported(bias=self.fit, clip=self.clip)

    def release(self) -> None:
        release_all(self.sent)
        self.fit.release()


@dataclass(frozen=True)
class Bias:
    """Global mean, item and user effects.

    Attributes:
        reg_user: shrinkage of users' means, in ratings.
        reg_item: shrinkage of items' means, in ratings.
        clip: keep predictions within the ratings seen in training.
    """

    exportable: ClassVar[bool] = True

    reg_user: float = 10.0
    reg_item: float = 5.0
    clip: bool = True

    @property
    def predicts_rating(self) -> bool:
        return True

    def fit(self, tables: Tables) -> BiasScorer:
        return BiasScorer(fit_bias(tables.ratings, self.reg_user, self.reg_item).hold(), self.clip)


MODEL = Bias
