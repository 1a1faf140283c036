"""Clusters of items by their vectors: spherical k-means in compiled code, and its quality by the silhouette.

I. Dhillon, D. Modha, "Concept decompositions for large sparse text data using clustering", Machine Learning 42, 2001;
first centres as in D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007; silhouette:
P. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", Journal of
Computational and Applied Mathematics 20, 1987. Nothing here needs Spark, so the result does not depend on the cluster.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datasets.compiled import compiled
from jobs.engine.arrays import Floats, Ints
from jobs.engine.neighbours import Csr


class Clusters(NamedTuple):
    """A clustering of items.

    Attributes:
        of_item: int32 [items], -1 for an item without a vector.
        closeness: float32 [items], the cosine of each item and its cluster's centre, 0 without one.
        sizes: int [clusters], of which some may be 0.
        silhouette: mean over items by cosine distance, from -1 to 1, more is better separated; 0 for one cluster.
    """

    of_item: Ints
    closeness: Floats
    sizes: list[int]
    silhouette: float


def cluster(by_item: Csr, terms: int, k: int, *, seed: int, iterations: int) -> Clusters:
    """Cluster items by the cosine of their vectors.

    Args:
        by_item: vectors of length 1 or 0; those of 0 are left out.
        terms: the vectors' dimensions.
        k: number of clusters; fewer if there are fewer different vectors.
        seed: of the first centres.
        iterations: largest number of iterations; it ends earlier if no item changes its cluster.
    """
    known = np.diff(by_item.indptr) > 0
    centres = _first(by_item, known, terms, k, np.random.default_rng(seed))
    of_item = np.full(len(known), -1, dtype=np.int32)
    closeness = np.zeros(len(known), dtype=np.float32)
    for _ in range(iterations):
        moved = _assign(by_item, centres, of_item, closeness)
        if not moved:
            break
        total = _sums(by_item, of_item, len(centres), terms)
        lengths = np.linalg.norm(total, axis=1)
        centres[lengths > 0] = (total / np.maximum(lengths, 1e-12)[:, None])[lengths > 0]
    sizes = np.bincount(of_item[known], minlength=len(centres))
    total = _sums(by_item, of_item, len(centres), terms)
    silhouette = (
        float(_silhouettes(by_item, of_item, total, sizes)[known].mean()) if (sizes > 0).sum() > 1 else 0.0
    )
    return Clusters(of_item, closeness, sizes.tolist(), silhouette)


def _first(
    by_item: Csr, known: npt.NDArray[np.bool_], terms: int, k: int, rng: np.random.Generator
) -> Floats:
    """Draw items as the first centres, each with a chance that grows with its distance from those drawn before."""
    candidates = np.nonzero(known)[0]
    centres = np.zeros((k, terms), dtype=np.float32)
    chance = np.ones(len(candidates))
    for number in range(k):
        if chance.sum() <= 0:
            return centres[:number]
        item = candidates[np.searchsorted(np.cumsum(chance), rng.random() * chance.sum(), side="right")]
        inside = slice(by_item.indptr[item], by_item.indptr[item + 1])
        centres[number, by_item.indices[inside]] = by_item.values[inside]
        distance = 1.0 - _products(by_item, centres[number])[candidates]
        chance = np.minimum(chance, np.where(distance > 1e-6, distance, 0.0))
    return centres


@compiled
def _products(by_item, vector):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    out = np.zeros(len(by_item.indptr) - 1, dtype=np.float32)
    for item in range(len(out)):
        for at in range(by_item.indptr[item], by_item.indptr[item + 1]):
            out[item] += by_item.values[at] * vector[by_item.indices[at]]
    return out


@compiled
def _assign(by_item, centres, of_item, closeness):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Put each item into the cluster of its nearest centre, of equal ones the first; return how many have moved."""
    moved = 0
    for item in range(len(of_item)):
        if by_item.indptr[item] == by_item.indptr[item + 1]:
            continue
        best, nearest = np.float32(-1.0), 0
        for number in range(centres.shape[0]):
            product = np.float32(0.0)
            for at in range(by_item.indptr[item], by_item.indptr[item + 1]):
                product += by_item.values[at] * centres[number, by_item.indices[at]]
            if product > best:
                best, nearest = product, number
        moved += of_item[item] != nearest
        of_item[item], closeness[item] = nearest, best
    return moved


@compiled
def _sums(by_item, of_item, k, terms):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    out = np.zeros((k, terms))
    for item in range(len(of_item)):
        for at in range(by_item.indptr[item], by_item.indptr[item + 1]):
            out[of_item[item], by_item.indices[at]] += by_item.values[at]
    return out


@compiled
def _silhouettes(by_item, of_item, sums, sizes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return each item's silhouette; exact, as the mean distance from a cluster follows from the sum of its vectors."""
    out = np.zeros(len(of_item))
    for item in range(len(of_item)):
        own = of_item[item]
        if own < 0 or sizes[own] < 2:
            continue
        inside, other = 0.0, np.inf
        for number in range(len(sizes)):
            if sizes[number] == 0:
                continue
            product = 0.0
            for at in range(by_item.indptr[item], by_item.indptr[item + 1]):
                product += by_item.values[at] * sums[number, by_item.indices[at]]
            if number == own:
                inside = 1.0 - (product - 1.0) / (sizes[own] - 1)  # without the item itself
            else:
                other = min(other, 1.0 - product / sizes[number])
        larger = max(inside, other)
        out[item] = (other - inside) / larger if larger > 0.0 else 0.0
    return out
