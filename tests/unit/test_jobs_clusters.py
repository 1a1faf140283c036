"""Clusters of vectors: planted groups are found, and the silhouette is what scikit-learn computes."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from jobs.engine.clusters import cluster
from jobs.engine.neighbours import csr


def planted(groups=3, each=12, terms=9, noise=0.15):
    rng = np.random.default_rng(7)
    centres = np.eye(terms)[:groups] * 2 + rng.random((groups, terms)) * 0.1
    rows = np.repeat(centres, each, axis=0) + np.where(
        rng.random((groups * each, terms)) < 0.3, rng.random((groups * each, terms)) * noise, 0.0
    )
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[4] = 0.0  # an item of which nothing is known
    items, columns = np.nonzero(rows)
    return rows, csr(items, columns, rows[items, columns], len(rows))


def test_planted_groups_are_found_and_judged():
    rows, matrix = planted()
    found = cluster(matrix, 9, 3, seed=1, iterations=20)
    known = np.arange(36) != 4
    assert found.of_item[4] == -1
    assert found.closeness[4] == 0
    assert sorted(found.sizes) == [11, 12, 12]
    for group in range(3):
        inside = np.arange(36) // 12 == group
        assert len(set(found.of_item[inside & known])) == 1
    for number in range(3):
        inside = found.of_item == number
        centre = rows[inside].sum(axis=0)
        np.testing.assert_allclose(
            found.closeness[inside], rows[inside] @ centre / np.linalg.norm(centre), atol=1e-5
        )
    expected = silhouette_score(rows[known], found.of_item[known], metric="cosine")
    assert found.silhouette == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("k", [2, 5])
def test_the_silhouette_of_worse_clusterings(k):
    rows, matrix = planted(noise=0.8)
    found = cluster(matrix, 9, k, seed=3, iterations=20)
    known = found.of_item >= 0
    expected = silhouette_score(rows[known], found.of_item[known], metric="cosine")
    assert found.silhouette == pytest.approx(expected, abs=1e-5)


def test_no_more_clusters_than_different_vectors():
    rows = np.repeat(np.eye(3), 2, axis=0)
    items, columns = np.nonzero(rows)
    matrix = csr(items, columns, rows[items, columns], 6)
    found = cluster(matrix, 3, 10, seed=1, iterations=5)
    assert sorted(found.sizes) == [2, 2, 2]
    assert found.silhouette == pytest.approx(1.0)
    assert cluster(matrix, 3, 1, seed=1, iterations=5).silhouette == 0.0
