"""Intervals that a model gives around its predictions: whether they hold as many of the test ratings as they say."""

from statistics import NormalDist

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.modelling.model import Uncertain

LEVELS = (50, 80, 95)
"""Percent of ratings that intervals should hold."""


def held(test: DataFrame, scorer: Uncertain) -> dict[str, float]:
    """Return `interval_<level>`: the share of test ratings in the interval of that level, from normal distributions; and `deviation`, their mean.

    Args:
        test: (user, item, rating); a pair stands in it once.
        scorer: a fitted model.
    """
    truth = test.select("user", "item", "rating").where(F.col("rating").isNotNull())
    both = scorer.deviating(truth.select("user", "item")).join(truth, ["user", "item"])
    off = F.abs(F.col("rating") - F.col("prediction")) / F.col("deviation")
    limits = {level: NormalDist().inv_cdf(0.5 + level / 200) for level in LEVELS}
    inside = [
        F.mean((off <= limit).cast("double")).alias(f"interval_{level}") for level, limit in limits.items()
    ]
    row = both.agg(*inside, F.mean("deviation").alias("deviation")).first()
    assert row is not None  # an aggregate without groups has exactly one
    return {name: float(value) for name, value in row.asDict().items() if value is not None}
