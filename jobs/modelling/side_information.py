"""Side information for Bayesian factorisation: what the catalogue says of items, and who has rated what, whatever the rating."""

from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack

from core.errors import JobError
from jobs.engine.arrays import ITEMS, USERS, Ints, one_thread
from jobs.engine.links import Features
from jobs.modelling.terms import Weights, catalogue
from jobs.prepare.stored import Tables
from jobs.runtime.concurrent_actions import run_concurrently

MOST = 4096
"""Features of a side; of more the most frequent are kept. Their products are a square matrix in each task that runs a chain."""

NOTHING = (
    "contents=true asks for what the catalogue says of items, and no two items have a word, genre, tag, person or number in common: "
    "preprocess a data set that describes its items, or leave contents out"
)

_WEIGHTS = Weights(text=0.3, genres=1.0, tags=1.0, people=1.0, features=0.5)
_MIN_ITEMS, _KNOTS = 2, 8
"""As models of contents have them."""


def side_information(
    tables: Tables, known: tuple[Any, Any], pairs: tuple[Ints, Ints] | None, *, contents: bool
) -> tuple[Features | None, Features | None]:
    """Return the features of users and of items.

    Args:
        tables: with the catalogue.
        known: bool [users] and [items], which have ratings.
        pairs: user and item of each rating: a user's features are the items that they rated, an item's the users who rated it (Y. Koren,
            "Factorization Meets the Neighborhood", KDD 2008, whose SVD++ adds factors of these items to a user's); None leaves them out.
        contents: terms of the catalogue are features of items: genres, tags, people, words of titles and texts, and numbers.

    Raises:
        JobError: the catalogue says nothing by which items could be compared.
    """
    of_users, of_items = [], []
    if contents:
        of_items.append(_frequent(_terms(tables, known[ITEMS]), MOST if pairs is None else MOST // 2))
    if pairs is not None:
        user, item = pairs
        sizes = len(known[USERS]), len(known[ITEMS])
        left = MOST - sum(part.shape[1] for part in of_items)
        of_users.append(_rated(user, item, sizes, MOST))
        of_items.append(_rated(item, user, sizes[::-1], left))
    with one_thread():  # a thread a side
        found = run_concurrently(partial(_features, of_users), partial(_features, of_items))
    return found[USERS], found[ITEMS]


def size_of(users: int, items: int, rows: int) -> int:
    """Return the most bytes of both sides' features: their products, and entries by row and by column."""
    squares = min(users, MOST) ** 2 + min(items + users, MOST) ** 2
    return 4 * squares + 32 * rows


def _features(parts: list[Any]) -> Features | None:
    return Features.of(hstack(parts)) if parts else None


def _terms(tables: Tables, known: Any) -> Any:
    """Return the terms of items with ratings, a row an item; rows have length 1."""
    rated = np.flatnonzero(known).astype(np.int32)
    try:
        found = catalogue(tables.items, rated, _WEIGHTS, _MIN_ITEMS, _KNOTS)
    except JobError as error:
        raise JobError(NOTHING) from error
    by_item = found.vectors.by_item
    ids = np.repeat(found.ids, np.diff(by_item.indptr))
    kept = known[ids]
    place = ids[kept], by_item.indices[kept]
    return csr_array((by_item.values[kept], place), shape=(len(known), len(found.names)))


def _rated(ids: Ints, others: Ints, sizes: tuple[int, int], most: int) -> Any:
    """Return which of the others each id has a rating with; rows have length 1."""
    rows = _frequent(csr_array((np.ones(len(ids)), (ids, others)), shape=sizes), most)
    entries = np.diff(rows.indptr)
    rows.data /= np.repeat(np.maximum(entries, 1) ** 0.5, entries)
    return rows


def _frequent(rows: Any, most: int) -> Any:
    """Return the columns that most rows have an entry in, so many of them at most."""
    count = np.bincount(rows.indices, minlength=rows.shape[1])
    chosen = np.sort(np.argsort(-count, kind="stable")[:most])
    return rows[:, chosen[count[chosen] > 0]].tocsr()
