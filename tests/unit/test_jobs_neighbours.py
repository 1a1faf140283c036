"""Neighbourhoods against dense matrices and loops."""

import numpy as np
import pytest

from jobs.engine import neighbours as nb


def dense(seed, n=25, m=18):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, m)).astype(np.float32)
    mask = rng.random((n, m)) < 0.45
    mask[:, 3] = False  # an item that nobody rated
    mask[4] = False  # a user without ratings
    return np.where(mask, matrix, 0.0).astype(np.float32), mask


def sparse(matrix, mask):
    users, items = np.nonzero(mask)
    values = matrix[users, items]
    shuffled = np.random.default_rng(0).permutation(len(users))
    users, items, values = users[shuffled], items[shuffled], values[shuffled]
    return nb.csr(users, items, values, len(matrix)), nb.csr(items, users, values, matrix.shape[1])


def similarities(matrix, mask, shrink, min_support):
    lengths = np.linalg.norm(matrix.astype(float), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = matrix.T.astype(float) @ matrix / np.outer(lengths, lengths)
        both = mask.T.astype(int) @ mask.astype(int)
        result = np.where((both >= min_support) & (cosines > 0), cosines * both / (both + shrink), 0.0)
    np.fill_diagonal(result, 0.0)
    return result


@pytest.mark.parametrize(("shrink", "min_support", "n"), [(0.0, 1, 18), (5.0, 4, 3), (50.0, 1, 1)])
def test_neighbours_agree_with_dense_cosines(shrink, min_support, n):
    matrix, mask = dense(1)
    by_user, by_item = sparse(matrix, mask)
    items = np.random.default_rng(2).permutation(18)
    near = nb.neighbours(items, by_item, by_user, n=n, shrink=shrink, min_support=min_support)
    full = similarities(matrix, mask, shrink, min_support)
    for row, item in enumerate(items):
        best = np.sort(full[item])[::-1][:n]
        np.testing.assert_allclose(near.similarities[row], np.pad(best, (0, n - len(best))), atol=1e-6)
        kept = near.ids[row][near.ids[row] >= 0]
        assert len(kept) == min(n, (full[item] > 0).sum())
        np.testing.assert_allclose(near.similarities[row][: len(kept)], full[item][kept], atol=1e-6)


def test_equal_similarities_keep_the_smaller_item():
    matrix = np.ones((3, 6), dtype=np.float32)
    by_user, by_item = sparse(matrix, matrix > 0)
    near = nb.neighbours(np.arange(6), by_item, by_user, n=3, shrink=1.0, min_support=1)
    assert near.ids.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2]]


def predicted(matrix, mask, near, user, item, damping):
    if user < 0 or item < 0:
        return 0.0
    used = [
        (similarity, matrix[user, other])
        for other, similarity in zip(near.ids[item], near.similarities[item], strict=True)
        if other >= 0 and mask[user, other]
    ]
    weight = sum(similarity for similarity, _ in used)
    return sum(similarity * value for similarity, value in used) / (damping + weight) if used else 0.0


@pytest.mark.parametrize("damping", [0.0, 0.1])
def test_pairs_and_rankings_agree_with_loops(damping, monkeypatch):
    matrix, mask = dense(3)
    by_user, by_item = sparse(matrix, mask)
    near = nb.neighbours(np.arange(18), by_item, by_user, n=4, shrink=2.0, min_support=2)
    rng = np.random.default_rng(4)
    users, items = (rng.integers(-1, top, size=200).astype(np.int32) for top in (25, 18))
    expected = [
        predicted(matrix, mask, near, user, item, damping) for user, item in zip(users, items, strict=True)
    ]
    np.testing.assert_allclose(nb.adjust(users, items, by_user, near, damping), expected, atol=1e-6)
    monkeypatch.setattr(nb, "SCORES", 18 * 4)
    bias = rng.normal(size=18).astype(np.float32)
    everyone = np.arange(-1, 25, dtype=np.int32)
    seen_mask = np.vstack([np.zeros((1, 18), dtype=bool), mask])
    seen = np.concatenate([[0], np.cumsum(seen_mask.sum(axis=1))]), np.nonzero(seen_mask)[1].astype(np.int32)
    for left_out in (None, seen):
        ids, scores = nb.best_items(
            everyone, by_user, nb.reverse(near), bias, damping=damping, k=7, seen=left_out
        )
        for row, user in enumerate(everyone):
            line = np.array(
                [bias[item] + predicted(matrix, mask, near, user, item, damping) for item in range(18)]
            )
            if left_out is not None:
                line[seen_mask[row]] = -np.inf
            order = np.argsort(-line, kind="stable")[:7]
            np.testing.assert_allclose(scores[row], line[order], atol=1e-6)
            kept = np.isfinite(line[order])
            np.testing.assert_array_equal(ids[row][kept], order[kept])
            assert (ids[row][~kept] == -1).all()


def test_no_users_and_no_pairs():
    matrix, mask = dense(5)
    by_user, by_item = sparse(matrix, mask)
    near = nb.neighbours(np.arange(18), by_item, by_user, n=2, shrink=0.0, min_support=1)
    empty = np.zeros(0, dtype=np.int32)
    assert nb.adjust(empty, empty, by_user, near, 0.0).shape == (0,)
    ids, _ = nb.best_items(
        empty, by_user, nb.reverse(near), np.zeros(18, dtype=np.float32), damping=0.0, k=3, seen=None
    )
    assert ids.shape == (0, 3)


@pytest.mark.parametrize("n", [0, 3])
def test_a_matrix_without_entries_has_its_rows(n):
    nothing = np.zeros(0, dtype=np.int32)
    matrix = nb.csr(nothing, nothing, np.zeros(0), n)
    assert matrix.indptr.tolist() == [0] * (n + 1)
    assert [part.dtype for part in matrix] == [np.int64, np.int32, np.float32]


def test_entries_in_any_order_make_one_matrix_and_zeros_stay():
    rows, columns, values = np.array([2, 0, 2, 0]), np.array([5, 4, 1, 0]), np.array([1.0, 0.0, 3.0, 4.0])
    matrix = nb.csr(rows, columns, values, 4)
    assert matrix.indptr.tolist() == [0, 2, 2, 4, 4]
    assert matrix.indices.tolist() == [0, 4, 1, 5]
    assert matrix.values.tolist() == [4.0, 0.0, 3.0, 1.0]
