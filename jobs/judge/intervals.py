"""Intervals that a model gives around its predictions: whether they hold as many of the test ratings as they say."""

from statistics import NormalDist
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.modelling.model import Uncertain

LEVELS = (50, 80, 95)
"""Percent of ratings that intervals should hold."""

CURVE = tuple(range(5, 100, 5))
"""The same, of a series."""


class Held(NamedTuple):
    """Shares of test ratings in intervals from normal distributions.

    Attributes:
        metrics: `interval_<level>`, the share in the interval of that level; and `deviation`, the mean of the distributions'.
        curve: the shares by level, in percent.
    """

    metrics: dict[str, float]
    curve: list[tuple[int, float]]


def held(test: DataFrame, scorer: Uncertain) -> Held:
    """Count the test ratings in each interval.

    Args:
        test: (user, item, rating); a pair stands in it once.
        scorer: a fitted model.
    """
    truth = test.select("user", "item", "rating").where(F.col("rating").isNotNull())
    both = scorer.deviating(truth.select("user", "item")).join(truth, ["user", "item"])
    off = F.abs(F.col("rating") - F.col("prediction")) / F.col("deviation")
    inside = [F.mean((off <= _limit(level)).cast("double")).alias(f"{level}") for level in {*LEVELS, *CURVE}]
    row = both.agg(*inside, F.mean("deviation").alias("deviation")).first()
    assert row is not None  # an aggregate without groups has exactly one
    found = {name: float(value) for name, value in row.asDict().items() if value is not None}
    if not found:
        return Held({}, [])
    metrics = {f"interval_{level}": found[f"{level}"] for level in LEVELS}
    return Held(metrics | {"deviation": found["deviation"]}, [(level, found[f"{level}"]) for level in CURVE])


def _limit(level: int) -> float:
    """Return how many deviations off the ends of an interval are."""
    return NormalDist().inv_cdf(0.5 + level / 200)
