"""The bias baseline as arrays by id, from ratings that are arrays or blocks already: `jobs.modelling.baseline.fit_bias` without a join."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from datasets.compiled import compiled
from jobs.engine.arrays import ITEMS, USERS, Floats, Ints
from jobs.engine.blocks import Block, Blocks
from jobs.modelling.baseline import RatingModel
from jobs.prepare.stored import Tables

_NONE = np.zeros(0, dtype=np.float32)


class Baseline(NamedTuple):
    """A fitted baseline: prediction = mean + bias of the user + bias of the item, float32 by id and 0 for an unknown one.

    `low` and `high` are the lowest and highest rating that it was fitted on.
    """

    mean: float
    users: Floats
    items: Floats
    low: float
    high: float

    def plus(self, mean: float) -> "Baseline":
        """Return the baseline of ratings that this mean was taken off."""
        return self._replace(mean=self.mean + mean, low=self.low + mean, high=self.high + mean)

    def filled(self, user: Ints, item: Ints, product: Floats, *, clip: bool) -> Floats:
        """Return predictions of pairs: the baseline where a product of factors is NaN, and all within the ratings' range with `clip`."""
        out = np.array(product, dtype=np.float32)
        rest = np.flatnonzero(np.isnan(out))
        out[rest] = self.mean + of_ids(self.users, user[rest]) + of_ids(self.items, item[rest])
        return out.clip(self.low, self.high) if clip else out


def of_ids(values: npt.NDArray[Any], ids: Ints) -> npt.NDArray[Any]:
    """Return the values of ids, 0 of an id that has none."""
    inside = (ids >= 0) & (ids < len(values))
    return np.where(inside, values[np.where(inside, ids, 0)], values.dtype.type(0))


def mean_of(tables: Tables) -> float:
    """Return the mean of the ratings."""
    if tables.profile is not None and tables.profile.mean is not None:
        return tables.profile.mean
    (mean,) = tables.ratings.agg(F.mean("rating")).first() or (0.0,)
    return float(mean)


def around(ratings: DataFrame, mean: float) -> DataFrame:
    """Take a mean off the ratings."""
    return ratings.withColumn("rating", (F.col("rating") - F.lit(mean)).cast("float"))


def of_arrays(user: Ints, item: Ints, rating: Floats, sizes: tuple[int, int], model: RatingModel) -> Baseline:
    """Fit ratings, of which there is at least one; ids are below `sizes`."""
    values = rating.astype(np.float64)
    mean = float(values.mean())
    items = _shrunk(item, values - mean, sizes[ITEMS], model.reg_item)
    users = _shrunk(user, values - mean - items[item], sizes[USERS], model.reg_user)
    return Baseline(mean, users, items, float(values.min()), float(values.max()))


def _shrunk(ids: Ints, rest: npt.NDArray[np.float64], count: int, reg: float) -> Floats:
    return _means(np.bincount(ids, rest, minlength=count), np.bincount(ids, minlength=count), reg)


def _means(sums: npt.NDArray[Any], numbers: npt.NDArray[Any], reg: float) -> Floats:
    """Return each id's sum over its number of ratings and `reg` more; 0 for an id without ratings."""
    means = np.divide(sums, numbers + reg, out=np.zeros_like(sums), where=numbers > 0)
    found: Floats = means.astype(np.float32)
    return found


def of_blocks(blocks: Blocks, model: RatingModel) -> Baseline:
    """Fit the ratings of blocks: a stage for the items and one for the users."""
    numbers = blocks.counts
    mean = blocks.total / int(numbers[USERS].sum())
    found = blocks.map(ITEMS, _Summed(mean, _NONE))
    items = _means(_together(blocks, ITEMS, found), numbers[ITEMS], model.reg_item)
    low, high = min(one.low for one in found), max(one.high for one in found)
    found = blocks.map(USERS, _Summed(mean, items))
    users = _means(_together(blocks, USERS, found), numbers[USERS], model.reg_user)
    return Baseline(mean, users, items, low, high)


def _together(blocks: Blocks, side: int, found: "list[_Sums]") -> npt.NDArray[np.float64]:
    sums = np.zeros(blocks.sizes.of(side))
    for one in found:
        sums[one.number :: blocks.sizes.blocks] = one.sums
    return sums


class _Sums(NamedTuple):
    """Sums of a block's rows, float64, and the lowest and highest rating of the block."""

    number: int
    sums: npt.NDArray[np.float64]
    low: float
    high: float


@dataclass(frozen=True)
class _Summed:
    """Sum what a mean and the other side's biases leave of each row's ratings; without biases they are 0."""

    mean: float
    biases: Floats

    def __call__(self, block: Block) -> _Sums:
        rows = block.matrix
        sums = np.zeros(len(rows.indptr) - 1)
        _sum_rows(rows, self.mean, self.biases, sums)
        low, high = rows.values.min(initial=np.inf), rows.values.max(initial=-np.inf)
        return _Sums(block.number, sums, float(low), float(high))


@compiled
def _sum_rows(rows, mean, biases, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(sums)):
        for place in range(rows.indptr[row], rows.indptr[row + 1]):
            sums[row] += rows.values[place] - mean
            if len(biases) > 0:
                sums[row] -= biases[rows.indices[place]]
