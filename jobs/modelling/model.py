"""Interface of a model: a frozen dataclass of hyper-parameters that fits on tables and returns a scorer."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from pyspark.sql import DataFrame

from jobs.engine.arrays import Ints
from jobs.engine.lists import Known
from jobs.prepare.stored import Tables


class Scorer(Protocol):
    """A fitted model. Scores and rankings are computed only when their frames are used."""

    def score(self, pairs: DataFrame) -> DataFrame:
        """Predict for (user, item) pairs: (user int, item int, prediction float), null for pairs that it cannot predict."""

    def recommend(self, users: DataFrame, k: int, seen: DataFrame | None) -> DataFrame:
        """Rank the best `k` items for each row of `users` (user int), leaving out the pairs of `seen`.

        Returns:
            (user int, items array<int>, scores array<float>), best first, ties by smaller item id; users whom the
            model does not know may be absent; candidates are the items that the model was fitted on, which for a model
            of contents is the whole catalogue.
        """

    def release(self) -> None:
        """Free the frames, RDDs and broadcasts of the model on the executors."""


@runtime_checkable
class Described(Protocol):
    """A scorer with metrics and texts about its fit."""

    def describe(self) -> tuple[dict[str, float], dict[str, str]]:
        """Return metrics and texts for the result, besides those of the evaluation."""


@runtime_checkable
class Uncertain(Protocol):
    """A scorer that says how far off a rating may be."""

    def deviating(self, pairs: DataFrame) -> DataFrame:
        """Predict for pairs (user int, item int), with the standard deviation of a rating: (user, item, prediction float, deviation float)."""


@runtime_checkable
class Sampled(Protocol):
    """A scorer of samples from Markov chains."""

    def agreement(self, user: Ints, item: Ints) -> dict[str, float]:
        """Return metrics of how well the chains agree on predictions of pairs."""

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """Return what each chain was at, by sweep."""


@runtime_checkable
class Tuned(Protocol):
    """A model that chooses settings of its own on rows that are kept from training."""

    def tuned(self, tables: Tables, held: DataFrame, relevant: float | None, k: int) -> "Model":
        """Return the model with the settings that rank best the relevant of the rows `held`, which are not in `tables.ratings`.

        Args:
            tables: to fit on.
            held: of the schema RATINGS.
            relevant: a row with at least this rating is relevant; one without always is. None: each row is.
            k: length of the rankings.
        """


@runtime_checkable
class Listing(Protocol):
    """A model that lists are made from, event by event."""

    def known(self, tables: Tables) -> Known:
        """Fit, and return what lists are made from."""


@runtime_checkable
class Listed(Protocol):
    """A scorer whose export is what lists are made from, event by event."""

    def write(self, training: Tables, folder: Path, dataset: str, *, of_events: bool) -> None:
        """Write a file that `jobs.engine.list_files` reads.

        Args:
            training: what the model was fitted on, with the keys.
            folder: of the file.
            dataset: name of the data set.
            of_events: all that people did is in the tables of events, so that no history is written.
        """


class Model(Protocol):
    """A recommender, a frozen dataclass of hyper-parameters. One file in `jobs/models` binds one to MODEL."""

    @property
    def predicts_rating(self) -> bool:
        """Whether `score` is on the rating scale, so that RMSE means something."""

    def fit(self, tables: Tables) -> Scorer:
        """Fit on `tables.ratings` (the training part) and compute everything that is fitted, so that the fit can be timed."""
