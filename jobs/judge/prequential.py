"""Prequential judgement of lists: each like is first looked for in the person's list, then learnt from.

A. P. Dawid, "Present Position and Potential Developments: Some Personal Views: Statistical Theory: The Prequential Approach", Journal of
the Royal Statistical Society A 147(2), 1984; J. Vinagre, A. Jorge, J. Gama, "Evaluation of recommender systems in streaming
environments", RecSys 2014.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from datasets.compiled import compiled
from jobs.engine.arrays import Floats, Ints
from jobs.engine.lists import Away, Known, Lists, likings
from jobs.engine.neighbours import Csr
from jobs.engine.top_k import leave_out
from jobs.engine.topn_frames import lists as lists_of
from jobs.engine.vectors import blocks

POLICIES = ("frozen", "fold_in", "retrained", "both")
"""How a list is made for a like: by the first model and what was known of the person when it was fitted; by the first model and all
that the person did before; by the latest model and what was known when it was fitted; by the latest and all before."""

JUDGED = "user int, likes long, hits array<long>, gains array<double>"


class Epoch(NamedTuple):
    """Times in microseconds since 1970: when the first model was fitted, when the latest was, and when the next will be."""

    first_us: int
    fitted_us: int
    end_us: int


def judged(
    rows: DataFrame, first: "Broadcast[Known]", latest: "Broadcast[Known]", epoch: Epoch, k: int
) -> DataFrame:
    """Judge the likes of an epoch.

    Args:
        rows: (user int, item int, at_us long, preference float), one for each pair.
        first: model that was fitted on all before `epoch.first_us`.
        latest: on all before `epoch.fitted_us`.
        epoch: whose likes are judged.
        k: length of the lists.

    Returns:
        JUDGED: of each user with likes, their number, and by policy how many were in the list and the sum of their nDCG.
    """
    asked = rows.where(
        (F.col("at_us") >= epoch.fitted_us) & (F.col("at_us") < epoch.end_us) & (F.col("preference") >= 1)
    )
    history = rows.where(F.col("at_us") < epoch.end_us).join(asked.select("user").distinct(), "user")
    entries = F.sort_array(F.collect_list(F.struct("at_us", "item", "preference")))
    columns = [F.col(f"entries.{name}").alias(name) for name in ("at_us", "item", "preference")]
    gathered = history.groupBy("user").agg(entries.alias("entries")).select("user", *columns)
    return gathered.mapInArrow(_judging(first, latest, epoch, k), JUDGED)


def _judging(
    first: "Broadcast[Known]", latest: "Broadcast[Known]", epoch: Epoch, k: int
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        judge = Judge(Lists(first.value), Lists(latest.value), epoch, k)
        for batch in batches:
            offsets, times = lists_of(batch.column("at_us"))
            items, said = (lists_of(batch.column(name)).values for name in ("item", "preference"))
            found = [
                judge.of(
                    Past(times[low:high], items[low:high].astype(np.int32), said[low:high].astype(np.float32))
                )
                for low, high in pairwise(offsets)
            ]
            columns = [
                batch.column("user"),
                pa.array([one.likes for one in found], pa.int64()),
                pa.array([one.hits.tolist() for one in found], pa.list_(pa.int64())),
                pa.array([one.gains.tolist() for one in found], pa.list_(pa.float64())),
            ]
            yield pa.RecordBatch.from_arrays(columns, names=["user", "likes", "hits", "gains"])

    return run


class Past(NamedTuple):
    """Entries of one person, in their order: times [n] in microseconds, items int32 [n], preferences float32 [n]."""

    times: npt.NDArray[np.int64]
    items: Ints
    preferences: Floats


class Found(NamedTuple):
    """Likes of one person that were judged, and by policy how many were in the list, int64 [4], and their nDCG, float64 [4]."""

    likes: int
    hits: npt.NDArray[np.int64]
    gains: npt.NDArray[np.float64]


class Judge:
    """Judges the likes of one person after another."""

    def __init__(self, first: Lists, latest: Lists, epoch: Epoch, k: int) -> None:
        self._models = first, latest
        self._epoch, self._k = epoch, k

    def of(self, past: Past) -> Found:
        """Judge one person's likes in the epoch."""
        times = past.times
        tests = np.flatnonzero(
            (times >= self._epoch.fitted_us) & (times < self._epoch.end_us) & (past.preferences >= 1)
        )
        hits, gains = np.zeros(len(POLICIES), dtype=np.int64), np.zeros(len(POLICIES))
        ends = [int(np.searchsorted(times, until)) for until in (self._epoch.first_us, self._epoch.fitted_us)]
        # Of several entries of one time none is known before the others.
        known = np.searchsorted(times, times)
        for block in blocks(len(tests), self._models[0].items):
            some = tests[block]
            for number in range(len(POLICIES)):
                lists = self._models[number // 2]
                folded = number % 2 == 1
                histories = prefixes(past, known[some] if folded else np.array([ends[number // 2]]))
                places = self._places(lists, histories, past, some)
                found = (places >= 0) & (places < self._k)
                hits[number] += found.sum()
                gains[number] += (1 / np.log2(places[found] + 2)).sum()
        return Found(len(tests), hits, gains)

    @staticmethod
    def _places(
        lists: Lists, histories: Csr, past: Past, tests: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Return at which place, from 0, each tested item is in the list that is made just before it; -1: it cannot be in it."""
        parts = lists.parts(histories)
        rows = np.empty((len(histories.indptr) - 1, lists.items), dtype=np.float32)
        lists.mixed(parts, lists.known.blend.of(likings(histories)), rows)
        lists.hide_near(histories, rows)
        scores = np.repeat(rows, len(tests), axis=0) if len(rows) < len(tests) else rows
        seen = seen_before(past, tests)
        leave_out(scores, 0, seen.offsets, seen.items)
        out = np.empty(len(tests), dtype=np.int64)
        _place(scores, past.items[tests], out)
        return out


@compiled
def _place(scores, targets, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(targets)):
        target = targets[row]
        own, better = scores[row, target], 0
        if own == -np.inf:
            out[row] = -1
            continue
        for item in range(scores.shape[1]):
            better += scores[row, item] > own or (scores[row, item] == own and item < target)
        out[row] = better


def prefixes(past: Past, lengths: npt.NDArray[np.int64]) -> Csr:
    """Return histories of the first so many entries of a person's past, a row for each length."""
    rows = [np.flatnonzero(past.preferences[:length]) for length in lengths.tolist()]
    rows = [row[np.argsort(past.items[row], kind="stable")] for row in rows]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    places = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    return Csr(indptr, past.items[places], past.preferences[places])


def seen_before(past: Past, tests: npt.NDArray[np.int64]) -> Away:
    """Return for each tested entry the items before it."""
    offsets = np.concatenate([[0], np.cumsum(tests, dtype=np.int64)])
    items = (
        np.concatenate([past.items[:length] for length in tests.tolist()]) if len(tests) else past.items[:0]
    )
    return Away(offsets, items)
