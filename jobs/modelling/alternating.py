"""Alternating least squares on the engine: what its models have in common."""

import time
from dataclasses import dataclass

from pyspark.sql import DataFrame

from core.errors import UsageError
from jobs.engine.accounts import account
from jobs.engine.blocks import ITEMS, USERS, Blocks, Sizes
from jobs.engine.draws import unit_vectors
from jobs.engine.half_steps import Engine
from jobs.engine.rules import Rule
from jobs.modelling.blocked import Fitted, Side
from jobs.runtime.session import tasks_at_a_time

_TURNS = 2
"""Blocks for each task that runs at a time: with one, all would wait for the largest."""


@dataclass(frozen=True, kw_only=True)
class Alternating:
    """Hyper-parameters of every model that the engine fits by alternating least squares.

    Attributes:
        rank: number of factors.
        iterations: one solves the items and then the users.
        parts: number of blocks of users, and of items, which does not change the model; 0: two for each task that runs at a time.
        seed: of the first factors.
    """

    rank: int = 32
    iterations: int = 12
    parts: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least in (("rank", 1), ("iterations", 1), ("parts", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise UsageError(
                    f"{name} must be {least} or more, got {getattr(self, name)}; set for example {name}={least + 1}"
                )

    def rules(self, users: int, items: int) -> tuple[Rule, Rule]:
        """Return the objective of users' rows and that of items' rows, for the numbers of those that have ratings."""
        raise NotImplementedError

    def alternate(self, ratings: DataFrame, users: int, items: int) -> Fitted:
        """Fit (user int, item int, rating float), in which ids are below `users` and `items`.

        Raises:
            JobError: a rating is not finite, a row's equations have no unique solution, or a disk is full.
        """
        spark = ratings.sparkSession
        slots = tasks_at_a_time(spark)
        start = time.perf_counter()
        blocks = Blocks(ratings, Sizes(users, items, self.parts or _TURNS * slots))
        try:
            built = time.perf_counter() - start
            engine = Engine(spark.sparkContext, blocks, self.rank)
            known = [count > 0 for count in blocks.counts]
            of_users, of_items = self.rules(*(int(side.sum()) for side in known))
            factors = unit_vectors(users, self.rank, self.seed, USERS)
            factors[~known[USERS]] = 0
            for _ in range(self.iterations):
                others = engine.half_step(ITEMS, factors, of_items).factors
                factors = engine.half_step(USERS, others, of_users).factors
        finally:
            blocks.release()
        metrics = account(engine.accounts, self.rank, slots, built)
        return Fitted(Side(factors, known[USERS]), Side(others, known[ITEMS]), metrics, slots)
