"""Fit MLlib's blocked ALS, with the same model on every cluster shape, and free its RDDs afterwards."""

from dataclasses import dataclass
from typing import Any

from pyspark.ml.recommendation import ALS, ALSModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.phases import consume
from jobs.runtime.session import cached_rdds, release

KEPT = ("userFactors", "itemFactors")
"""MLlib's names of the RDDs with the factors, which tell them from caches of ours that are filled during the fit."""


@dataclass(frozen=True)
class AlsSettings:
    """Parameters of MLlib's ALS. `blocks` is the number of user blocks and of item blocks; it changes the model."""

    rank: int
    iterations: int
    reg: float
    blocks: int
    seed: int
    checkpoint: int
    implicit: bool
    alpha: float = 1.0


@dataclass(frozen=True)
class Factors:
    """A fitted factor model. `kept` are the RDDs that hold its factors on the executors."""

    model: ALSModel
    kept: dict[int, Any]

    @property
    def users(self) -> DataFrame:
        """Users' factors (id int, features array<float>), known users only."""
        return self.model.userFactors

    @property
    def items(self) -> DataFrame:
        """Items' factors (id int, features array<float>), known items only."""
        return self.model.itemFactors

    def score(self, pairs: DataFrame) -> DataFrame:
        """Add `als_prediction` float to `pairs`: null where user or item is unknown."""
        scored: DataFrame = self.model.transform(pairs)
        value = F.col("_als")
        return scored.select(*pairs.columns, F.when(~F.isnan(value), value).alias("als_prediction"))

    def release(self) -> None:
        """Free the factors."""
        release(self.kept)


def fit_als(ratings: DataFrame, settings: AlsSettings) -> Factors:
    """Fit ALS on (user int, item int, rating) and compute all factors.

    Explicit: regularisation weighted by the number of ratings (Zhou et al., AAIM 2008). Implicit: confidence
    1 + alpha x |rating| (Hu, Koren, Volinsky, ICDM 2008), preference where the rating is above 0.
    """
    before = cached_rdds(ratings.sparkSession)
    als = ALS(
        rank=settings.rank,
        maxIter=settings.iterations,
        regParam=settings.reg,
        numUserBlocks=settings.blocks,
        numItemBlocks=settings.blocks,
        implicitPrefs=settings.implicit,
        alpha=settings.alpha,
        seed=settings.seed,
        userCol="user",
        itemCol="item",
        ratingCol="rating",
        checkpointInterval=settings.checkpoint,
        coldStartStrategy="nan",
    )
    model = als.setPredictionCol("_als").fit(ratings.select("user", "item", "rating"))
    consume(model.userFactors)
    consume(model.itemFactors)
    return Factors(
        model,
        {
            number: rdd
            for number, rdd in cached_rdds(ratings.sparkSession).items()
            if number not in before and rdd.name() in KEPT
        },
    )
