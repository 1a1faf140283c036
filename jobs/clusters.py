"""Groups items by their vectors with MLlib's k-means, and chooses the number of groups by the silhouette.

Silhouette: P. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis",
Journal of Computational and Applied Mathematics 20, 1987; from -1 to 1, more is better separated.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pyspark.ml.clustering import KMeans
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.linalg import Vectors as MlVectors
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from jobs.kernels import Floats, Ints
from jobs.neighbours import Csr

_ROWS = T.StructType([T.StructField("place", T.IntegerType()), T.StructField("features", VectorUDT())])


class Clusters(NamedTuple):
    """A clustering of items.

    Attributes:
        of_item: int32 [items], -1 for an item without a vector.
        closeness: float32 [items], the cosine of each item and its cluster's centre, 0 without one.
        sizes: of the clusters; some may be 0.
        silhouette: by cosine distance; None for a single cluster.
    """

    of_item: Ints
    closeness: Floats
    sizes: list[int]
    silhouette: float | None


def cluster(
    spark: SparkSession, by_item: Csr, terms: int, ks: Sequence[int], *, seed: int, iterations: int
) -> Clusters:
    """Cluster by cosine distance with each number of clusters in `ks` and return the one with the best silhouette.

    Of equal ones the first is taken. No number of clusters is larger than that of the items.

    Args:
        spark: where k-means runs.
        by_item: vectors of length 1 or 0.
        terms: the vectors' dimensions.
        ks: numbers of clusters.
        seed: of the first centres.
        iterations: at most so many.
    """
    frame = _frame(spark, by_item, terms).persist()
    try:
        limit = frame.count()
        found = [_clustered(frame, by_item, min(k, limit), seed, iterations) for k in dict.fromkeys(ks)]
    finally:
        frame.unpersist()
    return max(found, key=lambda one: -1.0 if one.silhouette is None else one.silhouette)


def _frame(spark: SparkSession, by_item: Csr, terms: int) -> DataFrame:
    """Return the items that have a vector, in order: the first centres depend on it."""
    bounds = zip(by_item.indptr[:-1].tolist(), by_item.indptr[1:].tolist(), strict=True)
    rows = [
        (place, MlVectors.sparse(terms, by_item.indices[low:high], by_item.values[low:high]))
        for place, (low, high) in enumerate(bounds)
        if high > low
    ]
    return spark.createDataFrame(rows, _ROWS)


def _clustered(frame: DataFrame, by_item: Csr, k: int, seed: int, iterations: int) -> Clusters:
    m = len(by_item.indptr) - 1
    of_item = np.full(m, -1, dtype=np.int32)
    if k < 2:
        of_item[np.diff(by_item.indptr) > 0] = 0
        return Clusters(of_item, (of_item + 1).astype(np.float32), [int((of_item == 0).sum())], None)
    means = KMeans(k=k, seed=seed, maxIter=iterations, distanceMeasure="cosine").fit(frame)
    placed = means.transform(frame)
    rows = placed.select("place", "prediction").toPandas()
    of_item[rows["place"].to_numpy()] = rows["prediction"].to_numpy()
    sizes = np.bincount(of_item[of_item >= 0], minlength=k)
    silhouette = None
    if (sizes > 0).sum() > 1:
        judge = ClusteringEvaluator(metricName="silhouette", distanceMeasure="cosine")
        silhouette = float(judge.evaluate(placed))
    return Clusters(of_item, _closeness(by_item, of_item, means.clusterCenters()), sizes.tolist(), silhouette)


def _closeness(by_item: Csr, of_item: Ints, centres: list[Any]) -> Floats:
    matrix = np.stack(centres)
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1), 1e-12)[:, None]
    row = np.repeat(np.arange(len(of_item)), np.diff(by_item.indptr))
    products = matrix[of_item[row], by_item.indices] * by_item.values
    return np.bincount(row, products, minlength=len(of_item)).astype(np.float32)
