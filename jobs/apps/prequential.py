"""Lists that learn from each like at once, beside lists that wait for the next training: prequential recall and nDCG in time order."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from core.options import nearest, parse
from jobs.engine.lists import Known
from jobs.engine.meanings import Meanings
from jobs.judge.prequential import POLICIES, Epoch, judged
from jobs.modelling.model import Listing
from jobs.modelling.preferences import preferences_of
from jobs.models import MODELS
from jobs.params import model_of
from jobs.prepare import stored
from jobs.prepare.split import split, uniform
from jobs.prepare.stored import Tables
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import NAME, Result

FROZEN, FOLD_IN, RETRAINED, BOTH = range(len(POLICIES))
RESAMPLES = 2_000
_LEVEL = 0.95


@dataclass(frozen=True)
class PrequentialParams:
    """Parameters of the judgement.

    Attributes:
        start: share of all interactions, in time order, on which the first model is fitted.
        epochs: parts into which the others are cut; after each the model is trained again on all so far.
        hidden: fold of the data set whose rows are hidden instead of the later ones, for data without times, as "last5". Then the first
            model is fitted on all rows of a share `start` of the users, and the second on what is not hidden of the others, too.
        k: length of the lists.
        seed: of the resampling of users, and of the share.
    """

    start: float = 0.5
    epochs: int = 10
    hidden: str = ""
    k: int = 10
    seed: int = 1


class Prequential:
    """Phases of each pass: fit (every training) and judge (the likes between two).

    For every like of the later part, or every hidden row, the person's list is made just before it in four ways (`jobs.judge.prequential.POLICIES`), by the same
    routine, without the items that the person had by then. The model must be one that lists are made from.
    """

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(item.name for item in fields(PrequentialParams)) | {"model"}

    def run(self, context: Context) -> Result:
        params = parse(PrequentialParams, context.request.params, "parameters of prequential")
        _check(params)
        model = _model(context.request.model)
        tables, summary = stored.load(context.store)
        ratings = _staged(tables.ratings, params) if params.hidden else _timed(tables.ratings)
        ratings = ratings.persist()
        context.ready()
        rows, epochs = ratings.count(), [STAGES] if params.hidden else _epochs(ratings, params)
        found: list[list[Any]] = []
        try:
            for _ in context.passes():
                found = _judged(context, params, model, tables._replace(ratings=ratings), epochs)
        finally:
            ratings.unpersist()
        sums = [_sums(rows) for rows in found]
        told = _told(sums, params)
        return Result(
            job="prequential",
            status="ok",
            metrics=told.metrics,
            counts={
                "likes": told.likes,
                "users": told.users,
                "epochs": len(epochs),
                "every": round((1 - params.start) * rows / len(epochs)),
            },
            series=told.series,
            info={
                "data_digest": summary.digest,
                "dataset": summary.dataset,
                "model": str(context.request.model[NAME]),
            },
            table=[["metric", "value"], *([name, round(value, 4)] for name, value in told.metrics.items())],
        )


def _check(params: PrequentialParams) -> None:
    if not 0 < params.start < 1:
        raise UsageError(f"start in parameters of prequential must lie between 0 and 1, got {params.start}")
    if params.epochs < 1 or params.k < 1:
        raise UsageError(
            f"epochs and k in parameters of prequential must be 1 or more, got epochs={params.epochs}, k={params.k}"
        )


def _model(given: Mapping[str, Any]) -> Listing:
    model = model_of(given)
    if not isinstance(model, Listing):
        able = sorted(key for key, one in MODELS.items() if issubclass(one, Listing))
        name = str(given[NAME])
        raise UsageError(
            f"prequential makes lists from events, and model {name!r} has none: {nearest(name, able)}"
        )
    return model


def _timed(ratings: DataFrame) -> DataFrame:
    """Add `at_us`, microseconds since 1970, to the rows that have a time."""
    return ratings.where(F.col("at").isNotNull()).withColumn("at_us", F.unix_micros("at"))


STAGES = Epoch(first_us=1, fitted_us=2, end_us=3)
"""Stages in place of times: what the first model is fitted on, what is known of the other users, what is hidden of them."""


def _staged(ratings: DataFrame, params: PrequentialParams) -> DataFrame:
    """Add the stage of each row as `at_us`, from 0 on."""
    parts = split(ratings, "fold", test=0.0, seed=0, n=0, fold=params.hidden)
    other = uniform(params.seed, "user") >= params.start
    known, hidden = (
        part.withColumn("at_us", F.when(other, stage).otherwise(0).cast("long"))
        for part, stage in zip(parts, (STAGES.first_us, STAGES.fitted_us), strict=True)
    )
    return known.union(hidden)


def _epochs(ratings: DataFrame, params: PrequentialParams) -> list[Epoch]:
    """Return when each model is fitted, and until when its likes are judged."""
    shares = [params.start + (1 - params.start) * n / params.epochs for n in range(params.epochs)]
    row = ratings.agg(F.percentile("at_us", shares), F.max("at_us")).first()
    if row is None or row[1] is None:
        raise JobError(
            "prequential judges in time order, and no row of this data set has a time: use one that has, as movielens/1m, or "
            "name a fold to hide (job.hidden=last5 for Spotify's playlists)"
        )
    times = [int(time) for time in row[0]] + [row[1] + 1]
    if len(set(times)) < len(times):
        raise JobError(
            f"too many interactions of this data set have one time to cut them into {params.epochs} parts: set fewer epochs"
        )
    return [Epoch(times[0], *ends) for ends in pairwise(times)]


def _judged(
    context: Context, params: PrequentialParams, model: Listing, tables: Tables, epochs: list[Epoch]
) -> list[list[Any]]:
    """Return the judged rows of each epoch."""
    spark, phase = context.spark.sparkContext, context.phases.phase

    def fitted(before_us: int) -> "Broadcast[Known]":
        with phase("fit"):
            known = model.known(
                tables._replace(ratings=tables.ratings.where(F.col("at_us") < before_us), profile=None)
            )
        return spark.broadcast(known)

    first = fitted(epochs[0].first_us)
    said = _said(tables.ratings, first.value.meanings).persist()
    found: list[list[Any]] = []
    try:
        for number, epoch in enumerate(epochs):
            latest = first if epoch.fitted_us == epoch.first_us else fitted(epoch.fitted_us)
            with phase("judge"):
                found.append(judged(said, first, latest, epoch, params.k).collect())
            if latest is not first:
                latest.destroy()
            context.events.add("epoch", number=number, of=len(epochs))
    finally:
        said.unpersist()
        first.destroy()
    return found


def _said(ratings: DataFrame, meanings: Meanings) -> DataFrame:
    return preferences_of(ratings.select("user", "item", "rating", "at_us"), meanings)


class _Sums(NamedTuple):
    """Of each user of an epoch: ids [users], likes [users], hits and gains [users, policies]."""

    user: npt.NDArray[np.int64]
    likes: npt.NDArray[np.float64]
    hits: npt.NDArray[np.float64]
    gains: npt.NDArray[np.float64]


def _sums(rows: list[Any]) -> _Sums:
    policies = len(POLICIES)
    return _Sums(
        np.array([row["user"] for row in rows], dtype=np.int64),
        np.array([row["likes"] for row in rows], dtype=np.float64),
        np.array([row["hits"] for row in rows], dtype=np.float64).reshape(len(rows), policies),
        np.array([row["gains"] for row in rows], dtype=np.float64).reshape(len(rows), policies),
    )


def _resampled(by_user: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    """Return the sums of the columns over users who are drawn with replacement, RESAMPLES times."""
    random, users = np.random.default_rng(seed), len(by_user)
    shares = np.full(users, 1 / users)
    return np.stack([random.multinomial(users, shares) @ by_user for _ in range(RESAMPLES)])


class _Told(NamedTuple):
    metrics: dict[str, float]
    series: dict[str, list[tuple[int, float]]]
    likes: int
    users: int


def _told(epochs: list[_Sums], params: PrequentialParams) -> _Told:
    """Return means over all likes, the shares that fold-in keeps with their intervals, and recall by epoch."""
    users, index = np.unique(np.concatenate([one.user for one in epochs]), return_inverse=True)
    table = np.concatenate([np.column_stack([one.likes, one.hits, one.gains]) for one in epochs])
    if not len(table):
        raise JobError(
            "no like is left to judge after the first training: set a smaller start, or another data set"
        )
    by_user = np.zeros((len(users), table.shape[1]))
    np.add.at(by_user, index, table)
    resampled = _resampled(by_user, params.seed)
    metrics: dict[str, float] = {}
    for place, what in enumerate(("recall", "ndcg")):
        columns = slice(1 + place * len(POLICIES), 1 + (place + 1) * len(POLICIES))
        means = by_user[:, columns].sum(axis=0) / by_user[:, 0].sum()
        for policy, value in zip(POLICIES, means, strict=True):
            metrics[f"prequential_{what}_{policy}"] = float(value)
        metrics |= _kept(what, means, resampled[:, columns] / resampled[:, :1])
    series = {
        f"prequential_recall_course_{policy}": [
            (number, float(one.hits[:, place].sum() / one.likes.sum()))
            for number, one in enumerate(epochs)
            if one.likes.sum()
        ]
        for place, policy in enumerate(POLICIES)
    }
    return _Told(metrics, series, int(by_user[:, 0].sum()), len(users))


def _kept(what: str, means: npt.NDArray[np.float64], drawn: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return what training again gains over the frozen model, alone and with fold-in, and the share of it that fold-in alone has.

    All with 95% limits over resampled users. A gain that is not clear of 0 has no shares.
    """
    out: dict[str, float] = {}
    fold_in = means[FOLD_IN] - means[FROZEN], drawn[:, FOLD_IN] - drawn[:, FROZEN]
    for name, whole in (("retrained", RETRAINED), ("both", BOTH)):
        gain, gains = means[whole] - means[FROZEN], drawn[:, whole] - drawn[:, FROZEN]
        found = _limited(f"prequential_{what}_gain_{name}", gain, gains)
        out |= found
        if found[f"prequential_{what}_gain_{name}_low"] > 0:
            with np.errstate(divide="ignore", invalid="ignore"):
                shares = fold_in[1] / gains
            out |= _limited(f"prequential_{what}_kept_of_{name}", fold_in[0] / gain, shares[gains != 0])
    return out


def _limited(name: str, value: float, drawn: npt.NDArray[np.float64]) -> dict[str, float]:
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}


JOB = Prequential()
