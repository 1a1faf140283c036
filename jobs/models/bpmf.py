"""Bayesian matrix factorisation of ratings by Gibbs sampling on our own engine: no regularisation to choose, a mean and a deviation.

R. Salakhutdinov, A. Mnih, "Bayesian Probabilistic Matrix Factorization using Markov Chain Monte Carlo", ICML 2008, with biases, the precision of
the noise drawn as well, and side information through link matrices (`jobs.engine.links`). A prediction is the mean over samples.
Rows whose user or item it has not seen fall back to the bias baseline.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pyspark import Broadcast
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from core.options import check_least
from jobs.engine.arrays import ITEMS, USERS, Floats, one_thread
from jobs.engine.blocks import Blocks, Sizes, not_finite
from jobs.engine.factorise import both_ways
from jobs.engine.gibbs import Ground, Whole, chain
from jobs.engine.normal_equations import UndeterminedError
from jobs.modelling.alternating import TURNS, engine_on
from jobs.modelling.array_baseline import Baseline, around, mean_of, of_arrays, of_blocks
from jobs.modelling.baseline import RatingModel
from jobs.modelling.blocked import Fitted, Side
from jobs.modelling.chains import effective_size, r_hat
from jobs.modelling.fetching import check_driver, check_results, fetch
from jobs.modelling.preflight import check_copies, check_ratings
from jobs.modelling.sampled import SampledScorer, joined
from jobs.modelling.side_information import NOTHING, side_information, size_of
from jobs.prepare.stored import Tables
from jobs.runtime.concurrent_actions import run_concurrently
from jobs.runtime.session import tasks_at_a_time

_WHOLE = 5_000_000
"""Ratings up to which a chain is one task with all of them: its sweeps are shorter than a stage of Spark takes to start."""

_RATING = 24
"""Bytes of a rating in a task that runs a chain: by user and by item, two ids and offsets."""

_APART = 1_000_003
"""Difference of two chains' seeds: chains of neighbouring seeds share no draws."""


@dataclass(frozen=True)
class Bpmf(RatingModel):
    """Bayesian factorisation; besides these it has the hyper-parameters of every model of ratings.

    Attributes:
        rank: number of factors besides a bias.
        contents: what the catalogue says of items tells of their factors, too.
        histories: which items a user has rated tells of the user's factors, too, as in SVD++, and who has rated an item of the item's.
        samples: sweeps of all chains together after the burn-in.
        kept: samples that predictions are the mean of, evenly among all.
        burn: sweeps of each chain that are thrown away.
        chains: which start apart and run side by side.
        seed: of all draws.
    """

    exportable: ClassVar[bool] = True

    rank: int = 32
    contents: bool = False
    histories: bool = False
    samples: int = 400
    kept: int = 200
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
        """Refuse what `als` refuses, a catalogue without items, and what the driver or the executors' Python workers cannot hold."""
        rows, users, items = check_ratings(tables, instead="als_implicit")
        if self.contents and tables.items.isEmpty():
            raise JobError(NOTHING)
        spark, samples = tables.ratings.sparkSession, 4 * (users + items) * (self.rank + 2) * self.kept
        what = f"bpmf at rank {self.rank} with {self.kept} samples"
        features = size_of(users, items, rows if self.histories else 0) * (self.histories or self.contents)
        of_chain = samples / self.chains + _RATING * rows + features if rows <= _WHOLE else 0
        check_copies(spark, max(samples, of_chain), what)
        fetched = rows if rows <= _WHOLE or self.histories else 0
        check_driver(spark, fetched, 2 * samples + 2 * features, "bpmf")
        # Each task sends the samples of its chain, or one side's factors.
        check_results(spark, samples if rows <= _WHOLE else 4 * max(users, items) * (self.rank + 1), what)

    def fit(self, tables: Tables) -> SampledScorer:
        rows, users, items = check_ratings(tables, instead="als_implicit")
        spark, mean = tables.ratings.sparkSession, mean_of(tables)
        rest = tables._replace(ratings=around(tables.ratings, mean))
        sample = self._in_tasks if rows <= _WHOLE else self._on_blocks
        told, known, elsewhere = sample(rest, (users, items))
        of_users, of_items = (
            Side(joined([sample for one in told for sample in one.sets[side]], side, mean), known[side])
            for side in (USERS, ITEMS)
        )
        slots = tasks_at_a_time(spark)
        fitted = Fitted(of_users, of_items, self._metrics(told), slots, elsewhere.plus(mean))
        noise = float(np.mean([1 / value for one in told for value in one.noise[self.burn :]]))
        (spread,) = rest.ratings.agg(F.var_pop("rating")).first() or (noise,)
        return SampledScorer.of(
            spark,
            fitted,
            clip=self.clip,
            chains=tuple(len(one.sets[USERS]) for one in told),
            noise=noise,
            spread=max(noise, spread),
            traces=_traces(told),
        )

    def _in_tasks(self, tables: Tables, sizes: tuple[int, int]) -> "_Sampled":
        """Run each chain as one task, which has all ratings."""
        context = tables.ratings.sparkSession.sparkContext
        user, item, rating = fetch(tables.ratings)
        if not np.isfinite(rating).all():
            place = int(np.flatnonzero(~np.isfinite(rating))[0])
            raise JobError(not_finite(user[place], item[place], rating[place]))
        known = np.bincount(user, minlength=sizes[USERS]) > 0, np.bincount(item, minlength=sizes[ITEMS]) > 0
        pairs = (user, item) if self.histories else None
        features = side_information(tables, known, pairs, contents=self.contents)
        whole = Whole(*both_ways(user, item, rating, *sizes))
        sent = context.broadcast(Ground(whole, known, len(rating), features))
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
        return told, known, of_arrays(user, item, rating, sizes, self)

    def _on_blocks(self, tables: Tables, sizes: tuple[int, int]) -> "_Sampled":
        """Run each half-step of each chain as a stage on blocks."""
        spark = tables.ratings.sparkSession
        with Blocks(tables.ratings, Sizes(*sizes, TURNS * tasks_at_a_time(spark))) as blocks:
            users, items = blocks.counts
            known = users > 0, items > 0
            engine = engine_on(blocks, self.rank + 1, spark)
            pairs = fetch(tables.ratings)[:2] if self.histories else None
            features = side_information(tables, known, pairs, contents=self.contents)
            ground = Ground(engine.half_step, known, int(users.sum()), features)
            with one_thread():  # a thread a chain
                told = run_concurrently(
                    *(partial(self.chain, ground, number) for number in range(self.chains))
                )
            elsewhere = of_blocks(blocks, self)
            blocks.release()
        return told, known, elsewhere

    def chain(self, ground: Ground, number: int) -> "_Told":
        """Run one chain."""
        each = _share(self.samples, self.chains, number)
        wanted = _share(self.kept, self.chains, number)
        places = {self.burn + 1 + int(place) for place in np.linspace(0, each - 1, wanted).round()}
        sets: tuple[list[Floats], list[Floats]] = ([], [])
        noise, rmse = [], []
        sweeps = chain(ground, self.rank, self.seed + number * _APART)
        for sweep, sample in enumerate(itertools.islice(sweeps, self.burn + each), 1):
            noise.append(sample.noise)
            rmse.append(sample.rmse)
            if sweep in places:
                sets[USERS].append(sample.users)
                sets[ITEMS].append(sample.items)
        return _Told(sets, noise, rmse)

    def _metrics(self, told: "list[_Told]") -> dict[str, float]:
        """Return means, R-hat and effective sizes after the burn-in of what was traced; chains are cut to the shortest."""
        metrics = {}
        for name in _TRACED:
            traces = [getattr(one, name)[self.burn :] for one in told]
            trace = np.array([one[: min(map(len, traces))] for one in traces])
            metrics[f"chain_{name}"] = float(trace.mean())
            metrics[f"chain_{name}_r_hat"] = r_hat(trace)
            metrics[f"chain_{name}_size"] = effective_size(trace)
        return metrics


class _Told(NamedTuple):
    """Factors [ids, rank + 1] of users and items in each kept sample of a chain; of each sweep noise and RMSE."""

    sets: tuple[list[Floats], list[Floats]]
    noise: list[float]
    rmse: list[float]


_TRACED = ("noise", "rmse")

_Sampled = tuple[list[_Told], tuple[Any, Any], Baseline]
"""Chains, which ids have ratings, and the baseline of the ratings."""


@dataclass(frozen=True)
class _Chains:
    """Run chains by their numbers."""

    ground: "Broadcast[Ground]"
    model: Bpmf

    def __call__(self, numbers: Iterable[int]) -> Iterator[_Told | str]:
        for number in numbers:
            try:
                yield self.model.chain(self.ground.value, number)
            except UndeterminedError as error:  # a task that fails is run again, and would fail again
                yield str(error)


def _share(total: int, parts: int, number: int) -> int:
    """Return the size of one of parts that are as equal as can be."""
    return total // parts + (number < total % parts)


def _traces(told: list[_Told]) -> dict[str, list[tuple[int, float]]]:
    """Return what was traced of each chain, by sweep."""
    return {
        f"chain_{name}_{number}": list(enumerate(getattr(one, name), 1))
        for name in _TRACED
        for number, one in enumerate(told, 1)
    }


MODEL = Bpmf
