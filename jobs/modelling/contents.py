"""Common parts of models of contents: the vectors of items, and the histories of users."""

from dataclasses import dataclass
from typing import Any, Literal

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from jobs.modelling.baseline import BiasFit, RatingModel
from jobs.modelling.histories import histories
from jobs.modelling.terms import Catalogue, Weights, catalogue, check_options
from jobs.prepare.stored import Tables
from jobs.runtime.phases import consume


@dataclass(frozen=True, kw_only=True)
class ItemVectors:
    """Hyper-parameters of the vectors of items.

    Attributes:
        text, genres, tags, people, features: weights of words of title and text, genres, tags, people, and numbers (year,
            audio features, ...) in the cosine of two items; 0 leaves them out.
        min_items: terms of fewer items are left out.
        knots: number of knots of each number (see jobs.modelling.terms).
    """

    text: float = 0.3
    genres: float = 1.0
    tags: float = 1.0
    people: float = 1.0
    features: float = 0.5
    min_items: int = 2
    knots: int = 8

    def __post_init__(self) -> None:
        check_options(self.weights, self.min_items, self.knots)

    @property
    def weights(self) -> Weights:
        """Return the weight of each group of terms."""
        return Weights(self.text, self.genres, self.tags, self.people, self.features)

    def catalogue(self, tables: Tables, counts: Any) -> Catalogue:
        """Return the vectors of all items; `counts` are those of `jobs.modelling.histories.item_counts`."""
        return catalogue(tables.items, counts["item"].to_numpy(), self.weights, self.min_items, self.knots)


@dataclass(frozen=True, kw_only=True)
class ContentModel(ItemVectors, RatingModel):
    """Hyper-parameters of every model of contents, beside those of the items' vectors and of every model of ratings.

    Attributes:
        rank_by: "rating" recommends by the unclipped prediction; "profile" by what the user rated no lower than their mean,
            as where there are no ratings, which recommends items with few or no ratings more often.
    """

    rank_by: Literal["rating", "profile"] = "rating"

    def kept(self, ratings: DataFrame, bias: BiasFit | None) -> DataFrame:
        """Return each user's history, kept on the executors, where the baseline is not needed any more."""
        found = histories(ratings, bias).persist(StorageLevel.MEMORY_AND_DISK)
        consume(found)
        if bias is not None:
            bias.release()
        return found
