"""Exact top-k of a product of factor matrices, in NumPy and compiled code, without Spark.

Users are taken in blocks and items in tiles small enough that the scores which BLAS writes are still in the core's
second-level cache when the selection reads them. The selection passes over them once: 64 scores at a time are compared
with the worst score that a user has kept, and only where one is better does it enter that user's heap of k.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from datasets.compiled import compiled
from jobs.engine.arrays import Floats, Ints, one_thread

USERS = 512  # rows of a block
ITEMS = 512  # columns of a tile: block times tile is 1 MiB of scores
_CHUNK = 64  # scores looked at together; four vector registers of the widest kind
_LARGEST = float(np.finfo(np.float32).max)


def top_k(
    users: Floats,
    items: Floats,
    k: int,
    seen_indptr: npt.NDArray[Any] | None = None,
    seen_indices: npt.NDArray[Any] | None = None,
) -> tuple[Ints, Floats]:
    """Rank for each user the `k` items with the highest product, ties by smaller index.

    Args:
        users: float32 [n, f].
        items: float32 [m, f].
        k: how many to keep, at least 1.
        seen_indptr: [n + 1], where each user's part of `seen_indices` begins: together a CSR matrix [n, m].
        seen_indices: items to leave out, in any order within a row.

    Returns:
        ids int32 [n, k] and scores float32 [n, k], best first; -1 and -inf where fewer than k candidates exist.

    Raises:
        ValueError: shapes that do not fit, or factors so large (or not numbers) that a product may not be finite.
    """
    users, items = (np.ascontiguousarray(factors, dtype=np.float32) for factors in (users, items))
    _check(users, items, k)
    ids = np.full((len(users), k), -1, dtype=np.int32)
    best = np.full((len(users), k), -np.inf, dtype=np.float32)
    seen = None
    if seen_indptr is not None and seen_indices is not None:
        seen = np.asarray(seen_indptr, dtype=np.int64), np.asarray(seen_indices, dtype=np.int32)
        if len(seen[0]) != len(users) + 1:
            raise ValueError(f"seen_indptr has {len(seen[0])} entries for {len(users)} users")
    buffer = np.empty(USERS * ITEMS, dtype=np.float32)
    with one_thread():
        for low in range(0, len(users), USERS):
            block = users[low : low + USERS]
            for first in range(0, len(items), ITEMS):
                tile = items[first : first + ITEMS]
                scores = buffer[: len(block) * len(tile)].reshape(len(block), len(tile))
                np.matmul(block, tile.T, out=scores)
                if seen is not None:
                    leave_out(scores, first, seen[0][low : low + len(block) + 1], seen[1])
                select(scores, first, ids[low : low + len(block)], best[low : low + len(block)])
    return ranked(ids, best)


def ranked(ids: Ints, best: Floats) -> tuple[Ints, Floats]:
    """Sort each row of heaps [n, k], best first, ties by smaller index."""
    order = np.lexsort((ids, -best), axis=1)
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(best, order, axis=1)


def _check(users: Floats, items: Floats, k: int) -> None:
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")
    if users.ndim != 2 or items.ndim != 2 or users.shape[1] != items.shape[1]:
        raise ValueError(f"factors of shapes {users.shape} and {items.shape} have no product")
    if not users.size or not items.size:
        return
    # Cauchy-Schwarz: no product is larger than the product of the longest vectors. NaN fails the comparison too.
    with np.errstate(over="ignore", invalid="ignore"):
        longest = _length(users) * _length(items)
    if not longest < _LARGEST:
        raise ValueError(
            f"a product of these factors may not be finite (longest user times longest item: {longest}); "
            "the model has diverged: fit it with more regularisation or fewer iterations"
        )


def _length(factors: Floats) -> float:
    return float(np.sqrt(np.einsum("nf,nf->n", factors, factors, dtype=np.float64).max()))


@compiled
def leave_out(scores: Floats, first: int, indptr: npt.NDArray[np.int64], indices: Ints) -> None:
    """Set the scores of the items that a user has seen to -inf.

    Args:
        scores: float32 [users, items], changed in place.
        first: index of the item in the first column.
        indptr: int64 [users + 1], where each user's part of `indices` begins.
        indices: int32, indices of the seen items.
    """
    width = scores.shape[1]
    for row in range(scores.shape[0]):
        for at in range(indptr[row], indptr[row + 1]):
            column = indices[at] - first
            if 0 <= column < width:
                scores[row, column] = -np.inf


@compiled
def select(scores: Floats, first: int, ids: Ints, best: Floats) -> None:
    """Take the scores of items `first`, `first + 1`, ... into each row's heap, whose root is its worst entry.

    Items come in ascending order, so that of equal scores the one already kept has the smaller index.

    Args:
        scores: float32 [users, items].
        first: index of the item in the first column.
        ids: int32 [users, k], the items in each heap, changed in place.
        best: float32 [users, k], their scores, changed in place.
    """
    rows, width = scores.shape
    whole = width - width % _CHUNK
    for row in range(rows):
        line, heap, names = scores[row], best[row], ids[row]
        for low in range(0, whole, _CHUNK):
            worst = heap[0]
            better = 0
            for column in range(low, low + _CHUNK):  # no branch inside: compiled to vector compares
                better |= line[column] > worst
            if better:
                _take(line[low : low + _CHUNK], first + low, heap, names)
        _take(line[whole:], first + whole, heap, names)


@compiled
def _take(line: Floats, first: int, heap: Floats, names: Ints) -> None:
    for column in range(len(line)):
        if line[column] > heap[0]:
            replace_root(heap, names, line[column], first + column)


@compiled
def replace_root(heap: Floats, names: Ints, score: float, name: int) -> None:
    """Put a better entry in the place of the worst; of equal scores the larger index is the worse."""
    at, size = 0, len(heap)
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (
            heap[right] < heap[child] or (heap[right] == heap[child] and names[right] > names[child])
        ):
            child = right
        if score < heap[child] or (score == heap[child] and name > names[child]):
            break
        heap[at], names[at] = heap[child], names[child]
        at = child
    heap[at], names[at] = score, name
