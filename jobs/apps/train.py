"""Fit a model on the training part, time it, and judge it on the test part."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from datasets.dataset import find
from jobs import params as parameters
from jobs.judge import per_user
from jobs.judge.cautions import after_fit, before_fit
from jobs.judge.evaluate import Evaluation, by_user, evaluate, noise_floor, with_predictions
from jobs.judge.intervals import held
from jobs.judge.select import choose, tune, validation_kind, validation_split
from jobs.modelling.delivery import deliver
from jobs.modelling.export import Exportable, export
from jobs.modelling.model import Described, Listed, Model, Sampled, Scorer, Tuned, Uncertain
from jobs.modelling.preflight import Preflighted
from jobs.modelling.similar import SimilarItems
from jobs.params import TrainParams
from jobs.prepare import stored
from jobs.prepare.profile import Profile, profile_parts
from jobs.prepare.relevance import Relevance, relevance
from jobs.prepare.split import Split, counted, divide, split
from jobs.prepare.stored import Summary, Tables
from jobs.runtime.concurrent_actions import run_concurrently
from jobs.runtime.context import Context, JobKind
from jobs.runtime.phases import consume
from jobs.runtime.python_workers import PythonWorkers
from jobs.runtime.request import Result

FINGERPRINT_PAIRS = 1000
MODEL_FOLDER = "model"
_LEVEL = StorageLevel.MEMORY_AND_DISK


class Train:
    """Phases of each pass: fit; score (the test pairs); recommend (top-N for every user, if top_n > 0).

    Scores and recommendations are computed whole and kept in the executors' memory until the pass is over. Those of the
    last pass are what is judged, untimed; its recommendations are written to the store (table `recommendations_<model>`),
    and where the model knows which items are alike, these too (table `similar_items_<model>`). With `export` its model is
    kept in the folder "model" of what outlives the application, with `deliver` the recommendations as files beside it.
    """

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return parameters.OWN | {"model"}

    def run(self, context: Context) -> Result:
        params, model = parameters.read(context.request.params, context.request.model)
        tables, summary = stored.load(context.store)
        parts = _hold(split_of(tables.ratings, params))
        look = _examination(parts, params, summary)
        workers = PythonWorkers(context.spark, context.ready)
        context.ready()
        profile, train_rows, test_rows = look()
        training = tables._replace(ratings=parts.train, profile=profile)
        info = {
            "data_digest": summary.digest,
            "dataset": summary.dataset,
            "model": params.model,
            "table_versions": ", ".join(f"{name} {summary.versions[name]}" for name in stored.READ),
        }
        relevant = relevance(params.relevant, summary.scale, profile)
        _before(context, params, model, training, summary)
        if params.select:
            model, chosen = choose(
                model, params, training, summary.scale, context.events, relevant=relevant.least
            )
            info["selected"] = json.dumps(chosen)
        if isinstance(model, Tuned) and params.top_n:
            model = tune(model, params, training, relevant.least)
        info["hyper_parameters"] = json.dumps(_fields(model), sort_keys=True)
        workers.wait()
        measured = _Measured(context, params, model, training, parts, test_rows, relevant, summary)
        last = measured.passes()
        (evaluation, fingerprint), floor, _ = run_concurrently(
            lambda: measured.judge(last, summary.scale),
            lambda: noise_floor(summary, tables, parts.test),
            lambda: measured.store_similar(last.scorer),
        )
        told = measured.described(last.scorer, evaluation, [(user, item) for user, item, _ in fingerprint])
        metrics, texts, series = told.metrics | floor, told.texts, told.series
        last.release()
        for part in parts:
            part.unpersist()
        return Result(
            job="train",
            status="ok",
            metrics=metrics,
            counts={"train_rows": train_rows, "test_rows": test_rows, **evaluation.counts},
            fingerprint=[prediction for *_, prediction in fingerprint],
            series=series,
            info=info | texts,
            table=[["metric", "value"], *([name, value] for name, value in metrics.items())],
        )


@dataclass(frozen=True)
class _Pass:
    """Results of one pass; `recommendations` is None if none were requested."""

    scorer: Scorer
    scored: DataFrame
    recommendations: DataFrame | None

    def release(self) -> None:
        """Free what the executors keep of it."""
        for frame in (self.scored, self.recommendations):
            if frame is not None:
                frame.unpersist()
        self.scorer.release()


class _Told(NamedTuple):
    """Metrics, texts and series of a judged model."""

    metrics: dict[str, float]
    texts: dict[str, str]
    series: dict[str, list[tuple[int, float]]]


@dataclass(frozen=True)
class _Measured:
    """One model on one split; `training` holds the training part alone, `test_rows` is the number of rows of the other."""

    context: Context
    params: TrainParams
    model: Model
    training: Tables
    parts: Split
    test_rows: int
    relevant: Relevance
    summary: Summary

    def passes(self) -> "_Pass":
        """Repeat the measured work; returns the last pass, the others are released."""
        phase = self.context.phases.phase
        pairs = self.parts.test.select("user", "item")
        last: _Pass | None = None
        for _ in self.context.passes():
            if last is not None:
                last.release()
            with phase("fit"):
                scorer = self.model.fit(self.training)
            with phase("score"):
                scored = _computed(scorer.score(pairs))
            recommendations = None
            if self.params.top_n:
                with phase("recommend"):
                    recommendations = _computed(self._recommend(scorer))
            last = _Pass(scorer, scored, recommendations)
        assert last is not None
        return last

    def _recommend(self, scorer: Scorer) -> DataFrame:
        """Rank for every user of the data set."""
        seen = None if self.params.seen else self.training.ratings.select("user", "item")
        return scorer.recommend(self.training.users.select("user"), self.params.top_n, seen)

    def judge(
        self, last: "_Pass", scale: tuple[float, float, float] | None
    ) -> tuple[Evaluation, list[tuple[int, int, float]]]:
        """Judge what a pass has computed, and store its recommendations; return the fingerprint too."""
        judged = with_predictions(self.parts.test, last.scored, self.test_rows).persist(_LEVEL)
        found, fingerprint, *_ = run_concurrently(
            lambda: evaluate(
                judged,
                self.parts.train,
                last.recommendations,
                predicts_rating=self.model.predicts_rating,
                scale=scale,
                k=self.params.k,
                relevant=self.relevant.least,
                profile=self.training.profile,
            ),
            lambda: _fingerprint(judged),
            lambda: self._store(last.recommendations),
            lambda: self._by_user(judged, last.recommendations, scale),
            lambda: self._deliver(last.recommendations, scale),
        )
        judged.unpersist()
        return found, fingerprint

    def _store(self, recommendations: DataFrame | None) -> None:
        if recommendations is not None:
            self.context.store.write(f"recommendations_{self.params.model}", recommendations)

    def _deliver(self, recommendations: DataFrame | None, scale: tuple[float, float, float] | None) -> None:
        if self.params.deliver:
            assert recommendations is not None  # the parameters were checked
            limits = scale if self.model.predicts_rating else None
            deliver(recommendations, self.training, limits, Path(self.context.request.keep))

    def _by_user(
        self,
        judged: DataFrame,
        recommendations: DataFrame | None,
        scale: tuple[float, float, float] | None,
    ) -> None:
        if not self.context.request.per_user:
            return
        users = by_user(
            judged,
            recommendations,
            scale=scale if self.model.predicts_rating else None,
            k=self.params.k,
            relevant=self.relevant.least,
        )
        per_user.write(users, Path(self.context.request.per_user))

    def described(self, scorer: Scorer, found: Evaluation, fixed: list[tuple[int, int]]) -> "_Told":
        """Return what is told of the judged model, add warnings about it, and export the model if asked for.

        Args:
            scorer: the model.
            found: its evaluation.
            fixed: pairs (user, item), the same of every model.
        """
        ranked = self.params.top_n > 0
        for text in after_fit(self.params.model, found, self.relevant, ranked=ranked):
            self.context.warn(text)
        metrics, series = dict(found.metrics), {}
        texts = {"relevant": self.relevant.short, "relevant_rows": self.relevant.why} if ranked else {}
        if self.params.export:
            self._export(scorer, Path(self.context.request.keep) / MODEL_FOLDER)
        if isinstance(scorer, Uncertain):
            within = held(self.parts.test, scorer)
            metrics |= within.metrics
            series["calibration"] = within.curve
        if isinstance(scorer, Sampled):
            user, item = (np.array(ids, dtype=np.int32) for ids in zip(*fixed, strict=True))
            metrics |= scorer.agreement(user, item)
            series |= scorer.series()
        if isinstance(scorer, Described):
            more, said = scorer.describe()
            metrics |= more
            texts |= said
        return _Told(metrics, texts, series)

    def _export(self, scorer: Scorer, folder: Path) -> None:
        if isinstance(scorer, Listed):
            described = find(self.summary.dataset, self.summary.options).description
            scorer.write(self.training, folder, self.summary.dataset, of_events=described.of_events)
            return
        assert isinstance(scorer, Exportable)  # the parameters were checked
        export(scorer.exported(), self.training, folder)

    def store_similar(self, scorer: Scorer) -> None:
        """Store similar items of each item, if the model knows them."""
        if self.params.top_n and isinstance(scorer, SimilarItems):
            similar = scorer.similar_items(self.params.top_n)
            self.context.store.write(f"similar_items_{self.params.model}", similar)


def split_of(ratings: DataFrame, params: TrainParams) -> Split:
    """Split as the parameters say; if the validation part is judged, the test part is in neither part.

    The parts may be empty, which `counted` finds.
    """
    judged = params.part == "validation"
    parts = (split if judged else divide)(
        ratings, params.split, test=params.test, seed=params.split_seed, n=params.n, fold=params.fold
    )
    return validation_split(parts.train, params) if judged else parts


def _examination(
    parts: Split, params: TrainParams, summary: Summary
) -> Callable[[], tuple[Profile | None, int, int]]:
    """Plan a job that returns the training part's profile and the numbers of rows of both parts.

    The profile is None if the stored tables lack the counts that it needs.
    """
    if summary.n_users is None or summary.n_items is None:
        return lambda: (None, *counted(parts, _kind(params)))
    return profile_parts(parts, _kind(params), summary.n_users, summary.n_items)


def _before(context: Context, params: TrainParams, model: Model, training: Tables, summary: Summary) -> None:
    """Before any fit: warn, and refuse data that the model, or a candidate of `select`, could not be fitted on."""
    for text in before_fit(
        params.model,
        predicts_rating=model.predicts_rating,
        scale=summary.scale,
        profile=training.profile,
    ):
        context.warn(text)
    for _, candidate in parameters.candidates(model, params.select):
        if isinstance(candidate, Preflighted):
            candidate.preflight(training)


def _kind(params: TrainParams) -> str:
    return validation_kind(params) if params.part == "validation" else params.split


def _hold(parts: Split) -> Split:
    return Split(*(part.persist(_LEVEL) for part in parts))


def _computed(frame: DataFrame) -> DataFrame:
    """Compute every row and column of a frame, and keep them."""
    kept = frame.persist(_LEVEL)
    consume(kept)
    return kept


def _fields(model: Model) -> dict[str, Any]:
    return {name: getattr(model, name) for name in parameters.hyper_parameters(type(model))}


def _fingerprint(judged: DataFrame) -> list[tuple[int, int, float]]:
    """Return (user, item, prediction) of 1,000 test pairs that depend on the data and the split alone, in the order of (user, item).

    No prediction counts as 0.
    """
    rows = judged.orderBy(F.xxhash64("user", "item"), "user", "item").limit(FINGERPRINT_PAIRS).collect()
    rows.sort(key=lambda row: (row["user"], row["item"]))
    return [(row["user"], row["item"], float(row["prediction"] or 0.0)) for row in rows]


JOB = Train()
