"""Item-to-item cosine neighbourhoods, in NumPy and compiled code, without Spark.

Users and items are positions in ascending arrays of ids; a row of a matrix is one user's ratings, or one item's.

The similarities are those of B. Sarwar, G. Karypis, J. Konstan, J. Riedl, "Item-based collaborative filtering
recommendation algorithms", WWW 2001, shrunk by support as in Y. Koren, "Factor in the Neighbors: Scalable and Accurate
Collaborative Filtering", ACM TKDD 4(1), 2010.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from datasets.compiled import compiled
from jobs.engine.arrays import Floats, Ints
from jobs.engine.top_k import leave_out, ranked, replace_root, select

Offsets = npt.NDArray[np.int64]

SCORES = 1 << 21  # floats in the buffer of a block of users when all items are scored


class Csr(NamedTuple):
    """A sparse matrix: row `n` has `values[indptr[n] : indptr[n + 1]]` in the columns `indices[...]`, ascending."""

    indptr: Offsets
    indices: Ints
    values: Floats


class Neighbours(NamedTuple):
    """The most similar items of each item: ids int32 [m, n] and similarities float32 [m, n], best first.

    Similarities are positive; -1 and 0 where an item has fewer neighbours.
    """

    ids: Ints
    similarities: Floats


def csr(rows: npt.NDArray[Any], columns: npt.NDArray[Any], values: npt.NDArray[Any], n: int) -> Csr:
    """Build a matrix of `n` rows from its entries, in any order; no (row, column) twice."""
    # Executors import this module too and build no matrix; the import takes a third of a second.
    from scipy.sparse import coo_array  # noqa: PLC0415

    shape = n, int(columns.max(initial=-1)) + 1
    return from_scipy(coo_array((values.astype(np.float32), (rows, columns)), shape=shape).tocsr())


def some_rows(matrix: Csr, first: int, last: int) -> Csr:
    """Return the rows from `first` to before `last` as a matrix of their own."""
    low, high = int(matrix.indptr[first]), int(matrix.indptr[last])
    return Csr(matrix.indptr[first : last + 1] - low, matrix.indices[low:high], matrix.values[low:high])


def from_scipy(matrix: Any) -> Csr:
    """Return SciPy's matrix of rows as compiled code takes it."""
    matrix.sort_indices()
    return Csr(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data.astype(np.float32, copy=False),
    )


def neighbours(
    items: Ints, by_item: Csr, by_user: Csr, *, n: int, shrink: float, min_support: int
) -> Neighbours:
    """Find the `n` most similar of all items for each of `items`.

    The similarity of two items is the cosine of their columns, times s / (s + shrink), where s is the number of users
    who rated both; it counts from `min_support` users up, and if it is positive.

    Args:
        items: int32 [n items], the items whose neighbours are wanted.
        by_item: all residuals, a row an item.
        by_user: the same residuals, a row a user.
        n: how many to keep.
        shrink: number of users at which a similarity is halved.
        min_support: smallest number of common users, at least 1.
    """
    ids = np.full((len(items), n), -1, dtype=np.int32)
    similarities = np.zeros((len(items), n), dtype=np.float32)
    # Sums in double precision of what is float32, in half of the time of scipy.sparse.linalg.norm on a copy in double.
    squares = np.concatenate([[0.0], np.cumsum(by_item.values.astype(np.float64) ** 2)])
    lengths = np.sqrt(np.maximum(squares[by_item.indptr[1:]] - squares[by_item.indptr[:-1]], 0.0))
    _neighbours(
        np.asarray(items, dtype=np.int32), by_item, by_user, lengths, shrink, min_support, ids, similarities
    )
    return Neighbours(*ranked(ids, similarities))


@compiled
def _neighbours(items, by_item, by_user, lengths, shrink, min_support, ids, similarities):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    m = len(lengths)
    dots, support = np.zeros(m), np.zeros(m, dtype=np.int32)
    for row in range(len(items)):
        item = items[row]
        dots[:] = 0.0
        support[:] = 0
        for at in range(by_item.indptr[item], by_item.indptr[item + 1]):
            user, value = by_item.indices[at], by_item.values[at]
            for other in range(by_user.indptr[user], by_user.indptr[user + 1]):
                dots[by_user.indices[other]] += value * by_user.values[other]
                support[by_user.indices[other]] += 1
        support[item] = 0
        for other in range(m):  # ascending, as the heap's rule for ties wants it
            both = support[other]
            if both >= min_support and dots[other] > 0.0:
                cosine = dots[other] / (lengths[item] * lengths[other])
                similarity = np.float32(cosine * both / (both + shrink))
                if similarity > similarities[row, 0]:
                    replace_root(similarities[row], ids[row], similarity, other)


def adjust(users: Ints, items: Ints, by_user: Csr, near: Neighbours, damping: float) -> Floats:
    """Return for each pair the mean residual of the item's neighbours that the user rated, weighted by similarity.

    That is sum(s * residual) / (damping + sum(s)); 0 for a user or item of -1, or without such a neighbour.
    """
    out = np.zeros(len(users), dtype=np.float32)
    order = np.argsort(users, kind="stable")  # a user's row is spread out once for all of their pairs
    _adjust(users, items, order, by_user, near, damping, out)
    return out


@compiled
def _adjust(users, items, order, by_user, near, damping, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    residuals = np.zeros(near.ids.shape[0], dtype=np.float32)
    owner = np.full(near.ids.shape[0], -1, dtype=np.int32)
    last = -1
    for pair in order:
        user, item = users[pair], items[pair]
        if user < 0 or item < 0:
            continue
        if user != last:
            last = user
            for at in range(by_user.indptr[user], by_user.indptr[user + 1]):
                residuals[by_user.indices[at]] = by_user.values[at]
                owner[by_user.indices[at]] = user
        total, weight = 0.0, 0.0
        for place in range(near.ids.shape[1]):
            other = near.ids[item, place]
            if other < 0:
                break
            if owner[other] == user:
                total += near.similarities[item, place] * residuals[other]
                weight += near.similarities[item, place]
        if weight > 0.0:
            out[pair] = total / (damping + weight)


def reverse(near: Neighbours) -> Csr:
    """Return for each item the items whose neighbour it is, with the similarities."""
    item, place = np.nonzero(near.ids >= 0)
    return csr(near.ids[item, place], item, near.similarities[item, place], len(near.ids))


def best_items(
    users: Ints,
    by_user: Csr,
    reverse_of: Csr,
    item_bias: Floats,
    *,
    damping: float,
    k: int,
    seen: tuple[Any, Any] | None,
) -> tuple[Ints, Floats]:
    """Rank for each user the `k` items with the highest `item_bias` plus `adjust`, over all items.

    Args:
        users: int32 [n], -1 for a user without a row.
        by_user: residuals.
        reverse_of: of the neighbourhoods.
        item_bias: float32 [m].
        damping: as in `adjust`.
        k: length of a ranking.
        seen: CSR offsets and indices of items to leave out for each of `users`.

    Returns:
        ids int32 [n, k] and scores float32 [n, k] as `jobs.engine.top_k.top_k` does.
    """
    n, m = len(users), len(item_bias)
    ids = np.full((n, k), -1, dtype=np.int32)
    best = np.full((n, k), -np.inf, dtype=np.float32)
    step = max(1, min(n, SCORES // max(m, 1)))
    buffer = np.empty((step, m), dtype=np.float32)
    for low in range(0, n, step):
        block = slice(low, min(low + step, n))
        scores = buffer[: block.stop - low]
        _score_all(users[block], by_user, reverse_of, item_bias, damping, scores)
        if seen is not None:
            leave_out(scores, 0, seen[0][low : block.stop + 1], seen[1])
        select(scores, 0, ids[block], best[block])
    return ranked(ids, best)


@compiled
def _score_all(users, by_user, reverse_of, item_bias, damping, scores):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    m = len(item_bias)
    total, weight = np.zeros(m), np.zeros(m)
    for row in range(len(users)):
        user = users[row]
        total[:] = 0.0
        weight[:] = 0.0
        if user >= 0:
            for at in range(by_user.indptr[user], by_user.indptr[user + 1]):
                rated, residual = by_user.indices[at], by_user.values[at]
                for place in range(reverse_of.indptr[rated], reverse_of.indptr[rated + 1]):
                    total[reverse_of.indices[place]] += reverse_of.values[place] * residual
                    weight[reverse_of.indices[place]] += reverse_of.values[place]
        for item in range(m):
            mean = total[item] / (damping + weight[item]) if weight[item] > 0.0 else 0.0
            scores[row, item] = item_bias[item] + mean
