"""Baseline for ranking: the items with the most interactions, the same for all users except for items they have."""

from dataclasses import dataclass
from typing import ClassVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.modelling.export import Exported
from jobs.modelling.factors import FactorRanking
from jobs.prepare.stored import Tables
from jobs.runtime.phases import consume


@dataclass(frozen=True)
class PopularityScorer(FactorRanking):
    """Scores an item by its number of interactions; `items` is (item int, count float)."""

    items: DataFrame

    def score(self, pairs: DataFrame) -> DataFrame:
        """Return each pair's item's count; null for an item that training never saw."""
        joined = pairs.select("user", "item").join(self.items, "item", "left")
        return joined.select("user", "item", F.col("count").alias("prediction"))

    def recommend(self, users: DataFrame, k: int, seen: DataFrame | None) -> DataFrame:
        """Rank as a model of one factor: 1 by the item's count."""
        one = users.select(F.col("user").alias("id"), F.array(F.lit(1.0).cast("float")).alias("features"))
        return self.ranked(one, self._factors, k, seen, None)

    def exported(self) -> Exported:
        return Exported(items=self._factors)

    def release(self) -> None:
        super().release()
        self.items.unpersist()

    @property
    def _factors(self) -> DataFrame:
        return self.items.select(F.col("item").alias("id"), F.array("count").alias("features"))


@dataclass(frozen=True)
class Popularity:
    """The number of interactions of each item in the training part."""

    exportable: ClassVar[bool] = True

    @property
    def predicts_rating(self) -> bool:
        return False

    def fit(self, tables: Tables) -> PopularityScorer:
        counts = tables.ratings.groupBy("item").agg(F.count("*").cast("float").alias("count")).persist()
        consume(counts)
        return PopularityScorer(counts)


MODEL = Popularity
