"""Choose hyper-parameters on a validation part of training, without the test rows."""

import json
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame

from core.errors import JobError
from jobs.judge.evaluate import evaluate, with_predictions
from jobs.modelling.model import Model, Tuned
from jobs.params import TrainParams, candidates
from jobs.prepare.split import Split, counted, divide
from jobs.prepare.stored import Tables
from jobs.runtime.phases import Events


def choose(
    model: Model,
    params: TrainParams,
    tables: Tables,
    scale: tuple[float, float, float] | None,
    events: Events,
    *,
    relevant: float | None,
) -> tuple[Model, dict[str, Any]]:
    """Fit each candidate on a part of training; return the best one on the rest, with its values.

    A model of ratings is judged by RMSE where the data have ratings, else by nDCG.

    Args:
        model: the model; fields that `select` does not name stay as they are.
        params: the values to choose from, and how to split.
        tables: `ratings` is the training part alone.
        scale: (lowest, highest, step) of the ratings; None without ratings.
        events: gets one event `candidate` for each candidate, and one `selected`.
        relevant: the least rating of a relevant row; None if every row is relevant.

    Raises:
        JobError: no candidate has a score, or a part of the validation split is empty.
    """
    inner = Split(*(part.persist() for part in _inner_split(tables.ratings, params)))
    rated = model.predicts_rating and scale is not None
    metric, sign = ("rmse", 1.0) if rated else (f"ndcg_at_{params.k}", -1.0)
    best: tuple[float, dict[str, Any], Model] | None = None
    try:
        counted(inner, validation_kind(params))
        for values, candidate in candidates(model, params.select):
            score = _score(candidate, inner, tables, params, scale, relevant=relevant).get(metric)
            events.add("candidate", values=values, metric=metric, score=score)
            if score is not None and (best is None or sign * score < best[0]):
                best = (sign * score, values, candidate)
    finally:
        for part in inner:
            part.unpersist()
    if best is None:
        raise JobError(
            f"no candidate of select={json.dumps(dict(params.select))} has a {metric} on the validation rows: no row has a "
            "prediction or a relevant item. Use a larger job.validation, or leave job.select out"
        )
    events.add("selected", values=best[1], metric=metric, score=sign * best[0])
    return best[2], best[1]


def tune(model: Tuned, params: TrainParams, tables: Tables, relevant: float | None) -> Model:
    """Let a model choose settings of its own on a validation part of training.

    Args:
        model: the model.
        params: how to split.
        tables: `ratings` is the training part alone.
        relevant: the least rating of a relevant row; None if every row is relevant.

    Raises:
        JobError: a part of the validation split is empty.
    """
    inner = Split(*(part.persist() for part in _inner_split(tables.ratings, params)))
    try:
        counted(inner, validation_kind(params))
        return model.tuned(tables._replace(ratings=inner.train, profile=None), inner.test, relevant, params.k)
    finally:
        for part in inner:
            part.unpersist()


def validation_kind(params: TrainParams) -> str:
    """Return the kind of split for the validation part: that of the test part, but random for published folds."""
    return "random" if params.split == "fold" else params.split


def validation_split(train: DataFrame, params: TrainParams) -> Split:
    """Cut a validation part from training; a part may be empty, which `jobs.prepare.split.counted` finds."""
    return _cut(train, params, 1)


def _inner_split(train: DataFrame, params: TrainParams) -> Split:
    """Cut a part to choose by from training; where a validation part was cut before, the same draw would find no row."""
    return _cut(train, params, 2 if params.part == "validation" else 1)


def _cut(train: DataFrame, params: TrainParams, time: int) -> Split:
    return divide(
        train,
        validation_kind(params),
        test=params.validation,
        seed=params.split_seed + time * 1_000_003,
        n=params.n,
        fold=None,
    )


def _score(
    candidate: Model,
    inner: Split,
    tables: Tables,
    params: TrainParams,
    scale: tuple[float, float, float] | None,
    *,
    relevant: float | None,
) -> Mapping[str, float]:
    scorer = candidate.fit(tables._replace(ratings=inner.train, profile=None))
    judged = with_predictions(inner.test, scorer.score(inner.test.select("user", "item"))).persist()
    ranked = None
    try:
        if scale is None or not candidate.predicts_rating:
            users = inner.test.select("user").distinct()
            ranked = scorer.recommend(
                users, params.k, None if params.seen else inner.train.select("user", "item")
            ).persist()
        return evaluate(
            judged,
            inner.train,
            ranked,
            predicts_rating=candidate.predicts_rating,
            scale=scale,
            k=params.k,
            relevant=relevant,
        ).metrics
    finally:
        for frame in (judged, ranked):
            if frame is not None:
                frame.unpersist()
        scorer.release()
