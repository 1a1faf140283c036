"""Alternating least squares on the engine: what its models have in common."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyspark.sql import SparkSession

from core.options import check_least
from jobs.engine.accounts import account
from jobs.engine.arrays import ITEMS, USERS, Floats
from jobs.engine.blocks import Blocks, Sizes
from jobs.engine.draws import unit_vectors
from jobs.engine.half_steps import Engine
from jobs.engine.rules import Rule
from jobs.engine.subspaces import width_of
from jobs.modelling.array_baseline import Baseline
from jobs.modelling.blocked import Fitted, Side
from jobs.modelling.fetching import check_results
from jobs.modelling.preflight import check_copies, heap
from jobs.modelling.starting import Progress, fingerprint, warm
from jobs.prepare.stored import Tables
from jobs.runtime.concurrent_actions import run_concurrently
from jobs.runtime.session import cores, tasks_at_a_time

TURNS = 2
"""Blocks for each task that runs at a time: with one, all would wait for the largest."""


_SHARE = 0.25
"""Share of an executor's heap that its Python workers may fill with one side's factors: as much memory is assumed to be free for them."""


def engine_on(blocks: Blocks, rank: int, spark: SparkSession) -> Engine:
    """Return the engine on blocks, with what the session's executors have."""
    most = _SHARE * heap(spark) / cores(spark)
    return Engine(spark.sparkContext, blocks, rank, run_concurrently, tasks_at_a_time(spark), most)


def check_factors(spark: SparkSession, users: int, items: int, rank: int, name: str) -> None:
    """Refuse factors that the executors' Python workers, which score with those of both sides, or the driver cannot hold.

    Raises:
        JobError: with numbers and what to do.
    """
    what = f"{name} at rank {rank}"
    check_copies(spark, 4 * (users + items) * rank, what)
    check_results(spark, 4 * max(users, items) * rank, what)


@dataclass(frozen=True, kw_only=True)
class Alternating(ABC):
    """Hyper-parameters of every model that the engine fits by alternating least squares.

    Attributes:
        rank: number of factors.
        iterations: one solves the items and then the users.
        parts: number of blocks of users, and of items, which does not change the model; 0: two for each task that runs at a time.
        seed: of the first factors.
        start: folder of an exported model of this rank, whose users' factors the fit starts from; empty: at random.
        resume: folder in which a fit that is broken off leaves its last iteration, and goes on from it; empty: it begins anew.
    """

    rank: int = 32
    iterations: int = 12
    parts: int = 0
    seed: int = 1
    start: str = ""
    resume: str = ""

    def __post_init__(self) -> None:
        check_least(self, {"rank": 1, "iterations": 1, "parts": 0, "seed": 0})

    @abstractmethod
    def rules(self, users: int, items: int) -> tuple[Rule, Rule]:
        """Return the objective of users' rows and that of items' rows, for the numbers of those that have ratings."""

    def at_a_time(self) -> int:
        """Return how many factors are solved for at a time; 0: all."""
        return 0

    def width(self) -> int:
        """Return the number of factors with the bias, if the model has one."""
        return self.rank

    def alternate(
        self, tables: Tables, users: int, items: int, baseline: Callable[[Blocks], Baseline] | None = None
    ) -> Fitted:
        """Fit the ratings of `tables`, in which ids are below `users` and `items`; `baseline` fits what predicts elsewhere.

        Raises:
            JobError: a rating is not finite, a row's equations have no unique solution, a disk is full, or there is nothing to start from.
        """
        spark = tables.ratings.sparkSession
        slots = tasks_at_a_time(spark)
        begun = time.perf_counter()
        with Blocks(tables.ratings, Sizes(users, items, self.parts or TURNS * slots)) as blocks:
            built = time.perf_counter() - begun
            engine = engine_on(blocks, self.width(), spark)
            known = [count > 0 for count in blocks.counts]
            of_users, of_items = self._fit(engine, tables, known)
            elsewhere = None if baseline is None else baseline(blocks)
            blocks.release()
        metrics = account(engine.accounts, self.width(), slots, built)
        return Fitted(Side(of_users, known[USERS]), Side(of_items, known[ITEMS]), metrics, slots, elsewhere)

    def _fit(
        self, engine: Engine, tables: Tables, known: Sequence[npt.NDArray[np.bool_]]
    ) -> tuple[Floats, Floats]:
        """Return the factors of users and items."""
        of_users, of_items = self.rules(*(int(side.sum()) for side in known))
        progress = self._progress(engine.blocks, (of_users, of_items))
        kept = progress.found()
        if kept is None:
            kept = (
                0,
                self._first(tables, known[USERS]),
                np.zeros((len(known[ITEMS]), self.width()), dtype=np.float32),
            )
        done, users, items = kept
        for iteration in range(done + 1, self.iterations + 1):
            items = self._step(engine, ITEMS, users, items, of_items)
            # What ends a fit is solved for all factors at once, so that folding in gives the same.
            last = iteration == self.iterations
            users = self._step(engine, USERS, items, None if last else users, of_users)
            if not last:
                progress.keep(iteration, users, items)
        progress.done()
        return users, items

    def _step(self, engine: Engine, side: int, other: Floats, own: Floats | None, rule: Rule) -> Floats:
        """Return a side's factors; of more than a subspace holds, some at a time from those before."""
        width = self.at_a_time()
        if own is None or not 0 < width < self.rank:
            return engine.half_step(side, other, rule).factors
        return engine.half_step(side, other, rule, own=own, width=width_of(width)).factors

    def _first(self, tables: Tables, known: npt.NDArray[np.bool_]) -> Floats:
        factors = np.zeros((len(known), self.width()), dtype=np.float32)
        factors[:, : self.rank] = unit_vectors(len(known), self.rank, self.seed, USERS)
        if self.start:
            factors = warm(factors, tables.users, self.start, biased=self.width() > self.rank)
        factors[~known] = 0
        return factors

    def _progress(self, blocks: Blocks, rules: tuple[Rule, Rule]) -> Progress:
        settings = self.rank, self.iterations, self.seed, self.start, self.at_a_time()
        # A fit without biases is what it was before there were any.
        biased = () if self.width() == self.rank else (self.width(),)
        fit = fingerprint(settings + biased, rules, *blocks.counts, blocks.total)
        return Progress(Path(self.resume) if self.resume else None, fit)
