"""Factors that the engine has fitted: predictions, rankings and frames from two broadcast matrices."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame, SparkSession

from datasets.compiled import compiled
from jobs.engine.accounts import product_gflops
from jobs.engine.arrays import Floats, Ints
from jobs.modelling.baseline import BiasFit
from jobs.modelling.export import Exported, bias_column
from jobs.modelling.factors import FactorRanking

FACTORS = "id int, features array<float>"
SCORED = "user int, item int, prediction float"


class Side(NamedTuple):
    """Factors float32 [ids, rank] of one side, and whether an id is known, bool [ids]."""

    factors: Floats
    known: npt.NDArray[np.bool_]


class Fitted(NamedTuple):
    """Fitted factors: users, items, metrics of the fit, and the number of tasks that ran at a time."""

    users: Side
    items: Side
    metrics: dict[str, float]
    slots: int


class Baseline(NamedTuple):
    """The bias baseline as arrays by id; `low` and `high` are the bounds of predictions."""

    mean: float
    users: Floats
    items: Floats
    low: float
    high: float

    @classmethod
    def of(cls, fit: BiasFit, users: int, items: int, *, clip: bool) -> "Baseline":
        """Collect a fitted baseline for ids below `users` and `items`."""
        bounds = (fit.low, fit.high) if clip else (-np.inf, np.inf)
        return cls(
            fit.mean, bias_column(fit.users, "user", users), bias_column(fit.items, "item", items), *bounds
        )


@dataclass(frozen=True)
class BlockedScorer(FactorRanking):
    """Scores and ranks by factors that every executor has.

    Attributes:
        sides: users and items, on the executors.
        slots: tasks that run at a time; metrics: of the fit.
        bias: predicts where a side is not known, and `baseline` is the same on the executors; None: no prediction.
        clip: whether predictions are kept within the baseline's bounds.
    """

    spark: SparkSession
    sides: "Broadcast[tuple[Side, Side]]"
    slots: int
    metrics: Mapping[str, float]
    bias: BiasFit | None = None
    baseline: "Broadcast[Baseline] | None" = None
    clip: bool = False

    @classmethod
    def of(
        cls,
        spark: SparkSession,
        fitted: Fitted,
        bias: BiasFit | None = None,
        *,
        clip: bool = False,
        **more: Any,
    ) -> Self:
        """Send factors, and the baseline if there is one, to the executors; `more` are further attributes."""
        users, items, metrics, slots = fitted
        baseline = None
        if bias is not None:
            known = Baseline.of(bias, len(users.known), len(items.known), clip=clip)
            baseline = spark.sparkContext.broadcast(known)
        sides = spark.sparkContext.broadcast((users, items))
        return cls(spark, sides, slots, metrics, bias, baseline, clip, **more)

    def describe(self) -> tuple[dict[str, float], dict[str, str]]:
        """Return the metrics of the fit, with the matrix product of the executors' cores beside them."""
        if "engine_gflops" not in self.metrics:
            return dict(self.metrics), {}
        limit = product_gflops(self.spark.sparkContext, self.slots)
        share = self.metrics["engine_gflops"] / limit
        return {**self.metrics, "engine_product_gflops": limit, "engine_product_share": share}, {}

    def score(self, pairs: DataFrame) -> DataFrame:
        """Predict each pair; null where nothing is known of it."""
        return pairs.select("user", "item").mapInArrow(scoring(self.sides, self.baseline), SCORED)

    def recommend(self, users: DataFrame, k: int, seen: DataFrame | None) -> DataFrame:
        """Rank by the product of factors, which is not clipped; users without factors are absent."""
        return self.ranked(self.frame(0), self.frame(1), k, seen, users)

    def exported(self) -> Exported:
        return Exported(self.frame(0), self.frame(1), self.bias, on_residuals=False, clip=self.clip)

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
) -> Batches:
    """Return what predicts pairs, with the deviations that `deviate` gives them, if it is there."""

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        users, items = sides.value
        fallback = None if baseline is None else baseline.value
        for batch in batches:
            user, item = (_ids(batch.column(name)) for name in ("user", "item"))
            found = predicted(users, items, user, item, fallback)
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


def predicted(users: Side, items: Side, user: Ints, item: Ints, baseline: Baseline | None) -> Floats:
    """Return the product of factors of each pair, clipped; the baseline where a side is not known, NaN without one."""
    out = np.full(len(user), np.nan, dtype=np.float32)
    both = known_pairs(users, items, user, item)
    products(users.factors, items.factors, user[both], item[both], both, out)
    if baseline is None:
        return out
    rest = np.flatnonzero(np.isnan(out))
    out[rest] = baseline.mean + of_ids(baseline.users, user[rest]) + of_ids(baseline.items, item[rest])
    return out.clip(baseline.low, baseline.high)


def of_ids(values: npt.NDArray[Any], ids: Ints) -> npt.NDArray[Any]:
    """Return the values of ids, 0 of an id that has none."""
    inside = (ids >= 0) & (ids < len(values))
    return np.where(inside, values[np.where(inside, ids, 0)], values.dtype.type(0))


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
