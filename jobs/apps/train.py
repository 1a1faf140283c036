"""Fits a model on the training part, times it, and judges it on the test part."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import params as parameters
from jobs import per_user, stored
from jobs.cautions import after_fit, before_fit
from jobs.concurrent_actions import together
from jobs.context import Context
from jobs.evaluate import Evaluation, by_user, evaluate
from jobs.export import Exportable, export
from jobs.model import Described, Model, Scorer, Tables
from jobs.noise_floor import noise_floor
from jobs.params import TrainParams
from jobs.phases import consume
from jobs.preflight import Preflighted
from jobs.profile import Profile, profile_parts
from jobs.pythonworkers import PythonWorkers
from jobs.relevance import Relevance, relevance
from jobs.request import Result
from jobs.select import choose, validation_kind, validation_split
from jobs.similar import SimilarItems
from jobs.split import Split, counted, divide, split
from jobs.stored import Summary

FINGERPRINT_PAIRS = 1000
MODEL_FOLDER = "model"


class Train:
    """Phases of each pass: fit; score (the test pairs); recommend (top-N for every user, if top_n > 0).

    Scores and recommendations are computed whole and thrown away in each pass, so that every pass does the same work;
    after the last one the recommendations are written to the store (table `recommendations_<model>`), untimed, and where
    the model knows which items are alike, these too (table `similar_items_<model>`). With `export` the last pass's model is
    kept in the folder "model" of what outlives the application.
    """

    def parameters(self) -> frozenset[str]:
        return parameters.every_name()

    def run(self, context: Context) -> Result:
        params, model = parameters.read(context.request.params)
        workers = PythonWorkers(context.spark)
        tables, summary = stored.load(context.store)
        parts = _hold(split_of(tables.ratings, params))
        profile, train_rows, test_rows = _examined(parts, params, summary)
        training = tables._replace(ratings=parts.train, profile=profile)
        info = {"data_digest": summary.digest, "dataset": summary.dataset, "model": params.model}
        relevant = relevance(params.relevant, summary.scale, profile)
        _before(context, params, model, training, summary)
        if params.select:
            model, chosen = choose(
                model, params, training, summary.scale, context.events, relevant=relevant.least
            )
            info["selected"] = json.dumps(chosen)
        info["hyper_parameters"] = json.dumps(_fields(model), sort_keys=True)
        workers.wait()
        measured = _Measured(context, params, model, training, parts, relevant)
        scorer = measured.passes()
        (evaluation, fingerprint), floor, _ = together(
            lambda: measured.judge(scorer, summary.scale),
            lambda: noise_floor(summary, tables, parts.test),
            lambda: measured.store_similar(scorer),
        )
        metrics, texts = measured.described(scorer, evaluation)
        metrics |= floor
        scorer.release()
        for part in parts:
            part.unpersist()
        return Result(
            job="train",
            status="ok",
            metrics=metrics,
            counts={"train_rows": train_rows, "test_rows": test_rows, **evaluation.counts},
            fingerprint=fingerprint,
            info=info | texts,
            table=[["metric", "value"], *([name, value] for name, value in metrics.items())],
        )


@dataclass(frozen=True)
class _Measured:
    """One model on one split; `training` holds the training part alone."""

    context: Context
    params: TrainParams
    model: Model
    training: Tables
    parts: Split
    relevant: Relevance

    def passes(self) -> Scorer:
        """Repeat the measured work; returns the last pass's scorer, the others are released."""
        phase = self.context.phases.phase
        pairs = self.parts.test.select("user", "item")
        scorer: Scorer | None = None
        for _ in self.context.passes():
            if scorer is not None:
                scorer.release()
            with phase("fit"):
                scorer = self.model.fit(self.training)
            with phase("score"):
                consume(scorer.score(pairs))
            if self.params.top_n:
                with phase("recommend"):
                    consume(self.recommend(scorer))
        assert scorer is not None
        return scorer

    def recommend(self, scorer: Scorer) -> DataFrame:
        """Rank for every user of the data set."""
        seen = None if self.params.seen else self.training.ratings.select("user", "item")
        return scorer.recommend(self.training.users.select("user"), self.params.top_n, seen)

    def judge(
        self, scorer: Scorer, scale: tuple[float, float, float] | None
    ) -> tuple[Evaluation, list[float]]:
        """Store the recommendations, judge them and the scores of the test pairs; return the fingerprint too.

        What is judged is computed once, and kept until it has been.
        """
        scored = scorer.score(self.parts.test.select("user", "item")).persist(StorageLevel.MEMORY_AND_DISK)
        kept = [scored]
        recommendations = None
        if self.params.top_n:
            recommendations = self.recommend(scorer).persist(StorageLevel.MEMORY_AND_DISK)
            kept.append(recommendations)
        found, _, _ = together(
            lambda: evaluate(
                self.parts,
                scored,
                recommendations,
                predicts_rating=self.model.predicts_rating,
                scale=scale,
                k=self.params.k,
                relevant=self.relevant.least,
            ),
            lambda: self._store(recommendations),
            lambda: self._by_user(scored, recommendations, scale),
        )
        fingerprint = _fingerprint(scored)
        for frame in kept:
            frame.unpersist()
        return found, fingerprint

    def _store(self, recommendations: DataFrame | None) -> None:
        if recommendations is not None:
            self.context.store.write(f"recommendations_{self.params.model}", recommendations)

    def _by_user(
        self,
        scored: DataFrame,
        recommendations: DataFrame | None,
        scale: tuple[float, float, float] | None,
    ) -> None:
        if not self.context.request.per_user:
            return
        users = by_user(
            self.parts,
            scored,
            recommendations,
            scale=scale if self.model.predicts_rating else None,
            k=self.params.k,
            relevant=self.relevant.least,
        )
        per_user.write(users, Path(self.context.request.per_user))

    def described(self, scorer: Scorer, found: Evaluation) -> tuple[dict[str, float], dict[str, str]]:
        """Return metrics and texts of the model that was judged, warn of what they mean, and export it if that was asked for."""
        ranked = self.params.top_n > 0
        for text in after_fit(self.params.model, found, self.relevant, ranked=ranked):
            self.context.warn(text)
        metrics = dict(found.metrics)
        texts = {"relevant": self.relevant.short, "relevant_rows": self.relevant.why} if ranked else {}
        if self.params.export:
            assert isinstance(scorer, Exportable)  # the parameters were checked
            export(scorer.exported(), self.training, Path(self.context.request.keep) / MODEL_FOLDER)
        if isinstance(scorer, Described):
            more, said = scorer.describe()
            metrics |= more
            texts |= said
        return metrics, texts

    def store_similar(self, scorer: Scorer) -> None:
        """Store what is like each item, where the model can say."""
        if self.params.top_n and isinstance(scorer, SimilarItems):
            similar = scorer.similar_items(self.params.top_n)
            self.context.store.write(f"similar_items_{self.params.model}", similar)


def split_of(ratings: DataFrame, params: TrainParams) -> Split:
    """Split as the parameters say; where the validation part is judged, the test part is in neither.

    The parts may be empty, which `counted` finds.
    """
    judged = params.part == "validation"
    parts = (split if judged else divide)(
        ratings, params.split, test=params.test, seed=params.split_seed, n=params.n, fold=params.fold
    )
    return validation_split(parts.train, params) if judged else parts


def _examined(parts: Split, params: TrainParams, summary: Summary) -> tuple[Profile | None, int, int]:
    """Return the training part's profile, where the tables say what a profile needs, and the rows of both parts."""
    if summary.n_users is None or summary.n_items is None:
        return None, *counted(parts, _kind(params))
    profile, test_rows = profile_parts(parts, _kind(params), summary.n_users, summary.n_items)
    return profile, profile.rows, test_rows


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
    return Split(*(part.persist(StorageLevel.MEMORY_AND_DISK) for part in parts))


def _fields(model: Model) -> dict[str, Any]:
    return {name: getattr(model, name) for name in parameters.hyper_parameters(type(model))}


def _fingerprint(scored: DataFrame) -> list[float]:
    """Return the predictions of 1,000 test pairs that depend on the data and the split alone, in the order of (user, item).

    No prediction counts as 0.
    """
    rows = scored.orderBy(F.xxhash64("user", "item"), "user", "item").limit(FINGERPRINT_PAIRS).collect()
    rows.sort(key=lambda row: (row["user"], row["item"]))
    return [float(row["prediction"] or 0.0) for row in rows]


JOB = Train()
