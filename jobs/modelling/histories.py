"""Score and rank from what each user did in training: a frame of one row a user, which stays on the executors.

Only what is known of the items is broadcast, so the number of ratings is limited by the cluster's disks alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import JobError
from jobs.engine.arrays import Floats, Ints
from jobs.engine.neighbours import Csr
from jobs.engine.topn_frames import (
    RECOMMENDATIONS,
    Lists,
    lists,
    places,
    positions,
    recommendation_batch,
    with_lists,
)
from jobs.modelling.baseline import BiasFit


class Batch(NamedTuple):
    """Some users' histories over places of items: `rest` the residuals, `liked` 1 or 0.

    `user_bias` is float32 [users]; a user without a history has an empty row and 0.
    """

    rest: Csr
    liked: Csr
    user_bias: Floats


class Predictor(Protocol):
    """Predicts in a Python worker."""

    def predict(self, batch: Batch, rows: Ints, items: Ints) -> Floats:
        """Return float32 [pairs] for pairs of a row of the batch, ascending, and an item, -1 for an unknown one.

        NaN is no prediction.
        """


class Ranker(Protocol):
    """Ranks in a Python worker."""

    def rank(self, batch: Batch, k: int, seen: Lists | None) -> tuple[Ints, Floats]:
        """Return the best items of each row of the batch, but for those in `seen`, as `jobs.engine.top_k.top_k` does."""


class Fitted(NamedTuple):
    """Data for executors: int32 [m] ascending ids of all items, histories' included, and the fitted values by place."""

    ids: Ints
    predictor: Predictor
    ranker: Ranker


@dataclass(frozen=True)
class HistoryScorer:
    """Scores in the users' Python workers. `kept` is a persisted frame as `histories` returns it."""

    fitted: "Broadcast[Fitted]"
    kept: DataFrame

    def score(self, pairs: DataFrame) -> DataFrame:
        """Predict every pair; null for an item of which nothing is known."""
        asked = pairs.groupBy("user").agg(F.collect_list("item").alias("asked"))
        frame = asked.join(self.kept, "user", "left")
        return frame.mapInArrow(_Score(self.fitted), "user int, item int, prediction float")

    def recommend(self, users: DataFrame, k: int, seen: DataFrame | None) -> DataFrame:
        """Rank all items, also those without ratings; users without a history get the ranking of the average user."""
        frame = users.select("user").join(self.kept, "user", "left")
        if seen is not None:
            frame = with_lists(frame, seen, F.col("item"))
        return frame.mapInArrow(_Rank(self.fitted, k), RECOMMENDATIONS)

    def release(self) -> None:
        self.kept.unpersist()
        self.fitted.destroy()


@dataclass(frozen=True)
class _Score:
    fitted: "Broadcast[Fitted]"

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        ids, predictor, _ = self.fitted.value
        for batch in batches:
            asked, users = lists(batch.column("asked")), batch.column("user")
            rows = np.repeat(np.arange(len(users), dtype=np.int32), np.diff(asked.offsets))
            items = pa.array(asked.values, type=pa.int32())
            prediction: Any = predictor.predict(read(batch, ids), rows, places(items, ids))
            columns = [users.take(pa.array(rows)), items, pa.array(prediction, mask=np.isnan(prediction))]
            yield pa.RecordBatch.from_arrays(columns, names=["user", "item", "prediction"])


@dataclass(frozen=True)
class _Rank:
    fitted: "Broadcast[Fitted]"
    k: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        ids, _, ranker = self.fitted.value
        for batch in batches:
            seen = positions(lists(batch.column("seen")), ids) if "seen" in batch.schema.names else None
            found, scores = ranker.rank(read(batch, ids), self.k, seen)
            yield recommendation_batch(batch.column("user"), ids, found, scores)


def item_counts(ratings: DataFrame) -> Any:
    """Return (item, n, rated), rated being the number of its rows with a rating, by item.

    Raises:
        JobError: there is no row.
    """
    counts = ratings.groupBy("item").agg(F.count("*").alias("n"), F.count("rating").alias("rated"))
    rows = counts.orderBy("item").toPandas()
    if rows.empty:
        raise JobError(
            "the training part has no rows: preprocess a data set with ratings, or use another split"
        )
    return rows


def histories(ratings: DataFrame, bias: BiasFit | None) -> DataFrame:
    """Gather each user's history.

    Args:
        ratings: the training part.
        bias: the baseline fitted on it, and rows without a rating are left out; None where no row has a rating, so
            that every interaction is liked.

    Returns:
        (user int, history array<int>, rest array<float>, liked array<float>, user_bias float). `history` are items,
        ascending; `rest` is what the baseline leaves of each rating; `liked` is 1 for a rating that is no lower than
        the user's mean, else 0.
    """
    nothing = F.lit(0.0).cast("float")
    if bias is None:
        rows = ratings.select(
            "user", "item", *(nothing.alias(name) for name in ("rest", "rating", "user_bias"))
        )
    else:
        rest = F.col("rating") - F.lit(bias.mean) - F.col("user_bias") - F.col("item_bias")
        known = ratings.where(F.col("rating").isNotNull()).join(bias.items, "item").join(bias.users, "user")
        rows = known.select("user", "item", rest.cast("float").alias("rest"), "rating", "user_bias")
    gathered = rows.groupBy("user").agg(
        F.sort_array(F.collect_list(F.struct("item", "rest", "rating"))).alias("rows"),
        F.avg("rating").alias("mean"),
        F.first("user_bias").alias("user_bias"),
    )
    liked = F.transform("rows", lambda row: (row["rating"] >= F.col("mean")).cast("float"))
    return gathered.select(
        "user",
        F.col("rows.item").alias("history"),
        F.col("rows.rest").alias("rest"),
        liked.alias("liked"),
        "user_bias",
    )


def read(batch: pa.RecordBatch, ids: Ints) -> Batch:
    """Read the columns of `histories` from a batch; the items are all in the ascending `ids`."""
    offsets, items = lists(batch.column("history"))
    places = np.searchsorted(ids, items).astype(np.int32)
    rest, liked = (
        Csr(offsets, places, lists(batch.column(name)).values.astype(np.float32))
        for name in ("rest", "liked")
    )
    bias = batch.column("user_bias").fill_null(0.0).to_numpy(zero_copy_only=False)
    return Batch(rest, liked, bias.astype(np.float32))


def by_place(ids: Ints, bias: BiasFit, counts: Any) -> tuple[Floats, Floats]:
    """Return float32 [m] each item's effect in the baseline and its number of ratings, 0 where it has none.

    Args:
        ids: ascending ids of all items.
        bias: the baseline.
        counts: what `item_counts` returns.
    """
    item_bias, support = np.zeros(len(ids), dtype=np.float32), np.zeros(len(ids), dtype=np.float32)
    effects = bias.items.toPandas()
    item_bias[np.searchsorted(ids, effects["item"].to_numpy())] = effects["item_bias"].to_numpy()
    support[np.searchsorted(ids, counts["item"].to_numpy())] = counts["rated"].to_numpy()
    return item_bias, support
