"""Matrix factorisation of ratings by alternating least squares on our own engine, with the objective of `als`.

Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-Scale Parallel Collaborative Filtering for the Netflix Prize",
AAIM 2008. Rows whose user or item it has not seen fall back to the bias baseline.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from jobs.engine.blocks import ITEMS, USERS, Blocks, Sizes
from jobs.engine.draws import unit_vectors
from jobs.engine.half_steps import Engine, Equations
from jobs.engine.neighbours import Csr
from jobs.modelling.baseline import RatingModel
from jobs.modelling.blocked import BlockedScorer, Side
from jobs.modelling.preflight import check_copies, check_ratings
from jobs.prepare.stored import Tables
from jobs.runtime.session import tasks_at_a_time

_TURNS = 2
"""Blocks for each task that runs at a time: with one, all would wait for the largest."""


@dataclass(frozen=True)
class Weighted:
    """Equations of ratings whose rows are penalised in proportion to their number."""

    reg: float

    def __call__(self, rows: Csr) -> Equations:
        return Equations(rows.values, None, np.float32(self.reg) * np.diff(rows.indptr).astype(np.float32))


@dataclass(frozen=True)
class AlsWr(RatingModel):
    """Explicit ALS on the engine; besides these it has the hyper-parameters of every model of ratings.

    Attributes:
        rank: number of factors.
        iterations: one solves the items and then the users.
        reg: regularisation, weighted by each side's number of ratings.
        blocks: number of blocks of users, and of items, which does not change the model; 0: two for each task that runs at a time.
        seed: of the first factors.
    """

    exportable: ClassVar[bool] = True

    rank: int = 32
    iterations: int = 12
    reg: float = 0.06
    blocks: int = 0
    seed: int = 1

    def preflight(self, tables: Tables) -> None:
        """Refuse what `als` refuses, and factors that the executors' Python workers cannot hold."""
        _, users, items = check_ratings(tables, instead="als_implicit")
        spark = tables.ratings.sparkSession
        check_copies(spark, 4 * max(users, items) * self.rank, f"als_wr at rank {self.rank}")

    def fit(self, tables: Tables) -> BlockedScorer:
        spark = tables.ratings.sparkSession
        _, n_users, n_items = check_ratings(tables, instead="als_implicit")
        number = self.blocks or _TURNS * tasks_at_a_time(spark)
        blocks = Blocks(tables.ratings, Sizes(n_users, n_items, number))
        try:
            engine = Engine(spark.sparkContext, blocks, self.rank)
            users = unit_vectors(n_users, self.rank, self.seed, USERS)
            items = np.zeros((n_items, self.rank), dtype=np.float32)
            rule = Weighted(self.reg)
            for _ in range(self.iterations):
                items = engine.half_step(ITEMS, users, rule)
                users = engine.half_step(USERS, items, rule)
        finally:
            blocks.release()
        known_users, known_items = (count > 0 for count in blocks.counts)
        bias = self.baseline(tables.ratings)
        return BlockedScorer.of(
            spark, Side(users, known_users), Side(items, known_items), number, bias, clip=self.clip
        )


MODEL = AlsWr
