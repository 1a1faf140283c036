"""Lists of items for people, from what they did: one routine for batches, streams and single requests.

A score is a weighted sum of three, each of mean 0 and deviation 1 over the items: products of factors with the user's factor, which
is folded in from the whole history; cosines with the contents of the history's items; and popularity. All is added up in an order
that does not depend on who else is asked for, and ties go to the smaller item, so equal histories have equal lists.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jobs.engine.arrays import Floats, Ints
from jobs.engine.blends import Blend
from jobs.engine.meanings import Meanings
from jobs.engine.neighbours import Csr, some_rows
from jobs.engine.rules import FoldIn, Rule
from jobs.engine.scoring import mix, products, standardise, tiled
from jobs.engine.top_k import leave_out, ranked, select
from jobs.engine.vectors import Vectors, blocks, nearest, sums_of_products


class Known(NamedTuple):
    """Everything that lists are made from, by place of the item.

    Attributes:
        factors: float32 [items, rank], zeros for an item without.
        fitted: bool [items], whether an item has factors.
        rule: objective of which a user's factor is the solution.
        contents: vectors of the items.
        popularity: float32 [items], interactions of each.
        blend: weights.
        meanings: of what people say.
    """

    factors: Floats
    fitted: npt.NDArray[np.bool_]
    rule: Rule
    contents: Vectors
    popularity: Floats
    blend: Blend
    meanings: Meanings


class Away(NamedTuple):
    """Items to leave out: those of row `n` are `items[offsets[n] : offsets[n + 1]]`."""

    offsets: npt.NDArray[np.int64]
    items: Ints


class Parts(NamedTuple):
    """Scores of users before they are mixed, float32 [users, items], and what each row was divided by, float32 [users]."""

    factors: Floats
    content: Floats
    factors_unit: Floats
    content_unit: Floats


class Lists:
    """Makes lists."""

    def __init__(self, known: Known) -> None:
        """Prepare.

        Raises:
            ValueError: the factors have biases, whose products are not plain ones.
        """
        if known.rule.biased:
            raise ValueError("lists are made of factors without biases: fit the model with biases=false")
        self.known = known
        self.items = len(known.factors)
        self.fold = FoldIn(known.factors, known.rule)
        self._tiles = tiled(known.factors)
        popular = np.log1p(known.popularity).astype(np.float32)[None, :]
        standardise(popular)
        self.popularity = popular[0]
        self._near: dict[int, Ints] = {}

    def made(self, histories: Csr, k: int, away: Away | None = None) -> tuple[Ints, Floats]:
        """Rank for each user the `k` best items.

        Args:
            histories: preferences for items, a row a user, as `Meanings` says; none twice in a row, places ascending.
            k: length of a list.
            away: items to leave out, besides those that are near to what a user dislikes.

        Returns:
            ids int32 [users, k] and scores float32 [users, k], best first, ties by smaller place; -1 and -inf where fewer are left.
        """
        users = len(histories.indptr) - 1
        ids = np.empty((users, k), dtype=np.int32)
        best = np.empty((users, k), dtype=np.float32)
        for block in blocks(users, self.items):
            left_out = None if away is None else Away(away.offsets[block.start : block.stop + 1], away.items)
            ids[block], best[block], _ = self.explained(
                some_rows(histories, block.start, block.stop), k, left_out
            )
        return ids, best

    def explained(self, histories: Csr, k: int, away: Away | None) -> tuple[Ints, Floats, Parts]:
        """Return the same of users who are few enough for memory, and the scores of all items for them."""
        users, parts = len(histories.indptr) - 1, self.parts(histories)
        scores = np.empty((users, self.items), dtype=np.float32)
        self.mixed(parts, self.known.blend.of(likings(histories)), scores)
        return *self.best(histories, scores, k, away), parts

    def best(self, histories: Csr, scores: Floats, k: int, away: Away | None) -> tuple[Ints, Floats]:
        """Return the best items by scores, float32 [users, items], in which those to leave out become -inf."""
        ids = np.full((len(scores), k), -1, dtype=np.int32)
        best = np.full((len(scores), k), -np.inf, dtype=np.float32)
        if away is not None:
            leave_out(scores, 0, away.offsets, away.items)
        self.hide_near(histories, scores)
        select(scores, 0, ids, best)
        return ranked(ids, best)

    def parts(self, histories: Csr) -> Parts:
        """Return the scores of some users for all items."""
        factors = products(self._tiles, self.folded(histories), self.items)
        content = np.empty_like(factors)
        sums_of_products(histories, self.known.contents, content)
        return Parts(factors, content, standardise(factors), standardise(content))

    def folded(self, histories: Csr) -> Floats:
        """Return the users' factors, float32 [users, rank], from the items that have factors."""
        return self.fold(kept(histories, self.known.fitted[histories.indices]))

    def mixed(self, parts: Parts, weights: Floats, out: Floats) -> None:
        """Write the weighted sums of parts to `out`, float32 [users, items]; `weights` are float32 [users, 3]."""
        mix(parts.factors, parts.content, self.popularity, weights, out)

    def hide_near(self, histories: Csr, scores: Floats) -> None:
        """Leave out what is near to the items that users dislike."""
        if not self.known.meanings.near or not np.any(histories.values < 0):
            return
        disliked = kept(histories, histories.values < 0)
        near = [self.near(int(item)) for item in disliked.indices]
        ends = np.concatenate([[0], np.cumsum([len(items) for items in near], dtype=np.int64)])
        leave_out(scores, 0, ends[disliked.indptr], np.concatenate(near))

    def near(self, item: int) -> Ints:
        """Return the items that stay away with a disliked one, nearest first; fewer where fewer have anything in common with it."""
        found = self._near.get(item)
        if found is None:
            by_item, by_term = self.known.contents
            (ids,) = nearest(np.array([item], dtype=np.int32), by_item, by_term, self.known.meanings.near).ids
            found = self._near[item] = ids[ids >= 0]
        return found


def likings(histories: Csr) -> npt.NDArray[np.int64]:
    """Return the number of each row's preferences above 0."""
    ends = np.concatenate([[0], np.cumsum(histories.values > 0, dtype=np.int64)])
    found: npt.NDArray[np.int64] = ends[histories.indptr[1:]] - ends[histories.indptr[:-1]]
    return found


def kept(histories: Csr, wanted: npt.NDArray[np.bool_]) -> Csr:
    """Return the entries that are wanted, bool [entries]."""
    ends = np.concatenate([[0], np.cumsum(wanted, dtype=np.int64)])
    return Csr(ends[histories.indptr], histories.indices[wanted], histories.values[wanted])
