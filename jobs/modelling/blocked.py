"""Factors that the engine has fitted: predictions, rankings and frames from two broadcast matrices."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame, SparkSession

from datasets.compiled import compiled
from jobs.engine.accounts import product_gflops
from jobs.engine.arrays import ITEMS, NAMES, USERS, Floats, Ints
from jobs.modelling.array_baseline import Baseline
from jobs.modelling.baseline import BiasFit
from jobs.modelling.export import Exported
from jobs.modelling.factors import FactorRanking

FACTORS = "id int, features array<float>"
SCORED = "user int, item int, prediction float"


class Side(NamedTuple):
    """Factors float32 [ids, rank] of one side, and whether an id is known, bool [ids]."""

    factors: Floats
    known: npt.NDArray[np.bool_]


class Fitted(NamedTuple):
    """Fitted factors: users, items, metrics of the fit, and the number of tasks that ran at a time; `baseline` predicts ratings elsewhere."""

    users: Side
    items: Side
    metrics: dict[str, float]
    slots: int
    baseline: Baseline | None = None


@dataclass(frozen=True)
class BlockedScorer(FactorRanking):
    """Scores and ranks by factors that every executor has.

    Attributes:
        sides: users and items, on the executors.
        slots: tasks that run at a time; metrics: of the fit.
        baseline: on the executors, predicts where a side is not known; None: no prediction.
        clip: whether predictions are kept within the range of the ratings.
    """

    spark: SparkSession
    sides: "Broadcast[tuple[Side, Side]]"
    slots: int
    metrics: Mapping[str, float]
    baseline: "Broadcast[Baseline] | None" = None
    clip: bool = False

    @classmethod
    def of(cls, spark: SparkSession, fitted: Fitted, *, clip: bool = False, **more: Any) -> Self:
        """Send factors, and the baseline if there is one, to the executors; `more` are further attributes."""
        users, items, metrics, slots, found = fitted
        baseline = None if found is None else spark.sparkContext.broadcast(found)
        sides = spark.sparkContext.broadcast((users, items))
        return cls(spark, sides, slots, metrics, baseline, clip, **more)

    def describe(self) -> tuple[dict[str, float], dict[str, str]]:
        """Return the metrics of the fit, with the matrix product of the executors' cores beside them."""
        if "engine_gflops" not in self.metrics:
            return dict(self.metrics), {}
        limit = product_gflops(self.spark.sparkContext, self.slots)
        share = self.metrics["engine_gflops"] / limit
        return {**self.metrics, "engine_product_gflops": limit, "engine_product_share": share}, {}

    def score(self, pairs: DataFrame) -> DataFrame:
        """Predict each pair; null where nothing is known of it."""
        return pairs.select("user", "item").mapInArrow(
            scoring(self.sides, self.baseline, clip=self.clip), SCORED
        )

    def recommend(self, users: DataFrame, k: int, seen: DataFrame | None) -> DataFrame:
        """Rank by the product of factors, which is not clipped; users without factors are absent."""
        return self.ranked(self.frame(USERS), self.frame(ITEMS), k, seen, users)

    def exported(self) -> Exported:
        bias = None
        if self.baseline is not None:
            mean, *_, low, high = self.baseline.value
            bias = BiasFit(mean, self._biases(USERS), self._biases(ITEMS), low, high)
        return Exported(self.frame(USERS), self.frame(ITEMS), bias, on_residuals=False, clip=self.clip)

    def _biases(self, side: int) -> DataFrame:
        """Return the baseline's biases of a side's known ids, as of `jobs.modelling.baseline.BiasFit`."""
        assert self.baseline is not None
        known, found = self.sides.value[side].known, self.baseline.value
        values = found.users if side == USERS else found.items
        ids = np.flatnonzero(known).astype(np.int32)
        name = NAMES[side]
        rows = pd.DataFrame({name: ids, f"{name}_bias": values[ids]})
        return self.spark.createDataFrame(rows, f"{name} int, {name}_bias float")

    def frame(self, side: int) -> DataFrame:
        """Return the factors of a side's known ids (id int, features array<float>)."""
        count = len(self.sides.value[side].known)
        ids = self.spark.range(0, count, 1, 2 * self.slots)
        return ids.mapInArrow(_framing(self.sides, side), FACTORS)

    def release(self) -> None:
        super().release()
        self.sides.destroy()
        if self.baseline is not None:
            self.baseline.destroy()


Batches = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def _framing(sides: "Broadcast[tuple[Side, Side]]", side: int) -> Batches:
    def frame(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        factors, known = sides.value[side]
        for batch in batches:
            ids = batch.column("id").to_numpy()
            ids = ids[known[ids]].astype(np.int32)
            values = factors[ids]
            offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
            features = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1)))
            yield pa.RecordBatch.from_arrays([pa.array(ids), features], names=["id", "features"])

    return frame


def scoring(
    sides: "Broadcast[tuple[Side, Side]]",
    baseline: "Broadcast[Baseline] | None",
    deviate: Callable[[Side, Side, Ints, Ints], Floats] | None = None,
    *,
    clip: bool,
) -> Batches:
    """Return what predicts pairs, with the deviations that `deviate` gives them, if it is there."""

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        users, items = sides.value
        fallback = None if baseline is None else baseline.value
        for batch in batches:
            user, item = (_ids(batch.column(name)) for name in ("user", "item"))
            found = predicted(users, items, user, item, fallback, clip=clip)
            columns = {"user": batch.column("user"), "item": batch.column("item")}
            columns["prediction"] = pa.array(found, mask=np.isnan(found))
            if deviate is not None:
                columns["deviation"] = pa.array(deviate(users, items, user, item))
            yield pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

    return score


def _ids(column: pa.Array) -> Ints:
    """Return ids, -1 for a null."""
    found: Ints = column.fill_null(-1).to_numpy()
    return found


def predicted(
    users: Side, items: Side, user: Ints, item: Ints, baseline: Baseline | None, *, clip: bool
) -> Floats:
    """Return the product of factors of each pair; the baseline where a side is not known, NaN without one."""
    out = np.full(len(user), np.nan, dtype=np.float32)
    both = known_pairs(users, items, user, item)
    products(users.factors, items.factors, user[both], item[both], both, out)
    return out if baseline is None else baseline.filled(user, item, out, clip=clip)


def known_pairs(users: Side, items: Side, user: Ints, item: Ints) -> npt.NDArray[np.int64]:
    """Return the places of pairs whose user and item are known."""
    inside = (user >= 0) & (user < len(users.known)) & (item >= 0) & (item < len(items.known))
    both = np.flatnonzero(inside)
    return both[users.known[user[both]] & items.known[item[both]]]


@compiled(fastmath=("contract", "reassoc"))
def products(users, items, user, item, places, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, PLR0917
    """Write the product of each pair's factors to its place."""
    for n in range(len(places)):
        total = np.float32(0.0)
        for j in range(users.shape[1]):
            total += users[user[n], j] * items[item[n], j]
        out[places[n]] = total
