"""Noise floor of generated data: the RMSE of the best possible predictor, which is known because the noise is."""

from typing import Protocol, runtime_checkable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from datasets.dataset import find
from jobs.prepare.stored import Summary, Tables


@runtime_checkable
class Expecting(Protocol):
    """A source that knows the expected rating of each pair, without the noise."""

    def expected(self, variant: str, options: object, pairs: DataFrame) -> DataFrame:
        """Add `expected` double to pairs of keys (user string, item string, ...); null for unknown keys."""


def noise_floor(summary: Summary, tables: Tables, test: DataFrame) -> dict[str, float]:
    """Return `rmse_floor`, the RMSE of the source's expected ratings on the test rows; empty if the source has none."""
    dataset = find(summary.dataset, summary.options)
    if not isinstance(dataset.source, Expecting):
        return {}
    users = tables.users.select("user", F.col("key").alias("user_key"))
    items = tables.items.select("item", F.col("key").alias("item_key"))
    keyed = (
        test.join(users, "user")
        .join(items, "item")
        .select(F.col("user_key").alias("user"), F.col("item_key").alias("item"), "rating")
    )
    known = dataset.source.expected(dataset.variant, dataset.options, keyed)
    row = known.agg(F.sqrt(F.avg(F.pow(F.col("expected") - F.col("rating"), 2)))).first()
    return {} if row is None or row[0] is None else {"rmse_floor": float(row[0])}
