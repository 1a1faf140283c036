"""Explicit ALS in one thread of the driver, to measure from how many cores on MLlib's ALS is faster.

The objective, the order of the half-steps, the fallback for unknown users and items and the clipping are those of
`als` (see `jobs/engine/factorise.py`); the first factors are drawn by another generator. Fitting fetches the ratings through Arrow, so
that its time includes getting them out of Spark.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from core.errors import JobError
from jobs.engine.factorise import factorise, fit_flops
from jobs.engine.normal_equations import UndeterminedError
from jobs.modelling.array_baseline import of_arrays
from jobs.modelling.baseline import RatingModel
from jobs.modelling.fetching import arranged, check_driver, fetch
from jobs.modelling.preflight import check_ratings
from jobs.modelling.single import Clock, Known, SingleScorer
from jobs.prepare.stored import Tables


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
            sizes = int(user.max()) + 1, int(item.max()) + 1
            elsewhere = of_arrays(user, item, rating, sizes, self)
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
        return SingleScorer(users, items, clock, partial(elsewhere.filled, clip=self.clip))


MODEL = AlsSingle
