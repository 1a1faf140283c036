"""Bayesian matrix factorisation of ratings by Gibbs sampling on our own engine: no regularisation to choose, a mean and a deviation.

R. Salakhutdinov, A. Mnih, "Bayesian Probabilistic Matrix Factorization using Markov Chain Monte Carlo", ICML 2008, with the precision of the
noise drawn as well. A prediction is the mean over samples of the product of factors. Rows whose user or item it has not seen fall
back to the bias baseline.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from core.options import check_least
from jobs.engine.arrays import ITEMS, USERS, Floats
from jobs.engine.blocks import Blocks, Sizes, not_finite
from jobs.engine.factorise import both_ways
from jobs.engine.gibbs import Whole, chain
from jobs.engine.normal_equations import UndeterminedError
from jobs.modelling.alternating import TURNS, engine_on
from jobs.modelling.baseline import RatingModel
from jobs.modelling.blocked import Fitted, SampledScorer, Side
from jobs.modelling.chains import effective_size, r_hat
from jobs.modelling.fetching import check_driver, check_results, fetch
from jobs.modelling.preflight import check_copies, check_ratings
from jobs.prepare.stored import Tables
from jobs.runtime.concurrent_actions import run_concurrently
from jobs.runtime.session import tasks_at_a_time

_WHOLE = 5_000_000
"""Ratings up to which a chain is one task with all of them: its sweeps are shorter than a stage of Spark takes to start."""

_APART = 1_000_003
"""Difference of two chains' seeds: chains of neighbouring seeds share no draws."""


@dataclass(frozen=True)
class Bpmf(RatingModel):
    """Bayesian factorisation; besides these it has the hyper-parameters of every model of ratings.

    Attributes:
        rank: number of factors.
        samples: sweeps of all chains together after the burn-in.
        kept: samples that predictions are the mean of, evenly among all.
        burn: sweeps of each chain that are thrown away.
        chains: which start apart and run side by side.
        seed: of all draws.
    """

    exportable: ClassVar[bool] = True

    rank: int = 32
    samples: int = 400
    kept: int = 100
    burn: int = 40
    chains: int = 2
    seed: int = 1

    def __post_init__(self) -> None:
        check_least(self, {"rank": 1, "samples": 1, "kept": 1, "burn": 0, "chains": 1, "seed": 0})
        if not self.chains <= self.kept <= self.samples:
            raise UsageError(
                f"kept must be from {self.chains} (chains) to {self.samples} (samples), got {self.kept}; set for example kept={self.samples}"
            )

    def preflight(self, tables: Tables) -> None:
        """Refuse what `als` refuses, and samples that the executors' Python workers cannot hold."""
        rows, users, items = check_ratings(tables, instead="als_implicit")
        spark, size = tables.ratings.sparkSession, 4 * (users + items) * self.rank * self.kept
        what = f"bpmf at rank {self.rank} with {self.kept} samples"
        check_copies(spark, size, what)
        if rows <= _WHOLE:
            check_driver(spark, rows, size, "bpmf")
        # Each task sends the samples of its chain, or one side's factors.
        check_results(spark, size if rows <= _WHOLE else 4 * max(users, items) * self.rank, what)

    def fit(self, tables: Tables) -> SampledScorer:
        rows, users, items = check_ratings(tables, instead="als_implicit")
        spark = tables.ratings.sparkSession
        bias = self.baseline(tables.ratings)
        rest = tables.ratings.select(
            "user", "item", (F.col("rating") - F.lit(bias.mean)).cast("float").alias("rating")
        )
        sample = self._in_tasks if rows <= _WHOLE else self._on_blocks
        told, known = sample(rest, (users, items))
        of_users, of_items = (
            Side(_joined([one.sets[side] for one in told], bias.mean, side), known[side])
            for side in (USERS, ITEMS)
        )
        fitted = Fitted(of_users, of_items, _metrics(told), tasks_at_a_time(spark))
        noise = float(np.mean([1 / value for one in told for value in one.noise]))
        (spread,) = rest.agg(F.var_pop("rating")).first() or (noise,)
        return SampledScorer.of(
            spark, fitted, bias, clip=self.clip, rank=self.rank, noise=noise, spread=max(noise, spread)
        )

    def _in_tasks(self, ratings: DataFrame, sizes: tuple[int, int]) -> "_Sampled":
        """Run each chain as one task, which has all ratings."""
        context = ratings.sparkSession.sparkContext
        user, item, rating = fetch(ratings)
        if not np.isfinite(rating).all():
            place = int(np.flatnonzero(~np.isfinite(rating))[0])
            raise JobError(not_finite(user[place], item[place], rating[place]))
        known = np.bincount(user, minlength=sizes[USERS]) > 0, np.bincount(item, minlength=sizes[ITEMS]) > 0
        whole = Whole(*both_ways(user, item, rating, *sizes), self.rank)
        sent = context.broadcast(_Given(whole, known, len(rating)))
        try:
            numbers = context.parallelize(range(self.chains), self.chains)
            found = numbers.mapPartitions(_Chains(sent, self)).collect()
        finally:
            sent.destroy()
        told = []
        for one in found:
            if isinstance(one, str):
                raise JobError(one)
            told.append(one)
        return told, known

    def _on_blocks(self, ratings: DataFrame, sizes: tuple[int, int]) -> "_Sampled":
        """Run each half-step of each chain as a stage on blocks."""
        spark = ratings.sparkSession
        with Blocks(ratings, Sizes(*sizes, TURNS * tasks_at_a_time(spark))) as blocks:
            users, items = blocks.counts
            known = users > 0, items > 0
            engine = engine_on(blocks, self.rank, spark)
            given = _Given(engine.half_step, known, int(users.sum()))
            told = run_concurrently(*(partial(self.chain, given, number) for number in range(self.chains)))
            blocks.release()
        return told, known

    def chain(self, given: "_Given", number: int) -> "_Told":
        """Run one chain."""
        each = _share(self.samples, self.chains, number)
        wanted = _share(self.kept, self.chains, number)
        places = {self.burn + 1 + int(place) for place in np.linspace(0, each - 1, wanted).round()}
        sets: tuple[list[Floats], list[Floats]] = ([], [])
        noise, rmse = [], []
        sweeps = chain(given.half_step, given.known, given.ratings, self.rank, self.seed + number * _APART)
        for sweep, sample in enumerate(itertools.islice(sweeps, self.burn + each), 1):
            if sweep > self.burn:
                noise.append(sample.noise)
                rmse.append(sample.rmse)
            if sweep in places:
                sets[USERS].append(sample.users)
                sets[ITEMS].append(sample.items)
        return _Told((np.stack(sets[USERS]), np.stack(sets[ITEMS])), noise, rmse)


class _Told(NamedTuple):
    """Factors [kept, ids, rank] of users and items of a chain; of each sweep after the burn-in noise and RMSE."""

    sets: tuple[Floats, Floats]
    noise: list[float]
    rmse: list[float]


class _Given(NamedTuple):
    """Ground that chains run on: half-steps, which ids have ratings, and how many ratings there are."""

    half_step: Any
    known: tuple[Any, Any]
    ratings: int


_Sampled = tuple[list[_Told], tuple[Any, Any]]
"""Chains, and which ids have ratings."""


@dataclass(frozen=True)
class _Chains:
    """Run chains by their numbers."""

    given: "Broadcast[_Given]"
    model: Bpmf

    def __call__(self, numbers: Iterable[int]) -> Iterator[_Told | str]:
        for number in numbers:
            try:
                yield self.model.chain(self.given.value, number)
            except UndeterminedError as error:  # a task that fails is run again, and would fail again
                yield str(error)


def _share(total: int, parts: int, number: int) -> int:
    """Return the size of one of parts that are as equal as can be."""
    return total // parts + (number < total % parts)


def _joined(sets: list[Floats], mean: float, side: int) -> Floats:
    """Put samples side by side, so that the product of two such rows is the mean of the samples' predictions."""
    samples = np.concatenate(sets)
    count, ids, rank = samples.shape
    out = np.ones((ids, count * rank + 1), dtype=np.float32)
    out[:, :-1] = samples.transpose(1, 0, 2).reshape(ids, -1)
    if side == USERS:
        out[:, :-1] /= count
    else:
        out[:, -1] = mean
    return out


def _metrics(told: list[_Told]) -> dict[str, float]:
    """Return means, R-hat and effective sizes of what was traced; chains are cut to the shortest."""
    metrics = {}
    for name in ("noise", "rmse"):
        traces = [getattr(one, name) for one in told]
        trace = np.array([one[: min(map(len, traces))] for one in traces])
        metrics[f"chain_{name}"] = float(trace.mean())
        metrics[f"chain_{name}_r_hat"] = r_hat(trace)
        metrics[f"chain_{name}_size"] = effective_size(trace)
    return metrics


MODEL = Bpmf
