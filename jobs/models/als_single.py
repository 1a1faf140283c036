"""Explicit ALS in one thread of the driver, to measure from how many cores on MLlib's ALS is faster.

The objective, the order of the half-steps, the fallback for unknown users and items and the clipping are those of
`als` (see `jobs/engine/factorise.py`); the first factors are drawn by another generator. Fitting fetches the ratings through Arrow, so
that its time includes getting them out of Spark.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from core.errors import JobError
from jobs.engine.arrays import Floats, Ints
from jobs.engine.factorise import factorise, fit_flops
from jobs.engine.normal_equations import UndeterminedError
from jobs.modelling.baseline import RatingModel
from jobs.modelling.blocked import of_ids
from jobs.modelling.fetching import arranged, check_driver, fetch
from jobs.modelling.preflight import check_ratings
from jobs.modelling.single import Clock, Known, SingleScorer
from jobs.prepare.stored import Tables


@dataclass(frozen=True)
class Fallback:
    """The bias baseline (see `jobs.modelling.baseline`) by id, and the clipping."""

    mean: float
    users: npt.NDArray[Any]
    items: npt.NDArray[Any]
    bounds: tuple[float, float] | None

    def __call__(self, user: Ints, item: Ints, product: Floats) -> Floats:
        """Use the baseline where a product is not known, and clip."""
        baseline = self.mean + of_ids(self.users, user) + of_ids(self.items, item)
        prediction = np.where(np.isnan(product), baseline, product)
        if self.bounds is not None:
            prediction = prediction.clip(*self.bounds)
        return np.asarray(prediction, dtype=np.float32)


@dataclass(frozen=True)
class AlsSingle(RatingModel):
    """Explicit ALS in one thread; besides these it has the hyper-parameters of every model of ratings.

    Attributes:
        rank: number of factors.
        iterations: one solves the items and then the users.
        reg: regularisation, weighted by each side's number of ratings.
        seed: of the first factors.
    """

    counterparts: ClassVar[tuple[str, ...]] = ("als", "als_wr")

    rank: int = 32
    iterations: int = 12
    reg: float = 0.06
    seed: int = 1

    def preflight(self, tables: Tables) -> None:
        """Refuse what `als` refuses, and ratings that do not fit in the driver."""
        rows, users, items = check_ratings(tables, instead="implicit_single")
        check_driver(tables.ratings.sparkSession, rows, 8 * (users + items) * self.rank, "als_single")

    def fit(self, tables: Tables) -> SingleScorer:
        clock = Clock()
        with clock.part("fetch", alone=False):
            user, item, rating = fetch(tables.ratings)
        with clock.part("sort"):
            ratings = arranged(user, item, rating)
        with clock.part("bias"):
            fallback = self._fallback(user, item, rating)
        with clock.part("solve"):
            try:
                factors = factorise(
                    *ratings, rank=self.rank, iterations=self.iterations, reg=self.reg, seed=self.seed
                )
            except UndeterminedError as error:
                raise JobError(str(error)) from error
        users, items = Known.of(ratings.by_user, factors.users), Known.of(ratings.by_item, factors.items)
        work = fit_flops(len(user), len(users.ids) + len(items.ids), self.rank, self.iterations)
        clock.seconds["single_solve_gflops"] = work / clock.seconds["single_solve_s"] / 1e9
        return SingleScorer(users, items, clock, fallback)

    def _fallback(self, user: Ints, item: Ints, rating: Floats) -> Fallback:
        values = rating.astype(np.float64)
        mean = float(values.mean())
        items = _shrunk(item, values - mean, self.reg_item)
        users = _shrunk(user, values - mean - items[item], self.reg_user)
        bounds = (float(values.min()), float(values.max())) if self.clip else None
        return Fallback(mean, users, items, bounds)


def _shrunk(ids: Ints, rest: npt.NDArray[Any], reg: float) -> npt.NDArray[Any]:
    """Return each id's sum over its number of ratings and `reg` more; 0 for an id without ratings."""
    number = np.bincount(ids)
    total = np.bincount(ids, rest)
    means: npt.NDArray[Any] = np.divide(total, number + reg, out=np.zeros_like(total), where=number > 0)
    return means


MODEL = AlsSingle
