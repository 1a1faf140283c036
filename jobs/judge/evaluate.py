"""Judge a fitted model on the test part; metrics are computed only here.

Ratings: RMSE and MAE over the rows that have a prediction, never without the coverage and without what the two
simplest predictors reach on the same rows. Rankings: means over users with at least one relevant test item, of whom
those without a recommendation count as zeros; binary relevance.

* precision at k: hits / k; recall at k: hits / relevant items (Manning, Raghavan, Schütze, "Introduction to
  Information Retrieval", 2008, chapter 8).
* nDCG at k: the sum of 1 / log2(rank + 1) over hits, divided by its largest possible value, that of min(k, relevant)
  hits at the top (Järvelin, Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20(4), 2002).
* MAP at k: the sum of the precision at each hit's rank, divided by min(k, relevant).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol, runtime_checkable

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from datasets.dataset import find
from jobs.modelling.baseline import clipped, fit_bias
from jobs.models.bias import Bias
from jobs.prepare.profile import Profile, sent
from jobs.prepare.stored import Summary, Tables
from jobs.runtime.concurrent_actions import run_concurrently

_COUNTS = ("test_rows", "scored_rows", "cold_rows", "cold_users", "cold_items")


@dataclass(frozen=True)
class Evaluation:
    """Metrics of an evaluation; a metric that does not apply is absent.

    Metrics:
        coverage: rows with a prediction / test rows.
        rmse, mae: over rows with a prediction; rmse_covered: of these, rows whose user and item training knows.
        rmse_global_mean, rmse_bias: of the training part's mean and of its bias baseline, over the rows of `rmse`.
        precision_at_K, recall_at_K, ndcg_at_K, map_at_K: with the number for K.

    Counts:
        test_rows, scored_rows: rows of the test part, and those with a prediction.
        cold_users, cold_items: users and items of the test part that training does not know.
        cold_rows: rows with such a user or item.
        ranked_users: users over whom the ranking metrics are means.
    """

    metrics: dict[str, float]
    counts: dict[str, int]


@runtime_checkable
class Expecting(Protocol):
    """A source that knows the expected rating of each pair, without the noise."""

    def expected(self, variant: str, options: object, pairs: DataFrame) -> DataFrame:
        """Add `expected` double to pairs of keys (user string, item string, ...); null for unknown keys."""


def with_predictions(test: DataFrame, scored: DataFrame, rows: int | None = None) -> DataFrame:
    """Return the test rows as (user, item, rating, prediction double); what is no finite number is no prediction.

    Args:
        test: of the schema RATINGS, one row a pair.
        scored: the test part's pairs with the predictions of a model that was fitted on the training part.
        rows: how many `scored` has, if that is known.
    """
    prediction = F.col("prediction").cast("double")
    finite = F.when(F.abs(prediction) < F.lit(math.inf), prediction)  # NaN is larger than infinity to Spark
    found = sent(scored.select("user", "item", finite.alias("prediction")), rows)
    return test.select("user", "item", "rating").join(found, ["user", "item"], "left")


def evaluate(
    judged: DataFrame,
    train: DataFrame,
    recommendations: DataFrame | None,
    *,
    predicts_rating: bool,
    scale: tuple[float, float, float] | None,
    k: int,
    relevant: float | None,
    profile: Profile | None = None,
) -> Evaluation:
    """Compare predictions and recommendations with the test part; only sums reach the driver.

    Args:
        judged: of `with_predictions`; read twice.
        train: the training part, of the schema RATINGS; read twice.
        recommendations: (user, items, ...) with items best first; None leaves the ranking metrics out.
        predicts_rating: whether the scores are on the rating scale.
        scale: (lowest, highest, step) of the ratings, None if they are not ratings. Without a scale on both sides
            there are no error metrics. The bias baseline is clipped to it.
        k: how many of the recommendations count.
        relevant: a test row with at least this rating is relevant to its user; one without a rating always is. None: each
            row is.
        profile: of the training part, if somebody has looked: it spares looking again, and much where it is small.
    """
    errors_on = scale if predicts_rating else None
    sums, ranking = run_concurrently(
        lambda: _sums(judged, train, errors_on, profile),
        lambda: None if recommendations is None else _ranking(judged, recommendations, k, relevant, profile),
    )
    counts = {name: int(sums[name] or 0) for name in _COUNTS}
    metrics: dict[str, Any] = {}
    if errors_on is not None:
        metrics = {name: value for name, value in sums.asDict().items() if name not in counts}
    if counts["test_rows"]:
        metrics["coverage"] = counts["scored_rows"] / counts["test_rows"]
    if ranking is not None:
        means = ranking.asDict()
        counts["ranked_users"] = means.pop("ranked_users")
        metrics |= means
    return Evaluation({name: float(value) for name, value in metrics.items() if value is not None}, counts)


def by_user(
    judged: DataFrame,
    recommendations: DataFrame | None,
    *,
    scale: tuple[float, float, float] | None,
    k: int,
    relevant: float | None,
) -> DataFrame:
    """Judge every user of the test part alone, so that two models can be compared user by user.

    Args:
        judged: of `with_predictions`.
        recommendations: (user, items, ...) with items best first; None leaves the ranking out.
        scale: of the ratings; None where there are no error metrics.
        k: how many of the recommendations count.
        relevant: as of `evaluate`.

    Returns:
        One row a user: (user int, rows long, scored long: as the counts of `evaluate`; check long: a hash of the test
        rows, equal where these are; squared double: the sum of squared errors, null without a scale; ndcg double:
        null without recommendations and for users without a relevant test item).
    """
    wrong = F.when(F.col("prediction").isNotNull(), F.col("prediction") - F.col("rating"))
    users = judged.groupBy("user").agg(
        F.count("*").alias("rows"),
        F.count("prediction").alias("scored"),
        F.bit_xor(F.xxhash64("item", "rating")).alias("check"),
        (F.lit(None) if scale is None else F.sum(F.pow(wrong, 2))).cast("double").alias("squared"),
    )
    if recommendations is None:
        return users.withColumn("ndcg", F.lit(None).cast("double"))
    ranked = _ranked(judged, recommendations, k, relevant)
    return users.join(ranked.select("user", F.col(f"ndcg_at_{k}").alias("ndcg")), "user", "left")


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


def _sums(
    judged: DataFrame, train: DataFrame, errors_on: tuple[float, float, float] | None, profile: Profile | None
) -> Row:
    """Count the test rows and, on a rating scale, sum up their errors."""
    if errors_on is None:
        return _only_row(_with_known(judged, train, profile).agg(*_counts()))
    return _only_row(_with_baselines(judged, train, errors_on, profile).agg(*_counts(), *_errors()))


def _only_row(frame: DataFrame) -> Row:
    row = frame.first()
    assert row is not None  # an aggregate without groups has exactly one
    return row


def _with_known(rows: DataFrame, train: DataFrame, profile: Profile | None) -> DataFrame:
    """Add `known_user` and `known_item`: whether training knows them."""
    for side in ("user", "item"):
        there = train.select(side).distinct().withColumn(f"known_{side}", F.lit(True))
        known = None if profile is None else {"user": profile.n_users, "item": profile.n_items}[side]
        rows = rows.join(sent(there, known), side, "left")
    return rows.withColumns(
        {f"known_{side}": F.col(f"known_{side}").isNotNull() for side in ("user", "item")}
    )


def _with_baselines(
    rows: DataFrame, train: DataFrame, scale: tuple[float, float, float], profile: Profile | None
) -> DataFrame:
    """Add `global_mean`, `bias`, `known_user` and `known_item`.

    Where every training row has a rating, the baseline's tables hold just the users and items that training knows.
    """
    baseline = Bias()
    fit = fit_bias(train, baseline.reg_user, baseline.reg_item, profile)
    low, high, _ = scale
    predicted = (
        fit.predict(rows, known=True) if not fit.left_out else _with_known(fit.predict(rows), train, profile)
    )
    return predicted.withColumns(
        {"global_mean": F.lit(fit.mean), "bias": clipped(F.col("bias_prediction"), low, high)}
    )


def _warm() -> Column:
    return F.col("known_user") & F.col("known_item")


def _counts() -> list[Column]:
    """Return the columns named in _COUNTS; a set of ids is small beside the factors, and spares two more queries."""
    return [
        F.count("*").alias("test_rows"),
        F.count("prediction").alias("scored_rows"),
        F.count(F.when(~_warm(), 1)).alias("cold_rows"),
        *(
            F.size(F.collect_set(F.when(~F.col(f"known_{side}"), F.col(side)))).alias(f"cold_{side}s")
            for side in ("user", "item")
        ),
    ]


def _errors() -> list[Column]:
    """Errors of rows that have a rating and a prediction; null if there is none."""

    def rmse(name: str, where: Column | None = None) -> Column:
        error = F.when(F.col("prediction").isNotNull(), F.col(name) - F.col("rating"))
        return F.sqrt(F.avg(F.pow(error if where is None else F.when(where, error), 2)))

    return [
        rmse("prediction").alias("rmse"),
        F.avg(F.abs(F.col("prediction") - F.col("rating"))).alias("mae"),
        rmse("prediction", _warm()).alias("rmse_covered"),
        rmse("global_mean").alias("rmse_global_mean"),
        rmse("bias").alias("rmse_bias"),
    ]


def _ranking(
    test: DataFrame, recommendations: DataFrame, k: int, relevant: float | None, profile: Profile | None
) -> Row:
    """Return the means of the ranking metrics, null if no user has a relevant item, and `ranked_users`."""
    ranked = _ranked(test, recommendations, k, relevant, profile)
    means = [F.avg(name).alias(name) for name in ranked.columns if name != "user"]
    return _only_row(ranked.agg(*means, F.count("*").alias("ranked_users")))


def _ranked(
    test: DataFrame,
    recommendations: DataFrame,
    k: int,
    relevant: float | None,
    profile: Profile | None = None,
) -> DataFrame:
    """Return (user, the ranking metrics) for every user with a relevant item."""
    wanted = (
        test if relevant is None else test.where(F.col("rating").isNull() | (F.col("rating") >= relevant))
    )
    users = wanted.groupBy("user").agg(F.collect_set("item").alias("relevant"))
    lists = recommendations.select("user", F.slice("items", 1, k).alias("items"))
    hits = F.transform("items", lambda item, at: F.when(F.array_contains("relevant", item), at + 1))
    ranks = F.coalesce(F.filter(hits, lambda rank: rank.isNotNull()), F.array().cast("array<int>"))
    best = F.least(F.size("relevant"), F.lit(k))  # hits of the best possible list
    gains = [1 / math.log2(rank + 1) for rank in range(1, k + 1)]
    ideal = _numbers(accumulate(gains))[best - 1]
    gain = F.aggregate("ranks", F.lit(0.0), lambda total, rank: total + _numbers(gains)[rank - 1])
    precisions = F.transform("ranks", lambda rank, at: (at + 1) / rank)
    average = F.aggregate(precisions, F.lit(0.0), lambda total, at: total + at) / best
    found = F.size("ranks")
    # A list takes about as much room as a row of two numbers for every four of its items.
    rows = None if profile is None else profile.n_users * k // 4
    return (
        users.join(sent(lists, rows), "user", "left")
        .withColumn("ranks", ranks)
        .select(
            "user",
            (found / F.lit(k)).alias(f"precision_at_{k}"),
            (found / F.size("relevant")).alias(f"recall_at_{k}"),
            (gain / ideal).alias(f"ndcg_at_{k}"),
            average.alias(f"map_at_{k}"),
        )
    )


def _numbers(values: Iterable[float]) -> Column:
    return F.array(*map(F.lit, values))
