"""Rank items for users from two frames of factors, exactly and without a cross join.

The items' factors are collected once into one matrix and broadcast as one buffer. The users' factors stay where they
are and reach the compiled kernel as Arrow batches, so no pair of user and item ever becomes a row, and no factor a
Python object.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from core.errors import JobError
from jobs.engine.top_k import top_k

RECOMMENDATIONS = "user int, items array<int>, scores array<float>"


class ItemFactors:
    """The items' factors on every executor: ids int32 [m] ascending, factors float32 [m, f]."""

    def __init__(self, factors: DataFrame) -> None:
        """Collect and broadcast a frame (id int, features array<float>).

        Raises:
            JobError: it has no rows.
        """
        rows = factors.select(F.col("id").cast("int"), "features").toPandas()
        if rows.empty:
            raise JobError(
                "the model has factors of 0 items, so nothing can be ranked: fit it on 1 or more ratings first"
            )
        order = np.argsort(rows["id"].to_numpy(), kind="stable")
        matrix = np.stack(rows["features"].to_list()).astype(np.float32, copy=False)
        value = rows["id"].to_numpy(dtype=np.int32)[order], matrix[order]
        self.rows, self.rank = matrix.shape
        self.broadcast: Broadcast[tuple[Any, Any]] = factors.sparkSession.sparkContext.broadcast(value)

    def release(self) -> None:
        """Remove the matrix from driver and executors; frames made from it can no longer be computed."""
        self.broadcast.destroy()


class Lists(NamedTuple):
    """One int32 list for each row: row `n` is `values[offsets[n] : offsets[n + 1]]`."""

    offsets: npt.NDArray[np.int64]
    values: npt.NDArray[Any]


def recommend_factors(
    user_factors: DataFrame,
    item_factors: DataFrame | ItemFactors,
    k: int,
    seen: DataFrame | None = None,
    users: DataFrame | None = None,
) -> DataFrame:
    """Rank the `k` items with the highest product of factors for each user.

    Args:
        user_factors: (id int, features array<float>), one row a user.
        item_factors: the same for items, or `ItemFactors` of it, which the caller can release; from a frame, the
            broadcast lives as long as the application.
        k: length of a list; shorter where fewer items are left.
        seen: (user, item) pairs to leave out; pairs of unknown users or items do nothing.
        users: (user) to rank for; None for all. Users without factors are absent from the result.

    Returns:
        (user int, items array<int>, scores array<float>), best first, ties by smaller item id.
    """
    if isinstance(item_factors, DataFrame):
        item_factors = ItemFactors(item_factors)
    frame = user_factors.select(F.col("id").cast("int").alias("user"), "features")
    if users is not None:
        frame = frame.join(users.select(F.col("user").cast("int")), "user", "left_semi")
    frame = frame.select("user", "features") if seen is None else with_lists(frame, seen, F.col("item"))
    return frame.mapInArrow(_ranker(item_factors.broadcast, k), RECOMMENDATIONS)


def with_lists(frame: DataFrame, pairs: DataFrame, value: Column, name: str = "seen") -> DataFrame:
    """Add to each row of `frame` the values that `pairs` has for its user, as an array (null if none)."""
    lists = pairs.groupBy(F.col("user").cast("int").alias("user")).agg(F.collect_list(value).alias(name))
    return frame.join(lists, "user", "left")


def _ranker(
    broadcast: "Broadcast[tuple[Any, Any]]", k: int
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def rank(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        ids, items = broadcast.value
        for batch in batches:
            users = batch.column("user")
            factors = batch.column("features").flatten().to_numpy(zero_copy_only=False)
            csr: tuple[Any, ...] = ()
            if "seen" in batch.schema.names:
                csr = positions(lists(batch.column("seen")), ids)
            found, scores = top_k(factors.reshape(len(users), -1), items, k, *csr)
            yield recommendation_batch(users, ids, found, scores)

    return rank


def lists(column: pa.ListArray) -> Lists:
    """Return an Arrow column of lists as offsets and values, a null list as an empty one."""
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])
    return Lists(offsets, column.flatten().to_numpy(zero_copy_only=False))


def places(column: pa.Array, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return each id's index in the ascending array `ids`, -1 if it is not there."""
    values = column.to_numpy(zero_copy_only=False)
    found = np.minimum(np.searchsorted(ids, values), len(ids) - 1)
    return np.where(ids[found] == values, found, -1).astype(np.int32)


def positions(named: Lists, ids: npt.NDArray[Any]) -> Lists:
    """Replace item ids by their index in the ascending array `ids`; drop ids that are not in it."""
    places = np.minimum(np.searchsorted(ids, named.values), len(ids) - 1).astype(np.int32)
    known = ids[places] == named.values
    kept = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(known, dtype=np.int64)])
    return Lists(kept[named.offsets], places[known])


def recommendation_batch(users: Any, ids: Any, found: Any, scores: Any) -> pa.RecordBatch:
    """Build RECOMMENDATIONS from indices into `ids` [n, k]; -1, always last, means no item."""
    kept = found >= 0
    offsets = pa.array(np.concatenate([[0], np.cumsum(kept.sum(axis=1))]), type=pa.int32())
    columns = [
        pa.array(users, type=pa.int32()),
        pa.ListArray.from_arrays(offsets, pa.array(ids[found[kept]], type=pa.int32())),
        pa.ListArray.from_arrays(offsets, pa.array(scores[kept], type=pa.float32())),
    ]
    return pa.RecordBatch.from_arrays(columns, names=["user", "items", "scores"])
