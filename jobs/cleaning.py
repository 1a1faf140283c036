"""Turns a source's rows into clean interactions, and counts every row that does not get through, with its reason."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.errors import JobError


@dataclass(frozen=True)
class Limits:
    """What a rating may be; None leaves a side open. `step` is the distance between two possible ratings."""

    low: float | None = None
    high: float | None = None
    step: float | None = None


def flag(ratings: DataFrame, limits: Limits, path: str) -> DataFrame:
    """Add `reason` (null for a good row), `file` and `digest` to rows of the schema RAW.

    `file` is `path`, the data set's place: which of its files a row came from is lost once a source joins them. The
    digest is the hash of the whole row by its keys; sums of it do not depend on the rows' order.
    """
    columns = ["user", "item", "rating", "at", "fold"]
    return ratings.select(
        *columns,
        _reason(limits).alias("reason"),
        F.lit(path).alias("file"),
        F.xxhash64(*columns).alias("digest"),
    )


def _reason(limits: Limits) -> Column:
    rating = F.col("rating")
    reason = (
        F.when(F.coalesce(F.trim("user"), F.lit("")) == "", "user missing")
        .when(F.coalesce(F.trim("item"), F.lit("")) == "", "item missing")
        .when(F.isnan(rating), "rating is not a number")
    )
    low, high, step = limits.low, limits.high, limits.step
    if low is not None:
        reason = reason.when(rating < low, f"rating below {low:g}")
    if high is not None:
        reason = reason.when(rating > high, f"rating above {high:g}")
    if step and low is not None:
        steps = (rating - low) / step
        reason = reason.when(F.abs(steps - F.round(steps)) > 1e-3, f"rating not in steps of {step:g}")
    return reason.when(F.abs(rating) == math.inf, "rating is not a number")


def refused(flagged: DataFrame) -> DataFrame:
    """Return the rows that `flag` gave a reason, as rows of the schema REJECTED."""
    texts = [
        F.coalesce(F.col(name).cast("string"), F.lit("")) for name in ("user", "item", "rating", "at", "fold")
    ]
    return flagged.where(F.col("reason").isNotNull()).select(
        "file", F.concat_ws("|", *texts).alias("text"), "reason"
    )


def latest(ratings: DataFrame) -> DataFrame:
    """Keep one row a (user, item) pair: the latest, then the higher rating, then the greater fold.

    `user` and `item` are ids. The result is spread by user and sorted by (user, item) in each partition, which is
    how it is written.
    """
    order = [F.col(name).desc_nulls_last() for name in ("at", "rating", "fold")]
    number = F.row_number().over(Window.partitionBy("user", "item").orderBy(*order))
    return ratings.repartition("user").withColumn("number", number).where("number = 1").drop("number")


def k_core(ratings: DataFrame, k: int) -> tuple[DataFrame, int, int]:
    """Drop users and items with fewer than `k` rows until none is left to drop.

    Each round's survivors are held by the driver (ids only), so that the plan does not grow with the rounds.

    Returns:
        The rest, the number of rounds, and how many rows there were before the first.

    Raises:
        JobError: nothing is left.
    """
    rows = before = ratings.count()
    kept, rounds = ratings, 0
    allowed: dict[str, DataFrame] = {}
    while True:
        for side in ("user", "item"):
            enough = kept.groupBy(side).count().where(F.col("count") >= k).select(side)
            allowed[side] = ratings.sparkSession.createDataFrame(enough.toPandas(), enough.schema)
            kept = ratings
            for name, ids in allowed.items():
                kept = kept.join(F.broadcast(ids), name, "left_semi")
        kept = kept.select(*ratings.columns)
        left, rounds = kept.count(), rounds + 1
        if left == 0:
            raise JobError(
                f"k_core={k} leaves no rating: no group of users and items has {k} ratings each; use a smaller k_core"
            )
        if left == rows:
            return kept, rounds, before
        rows = left


def check_share(reasons: Mapping[str, int], rows_in: int, rejected: DataFrame, limit: float) -> None:
    """Refuse data of which too many rows are bad; naming the first of them.

    Args:
        reasons: rows rejected for each reason.
        rows_in: rows and unreadable lines together.
        rejected: the rejected rows (schema REJECTED).
        limit: the largest share that is let through.

    Raises:
        JobError: more than `limit` of the rows are bad.
    """
    bad = sum(reasons.values())
    if bad <= limit * rows_in:
        return
    first = rejected.agg(F.min(F.struct("file", "text", "reason")).alias("first")).first()
    assert first is not None
    file, text, reason = first["first"]
    counted = ", ".join(
        f"{count:,} x {why}" for why, count in sorted(reasons.items(), key=lambda r: -r[1])[:5]
    )
    raise JobError(
        f"{bad:,} of {rows_in:,} rows ({bad / rows_in:.1%}) cannot be used, and at most {limit:.1%} may be "
        f"(max_rejected_share): {counted}.\nThe first, in {file}: {text!r}: {reason}.\n"
        "Mend the file or the reading options (columns, separator, encoding), set min_rating and max_rating to "
        "its scale, or raise max_rejected_share if these rows may be left out."
    )
