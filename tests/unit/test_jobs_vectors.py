"""Vectors of items against dense matrices and loops."""

import numpy as np
import pytest

from jobs.engine import vectors as vc
from jobs.engine.neighbours import csr

M, TERMS = 23, 12
GROUPS = np.array([0] * 5 + [1] * 4 + [2] * 3)
WEIGHTS = np.array([0.3, 1.0, 2.0])


def counts(seed=1):
    rng = np.random.default_rng(seed)
    found = np.where(rng.random((M, TERMS)) < 0.35, rng.integers(1, 4, (M, TERMS)), 0).astype(float)
    found[5] = 0.0  # an item of which nothing is known
    found[7, GROUPS != 1] = 0.0  # one that has a single group
    found[9] = found[2]  # two of a kind
    found[:, 4] = 0.0  # a term that nobody has
    return found


def built(found, weights=WEIGHTS):
    items, terms = np.nonzero(found)
    order = np.random.default_rng(0).permutation(len(items))
    return vc.vectors(
        items[order].astype(np.int32), terms[order].astype(np.int32), found[items, terms][order],
        groups=GROUPS, weights=weights, m=M,
    )  # fmt: skip


def expected(found, weights=WEIGHTS):
    """Weigh, scale by group, scale again: one item after the other."""
    out = np.zeros_like(found)
    for group in range(3):
        inside = np.nonzero(group == GROUPS)[0]
        n = (found[:, inside] > 0).any(axis=1).sum()
        for item in range(M):
            part = np.array([
                found[item, term] * np.log((1 + n) / (found[:, term] > 0).sum()) if found[item, term] else 0.0
                for term in inside
            ])  # fmt: skip
            if np.linalg.norm(part):
                out[item, inside] = np.sqrt(weights[group]) * part / np.linalg.norm(part)
    lengths = np.linalg.norm(out, axis=1, keepdims=True)
    return out / np.where(lengths > 0, lengths, 1.0)


def dense(matrix, shape):
    out = np.zeros(shape, dtype=np.float32)
    out[np.repeat(np.arange(shape[0]), np.diff(matrix.indptr)), matrix.indices] = matrix.values
    return out


def test_vectors_are_weighted_by_group_and_of_length_one():
    found = counts()
    both = built(found)
    np.testing.assert_allclose(dense(both.by_item, (M, TERMS)), expected(found), atol=1e-6)
    np.testing.assert_allclose(dense(both.by_term, (TERMS, M)).T, expected(found), atol=1e-6)
    without = built(found, np.array([0.3, 0.0, 2.0]))
    assert not dense(without.by_item, (M, TERMS))[:, GROUPS == 1].any()


@pytest.mark.parametrize("n", [1, 4, M])
@pytest.mark.parametrize("some", [True, False])
def test_nearest_are_the_highest_cosines(n, some):
    matrix = built(counts())
    kept = np.arange(M) % 3 > 0 if some else np.ones(M, dtype=bool)
    full = dense(matrix.by_item, (M, TERMS)) @ dense(matrix.by_item, (M, TERMS)).T
    np.fill_diagonal(full, 0.0)
    full[:, ~kept] = 0.0
    items = np.random.default_rng(2).permutation(M)
    near = vc.nearest(items, matrix.by_item, vc.keep_items(matrix.by_term, kept), n)
    for row, item in enumerate(items):
        best = np.sort(full[item])[::-1][:n]
        np.testing.assert_allclose(near.similarities[row], best, atol=1e-6)
        ids = near.ids[row][near.ids[row] >= 0]
        assert len(ids) == min(n, (full[item] > 1e-7).sum())
        np.testing.assert_allclose(near.similarities[row][: len(ids)], full[item][ids], atol=1e-6)
        assert kept[ids].all()


def test_equal_cosines_keep_the_smaller_item():
    same = np.zeros((M, TERMS))
    same[:6, 0] = 1.0
    matrix = built(same)
    near = vc.nearest(np.arange(6), matrix.by_item, matrix.by_term, 3)
    assert near.ids.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2]]


def test_profiles_and_rankings_agree_with_loops(monkeypatch):
    matrix = built(counts(3))
    items = dense(matrix.by_item, (M, TERMS))
    rng = np.random.default_rng(4)
    values = np.where(rng.random((9, M)) < 0.4, rng.random((9, M)), 0.0).astype(np.float32)
    values[3] = 0.0  # a user without a history
    values[6] = 0.0
    values[6, 5] = 1.0  # one whose only item has no vector
    otherwise = np.full(TERMS, 1 / np.sqrt(TERMS), dtype=np.float32)
    rows, columns = np.nonzero(values)
    histories = csr(rows, columns, values[rows, columns], 9)
    wanted = values @ items
    lengths = np.linalg.norm(wanted, axis=1, keepdims=True)
    wanted = np.where(lengths > 0, wanted / np.maximum(lengths, 1e-9), otherwise) @ items.T
    monkeypatch.setattr(vc, "SCORES", 2 * M)  # two users a block
    users = np.sort(rng.integers(0, 9, 60)).astype(np.int32)
    asked = rng.integers(-1, M, 60).astype(np.int32)
    answer = vc.cosines(users, asked, histories, matrix.by_item, otherwise)
    np.testing.assert_allclose(answer, np.where(asked < 0, 0, wanted[users, asked]), atol=1e-6)
    seen = np.arange(10, dtype=np.int64) * 2, rng.integers(0, M, 18).astype(np.int32)
    for left_out in (None, seen):
        ids, scores = vc.best_by_profile(histories, matrix, otherwise, M, left_out)
        for user in range(9):
            line = wanted[user].copy()
            if left_out is not None:
                line[seen[1][2 * user : 2 * user + 2]] = -np.inf
            np.testing.assert_allclose(scores[user], np.sort(line)[::-1], atol=1e-6)
            kept = ids[user] >= 0
            assert kept.sum() == np.isfinite(line).sum()
            np.testing.assert_allclose(line[ids[user][kept]], scores[user][kept], atol=1e-6)


def test_shared_terms_are_those_that_add_most():
    matrix = built(counts(5))
    items = dense(matrix.by_item, (M, TERMS))
    near = vc.nearest(np.arange(M), matrix.by_item, matrix.by_term, 4)
    found = vc.shared_terms(np.arange(M), near.ids, matrix.by_item, 2)
    assert found.shape == (M, 4, 2)
    for item in range(M):
        for place, other in enumerate(near.ids[item]):
            shares = items[item] * items[other] * (other >= 0)
            best = np.sort(shares)[::-1][:2]
            chosen = found[item, place]
            np.testing.assert_allclose(np.where(chosen < 0, 0, shares[chosen]), best, atol=1e-6)
            assert ((chosen >= 0) == (best > 0)).all()


def test_items_that_are_not_kept_leave_a_matrix_and_places_stay():
    by_term = csr(np.array([0, 0, 1, 2]), np.array([1, 3, 3, 0]), np.array([0.5, 0.25, 1.0, 2.0]), 3)
    kept = vc.keep_items(by_term, np.array([True, True, False, False]))
    assert (kept.indptr.tolist(), kept.indices.tolist(), kept.values.tolist()) == (
        [0, 1, 1, 2],
        [1, 0],
        [0.5, 2.0],
    )
    assert by_term.indices.tolist() == [1, 3, 3, 0]
