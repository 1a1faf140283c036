"""Find similar items on the executors, with short reasons."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame, SparkSession

from jobs.engine.arrays import Ints
from jobs.engine.neighbours import Csr, Neighbours
from jobs.engine.vectors import nearest, shared_terms
from jobs.modelling.terms import Catalogue

SIMILAR = "item int, items array<int>, scores array<float>, reasons array<string>"
_REASONS = 3  # terms named in a reason

Batches = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


@runtime_checkable
class SimilarItems(Protocol):
    """A scorer that knows similar items."""

    def similar_items(self, k: int) -> DataFrame:
        """Return the `k` items most like each item of the catalogue, fewer where fewer are like it at all.

        Returns:
            SIMILAR: (item int, items array<int>, scores array<float>, reasons array<string>), best first, ties by
            smaller item id; a reason names what the two have in common, as "genre Comedy, year about 1995".
        """


def search(spark: SparkSession, by_item: Csr, by_term: Csr, n: int, blocks: int) -> Neighbours:
    """Find the `n` nearest of the items that are in `by_term` for each item of `by_item`, block by block.

    The driver only puts the blocks together.
    """
    given = spark.sparkContext.broadcast((by_item, by_term))
    try:
        frame = spark.range(0, blocks, 1, blocks).mapInArrow(
            _searcher(given, n, blocks), "item int, ids array<int>, cosines array<float>"
        )
        found = frame.toPandas()
    finally:
        given.destroy()
    order = np.argsort(found["item"].to_numpy())
    return Neighbours(
        np.stack(found["ids"].to_list()).astype(np.int32)[order],
        np.stack(found["cosines"].to_list()).astype(np.float32)[order],
    )


def _searcher(given: "Broadcast[tuple[Csr, Csr]]", n: int, blocks: int) -> Batches:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        by_item, by_term = given.value
        for items in _items(batches, len(by_item.indptr) - 1, blocks):
            near = nearest(items, by_item, by_term, n)
            offsets = np.arange(len(items) + 1, dtype=np.int32) * n
            columns = [pa.ListArray.from_arrays(offsets, pa.array(part.ravel())) for part in near]
            yield pa.RecordBatch.from_arrays([pa.array(items), *columns], names=["item", "ids", "cosines"])

    return run


def similar_items(spark: SparkSession, given: "Broadcast[Catalogue]", k: int, blocks: int) -> DataFrame:
    """Return SIMILAR of all items, from a broadcast catalogue."""
    return spark.range(0, blocks, 1, blocks).mapInArrow(_explainer(given, k, blocks), SIMILAR)


def _explainer(given: "Broadcast[Catalogue]", k: int, blocks: int) -> Batches:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        known = given.value
        names = np.array([*known.names, ""], dtype=object)  # the last is that of -1
        by_item, by_term = known.vectors
        for items in _items(batches, len(known.ids), blocks):
            near = nearest(items, by_item, by_term, k)
            terms = shared_terms(items, near.ids, by_item, _REASONS)
            kept = near.ids >= 0
            reasons = [", ".join(filter(None, words)) for words in names[terms[kept]]]
            offsets = pa.array(np.concatenate([[0], np.cumsum(kept.sum(axis=1))]), type=pa.int32())
            values = (
                pa.array(known.ids[near.ids[kept]], type=pa.int32()),
                pa.array(near.similarities[kept], type=pa.float32()),
                pa.array(reasons, type=pa.string()),
            )
            columns = [pa.ListArray.from_arrays(offsets, value) for value in values]
            yield pa.RecordBatch.from_arrays(
                [pa.array(known.ids[items], type=pa.int32()), *columns],
                names=["item", "items", "scores", "reasons"],
            )

    return run


def _items(batches: Iterable[pa.RecordBatch], m: int, blocks: int) -> Iterator[Ints]:
    """Yield the items of each block: every so many, so that a block is no dearer than another."""
    for batch in batches:
        for block in batch.column("id").to_pylist():
            yield np.arange(block, m, blocks, dtype=np.int32)
