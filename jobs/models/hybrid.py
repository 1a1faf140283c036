"""A blend of factors, contents and popularity, weighted by how much is known of a user; from likes and dislikes alone, so it is for ranking.

Factors are those of Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, with a weight on
all unobserved pairs (S. Rendle, W. Krichene, L. Zhang, Y. Koren, "Revisiting the Performance of iALS on Item Recommendation
Benchmarks", RecSys 2022), on our own engine. A user's factor is folded in from their whole history, in training as for a single
request, so both give the same list (jobs.engine.lists).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import JobError
from core.options import check_least
from jobs.engine.arrays import Floats, Ints
from jobs.engine.blends import Blend
from jobs.engine.list_files import FILE
from jobs.engine.lists import Away, Known, Lists, likings
from jobs.engine.meanings import Meanings
from jobs.engine.neighbours import some_rows
from jobs.engine.rules import Rule, Unobserved
from jobs.engine.topn_frames import Lists as ListsOfItems
from jobs.engine.vectors import Vectors, blocks, vectors
from jobs.modelling.alternating import Alternating, check_factors
from jobs.modelling.blending import DEFAULT, chosen, pairs
from jobs.modelling.contents import ItemVectors
from jobs.modelling.histories import Batch, Fitted, HistoryScorer, item_counts
from jobs.modelling.list_export import write_lists
from jobs.modelling.preferences import gathered, meanings_of, preferences
from jobs.modelling.preflight import check_ratings
from jobs.modelling.terms import UndescribedError
from jobs.prepare.profile import Profile, profile_of
from jobs.prepare.stored import Tables

AUTO = ""


class Blended:
    """Predicts and ranks in a Python worker; made of `Known` once in each."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self._lists: Lists | None = None

    def __getstate__(self) -> Known:
        return self.known

    def __setstate__(self, known: Known) -> None:
        self.__init__(known)  # type: ignore[misc]

    @property
    def lists(self) -> Lists:
        if self._lists is None:
            self._lists = Lists(self.known)
        return self._lists

    def predict(self, batch: Batch, rows: Ints, items: Ints) -> Floats:
        lists, out = self.lists, np.full(len(rows), np.nan, dtype=np.float32)
        for block in blocks(len(batch.user_bias), lists.items):
            histories = some_rows(batch.rest, block.start, block.stop)
            scores = np.empty((block.stop - block.start, lists.items), dtype=np.float32)
            lists.mixed(lists.parts(histories), self.known.blend.of(likings(histories)), scores)
            first, last = np.searchsorted(rows, (block.start, block.stop))
            out[first:last] = pairs(scores, rows[first:last] - block.start, items[first:last])
        return out

    def rank(self, batch: Batch, k: int, seen: ListsOfItems | None) -> tuple[Ints, Floats]:
        return self.lists.made(batch.rest, k, None if seen is None else Away(seen.offsets, seen.values))


@dataclass(frozen=True)
class HybridScorer(HistoryScorer):
    """Scores from histories; `known` is what lists are made from."""

    known: Known

    def write(self, training: Tables, folder: Path, dataset: str, *, of_events: bool) -> None:
        """Write what lists are made from, as `jobs.modelling.model.Listed` says."""
        write_lists(
            self.known, None if of_events else self.kept, training, folder / FILE, ("hybrid", dataset)
        )

    def describe(self) -> tuple[dict[str, float], dict[str, str]]:
        """Tell the weights."""
        return {}, {"blend": str(self.known.blend), "meanings": repr(self.known.meanings)}


@dataclass(frozen=True, kw_only=True)
class Hybrid(ItemVectors, Alternating):
    """Factors, contents and popularity together; it has the hyper-parameters of the engine's models and of items' vectors.

    Attributes, besides those:
        reg, exponent, unobserved: as `ials` has them.
        watched, dislike, near: as `jobs.engine.meanings.Meanings` has them.
        blend: weights as `jobs.engine.blends.Blend.parse` reads them; empty: chosen on a validation part of training.
    """

    exportable: ClassVar[bool] = True

    rank: int = 64
    reg: float = 0.01
    exponent: float = 1.0
    unobserved: float = 0.3
    watched: float = 0.5
    dislike: float = 1.0
    near: int = 10
    blend: str = AUTO

    def __post_init__(self) -> None:
        Alternating.__post_init__(self)
        ItemVectors.__post_init__(self)
        check_least(self, {"near": 0})
        Meanings(watched=self.watched, dislike=self.dislike)
        if self.blend:
            Blend.parse(self.blend)

    @property
    def predicts_rating(self) -> bool:
        return False

    def preflight(self, tables: Tables) -> None:
        """Refuse what `ials` refuses."""
        _, users, items = check_ratings(tables)
        check_factors(tables.ratings.sparkSession, users, items, self.rank, "hybrid")

    def rules(self, users: int, items: int) -> tuple[Rule, Rule]:
        """A user's columns are the items that have interactions, and the other way round."""
        settings = self.reg, self.exponent, self.unobserved
        return Unobserved(*settings, items), Unobserved(*settings, users)

    def tuned(self, tables: Tables, held: DataFrame, relevant: float | None, k: int) -> "Hybrid":
        """Return the model with the weights that rank best the relevant of the rows `held`, which are not in `tables.ratings`."""
        if self.blend:
            return self
        scorer = self.fit(tables)
        likes = (
            held if relevant is None else held.where(F.col("rating").isNull() | (F.col("rating") >= relevant))
        )
        sent = tables.ratings.sparkSession.sparkContext.broadcast(scorer.known)
        try:
            return replace(self, blend=str(chosen(sent, scorer.kept, likes.select("user", "item"), k)))
        finally:
            sent.destroy()
            scorer.release()

    def known(self, tables: Tables) -> Known:
        """Fit, and return what lists are made from."""
        scorer = self.fit(tables)
        scorer.release()
        return scorer.known

    def fit(self, tables: Tables) -> HybridScorer:
        spark = tables.ratings.sparkSession
        _, users, items = check_ratings(tables)
        meanings = self._meanings(tables.profile or profile_of(tables.ratings, tables.users, tables.items))
        preferred = preferences(tables.ratings, meanings).persist()
        try:
            fitted = self.alternate(tables._replace(ratings=preferred), users, items)
            kept = gathered(preferred)
        finally:
            preferred.unpersist()
        counts = item_counts(tables.ratings)
        popularity = np.zeros(items, dtype=np.float32)
        popularity[counts["item"].to_numpy()] = counts["n"].to_numpy()
        columns = int(fitted.items.known.sum())
        known = Known(
            fitted.items.factors,
            fitted.items.known,
            self.rules(users, columns)[0],
            self._contents(tables, counts, items),
            popularity,
            Blend.parse(self.blend) if self.blend else DEFAULT,
            meanings,
        )
        blended = Blended(known)
        send = spark.sparkContext.broadcast(Fitted(np.arange(items, dtype=np.int32), blended, blended))
        return HybridScorer(send, kept, known)

    def _meanings(self, profile: Profile) -> Meanings:
        return meanings_of(profile, watched=self.watched, dislike=self.dislike, near=self.near)

    def _contents(self, tables: Tables, counts: Any, items: int) -> Vectors:
        """Return the items' vectors; where nothing describes them, vectors without a term."""
        try:
            found = self.catalogue(tables, counts)
        except UndescribedError:
            nothing = np.zeros(0, dtype=np.int32)
            return vectors(
                nothing, nothing, np.zeros(0), groups=np.zeros(1, dtype=np.int64), weights=np.ones(1), m=items
            )
        if len(found.ids) != items:
            raise JobError(
                f"the catalogue describes {len(found.ids):,} of {items:,} items: run make preprocess again, which lists them all"
            )
        return found.vectors


MODEL = Hybrid
