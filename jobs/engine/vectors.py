"""Sparse vectors of items, in compiled code: nearest neighbours, profiles of users, and terms that two items share.

Nothing here needs Spark. Items are positions in an ascending array of ids, terms are positions in a list of names, and every
vector has length 1, or 0 where nothing is known of an item; so products are cosines, and as no entry is negative they
lie between 0 and 1.

Weights by term and document frequency as in G. Salton, C. Buckley, "Term-weighting approaches in automatic text
retrieval", Information Processing & Management 24(5), 1988.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from datasets.compiled import compiled
from jobs.engine.arrays import Floats, Ints
from jobs.engine.neighbours import SCORES, Csr, Neighbours, csr, from_scipy
from jobs.engine.top_k import leave_out, ranked, replace_root, select


class Vectors(NamedTuple):
    """One matrix [items, terms], by rows and by columns."""

    by_item: Csr
    by_term: Csr


def vectors(
    items: Ints,
    terms: Ints,
    counts: npt.NDArray[np.float64],
    *,
    groups: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    m: int,
) -> Vectors:
    """Weigh terms and scale vectors to length 1.

    An entry is count x log((1 + n) / df), where n is the number of items that have any term of the term's group and
    df of those that have the term. Each item's entries of one group are scaled to length 1, multiplied by the root of
    the group's weight, and the whole is scaled to length 1 again: the cosine of two items is the mean of the groups'
    cosines by weight, and an item that lacks a group loses nothing by it.

    Args:
        items: [entries], the item of each entry.
        terms: [entries], its term; no (item, term) twice.
        counts: [entries], positive: how often, or how strongly, the item has the term.
        groups: [terms], the group of each term.
        weights: [groups], 0 leaves a group out.
        m: number of items.
    """
    order = np.lexsort(
        (terms, items)
    )  # sums then have one order, and equal items equal vectors to the last bit
    items, terms, counts = items[order], terms[order], counts[order]
    group, n_groups = groups[terms], len(weights)
    cell = items.astype(np.int64) * n_groups + group
    present = np.bincount(np.unique(cell) % n_groups, minlength=n_groups)
    frequency = np.maximum(np.bincount(terms, minlength=len(groups)), 1)
    values = counts.astype(np.float64) * np.log((1.0 + present[groups]) / frequency)[terms]
    values *= np.sqrt(weights)[group] / _lengths(cell, values, m * n_groups)
    values /= _lengths(items, values, m)
    kept = values > 0
    items, terms, values = items[kept], terms[kept], values[kept]
    return Vectors(csr(items, terms, values, m), csr(terms, items, values, len(groups)))


def _lengths(rows: npt.NDArray[Any], values: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    """Return for each entry the length of its row, 1 for a row of zeros."""
    squares = np.bincount(rows, weights=values**2, minlength=n)[rows]
    return np.where(squares > 0, np.sqrt(squares), 1.0)


def keep_items(by_term: Csr, kept: npt.NDArray[np.bool_]) -> Csr:
    """Return the columns of a matrix with the items that are `kept` alone; places stay as they are."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - as in `jobs.engine.neighbours.csr`

    values = by_term.values * kept[by_term.indices]
    shape = len(by_term.indptr) - 1, len(kept)
    matrix = csr_array((values, by_term.indices, by_term.indptr), shape=shape, copy=True)
    matrix.eliminate_zeros()
    return from_scipy(matrix)


def nearest(items: Ints, by_item: Csr, by_term: Csr, n: int) -> Neighbours:
    """Find for each of `items` the `n` others with the highest cosine, exactly; ties by smaller place.

    Args:
        items: int32, the items whose neighbours are wanted.
        by_item: the matrix, a row an item.
        by_term: the same by columns, with the entries of all items that may be found, or of some.
        n: how many to keep; only positive cosines count.
    """
    ids = np.full((len(items), n), -1, dtype=np.int32)
    cosines = np.zeros((len(items), n), dtype=np.float32)
    _nearest(np.asarray(items, dtype=np.int32), by_item, by_term, ids, cosines)
    return Neighbours(*ranked(ids, cosines))


@compiled
def _nearest(items, by_item, by_term, ids, cosines):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    m = len(by_item.indptr) - 1
    scores = np.zeros(m, dtype=np.float32)
    for row in range(len(items)):
        item = items[row]
        scores[:] = 0.0
        for at in range(by_item.indptr[item], by_item.indptr[item + 1]):
            term, value = by_item.indices[at], by_item.values[at]
            for other in range(by_term.indptr[term], by_term.indptr[term + 1]):
                scores[by_term.indices[other]] += value * by_term.values[other]
        scores[item] = 0.0
        for other in range(m):  # ascending, as the heap's rule for ties wants it
            if scores[other] > cosines[row, 0]:
                replace_root(cosines[row], ids[row], scores[other], other)


def profiles(histories: Csr, by_item: Csr, otherwise: Floats) -> Floats:
    """Return float32 [users, terms]: the items of each user's history times their values, summed, of length 1.

    Args:
        histories: a row a user, over items.
        by_item: the items' matrix.
        otherwise: float32 [terms], for users whose history says nothing.
    """
    out = np.zeros((len(histories.indptr) - 1, len(otherwise)), dtype=np.float32)
    _profiles(histories, by_item, out)
    lengths = np.sqrt(np.einsum("nf,nf->n", out, out, dtype=np.float64))
    known = lengths > 0
    out[known] /= lengths[known, None].astype(np.float32)
    out[~known] = otherwise
    return out


@compiled
def _profiles(histories, by_item, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for user in range(out.shape[0]):
        for at in range(histories.indptr[user], histories.indptr[user + 1]):
            item, value = histories.indices[at], histories.values[at]
            for place in range(by_item.indptr[item], by_item.indptr[item + 1]):
                out[user, by_item.indices[place]] += value * by_item.values[place]


def cosines(users: Ints, items: Ints, histories: Csr, by_item: Csr, otherwise: Floats) -> Floats:
    """Return float32 [pairs]: the product of a user's profile and an item's vector.

    Args:
        users: [pairs], rows of `histories`, ascending.
        items: [pairs], -1 for an unknown one, whose product is 0.
        histories: as in `profiles`, with `by_item` and `otherwise`.
        by_item: see there.
        otherwise: see there.
    """
    out = np.zeros(len(users), dtype=np.float32)
    for block in blocks(len(histories.indptr) - 1, len(otherwise)):
        first, last = np.searchsorted(users, (block.start, block.stop))
        found = profiles(_rows(histories, block), by_item, otherwise)
        _cosines(users[first:last] - block.start, items[first:last], found, by_item, out[first:last])
    return out


@compiled
def _cosines(users, items, found, by_item, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for pair in range(len(users)):
        if items[pair] >= 0:
            for at in range(by_item.indptr[items[pair]], by_item.indptr[items[pair] + 1]):
                out[pair] += found[users[pair], by_item.indices[at]] * by_item.values[at]


def best_by_profile(
    histories: Csr, matrix: Vectors, otherwise: Floats, k: int, seen: tuple[Any, Any] | None
) -> tuple[Ints, Floats]:
    """Rank for each user the `k` of all items with the highest product with the user's profile.

    Args:
        histories: as in `profiles`.
        matrix: all items.
        otherwise: as in `profiles`.
        k: length of a ranking.
        seen: CSR offsets and indices of items to leave out for each user.

    Returns:
        ids int32 [n, k] and scores float32 [n, k] as `jobs.engine.top_k.top_k` does, ties by smaller place.
    """
    n, m = len(histories.indptr) - 1, len(matrix.by_item.indptr) - 1
    ids = np.full((n, k), -1, dtype=np.int32)
    best = np.full((n, k), -np.inf, dtype=np.float32)
    for block in blocks(n, max(m, len(otherwise))):
        found = profiles(_rows(histories, block), matrix.by_item, otherwise)
        scores = np.empty((len(found), m), dtype=np.float32)
        _score_all(found, matrix.by_term, scores)
        if seen is not None:
            leave_out(scores, 0, seen[0][block.start : block.stop + 1], seen[1])
        select(scores, 0, ids[block], best[block])
    return ranked(ids, best)


def sums_of_products(histories: Csr, matrix: Vectors, out: Floats) -> None:
    """Write for each user the sum of their items' cosines with every item, times the histories' values, which may be negative.

    Args:
        histories: a row a user, over items.
        matrix: all items.
        out: float32 [users, items].
    """
    found = np.zeros((len(out), len(matrix.by_term.indptr) - 1), dtype=np.float32)
    _profiles(histories, matrix.by_item, found)
    _score_all(found, matrix.by_term, out)


@compiled
def cosines_between(one, two, by_item, terms, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write the cosine of each item of `one` with each of `two` to `out`, float32 [one, two]; `terms` is their number."""
    spread = np.zeros(terms, dtype=np.float32)
    for column in range(len(two)):
        low, high = by_item.indptr[two[column]], by_item.indptr[two[column] + 1]
        for at in range(low, high):
            spread[by_item.indices[at]] = by_item.values[at]
        for row in range(len(one)):
            total = np.float32(0.0)
            for at in range(by_item.indptr[one[row]], by_item.indptr[one[row] + 1]):
                total += spread[by_item.indices[at]] * by_item.values[at]
            out[row, column] = total
        for at in range(low, high):
            spread[by_item.indices[at]] = 0.0


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Cut rows so that a dense matrix of a block has at most SCORES entries."""
    step = max(1, SCORES // max(width, 1))
    for low in range(0, rows, step):
        yield slice(low, min(low + step, rows))


def _rows(matrix: Csr, block: slice) -> Csr:
    return matrix._replace(indptr=matrix.indptr[block.start : block.stop + 1])


@compiled
def _score_all(found, by_term, scores):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(found.shape[0]):
        scores[row, :] = 0.0
        for term in range(found.shape[1]):
            value = found[row, term]
            if value != 0.0:
                for at in range(by_term.indptr[term], by_term.indptr[term + 1]):
                    scores[row, by_term.indices[at]] += value * by_term.values[at]


def shared_terms(items: Ints, near: Ints, by_item: Csr, n: int) -> Ints:
    """Return int32 [items, k, n]: the terms that add most to each cosine, best first, -1 where fewer are shared.

    Args:
        items: [items], places.
        near: [items, k], places of the items they are compared with, -1 for none.
        by_item: the matrix.
        n: how many terms.
    """
    terms = np.full((*near.shape, n), -1, dtype=np.int32)
    shares = np.zeros((*near.shape, n), dtype=np.float32)
    _shared(np.asarray(items, dtype=np.int32), near, by_item, terms, shares)
    flat = ranked(terms.reshape(-1, n), shares.reshape(-1, n))[0]
    return flat.reshape(terms.shape)


@compiled
def _shared(items, near, by_item, terms, shares):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(items)):
        for place in range(near.shape[1]):
            if near[row, place] < 0:
                break
            one, end = by_item.indptr[items[row]], by_item.indptr[items[row] + 1]
            two, stop = by_item.indptr[near[row, place]], by_item.indptr[near[row, place] + 1]
            while one < end and two < stop:
                left, right = by_item.indices[one], by_item.indices[two]
                if left == right:
                    share = by_item.values[one] * by_item.values[two]
                    if share > shares[row, place, 0]:
                        replace_root(shares[row, place], terms[row, place], share, left)
                one += left <= right
                two += right <= left
