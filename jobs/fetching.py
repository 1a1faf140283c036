"""Bring the ratings to the driver for the models that fit there, if they fit."""

from typing import NamedTuple

import numpy as np
import psutil
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.errors import JobError
from jobs.factorise import both_ways
from jobs.kernels import Floats, Ints
from jobs.neighbours import Csr
from jobs.preflight import gigabytes, jvm, mib, size_in_bytes

ENTRY_BYTES = 64  # Arrow's and pandas' copies, and at their side the sorted ones of both directions
_USABLE = 0.6  # of a heap or of the host's free memory: others need some too
_SENT = 12  # bytes of two ids and a rating on their way


class Ratings(NamedTuple):
    """The training part in the driver; rows and columns are ids, which are dense."""

    by_user: Csr
    by_item: Csr


def check_driver(spark: SparkSession, rows: int, more: float, what: str) -> None:
    """Refuse ratings that the driver could not take in, or that Spark would not send it.

    Args:
        spark: the session.
        rows: of (user, item, rating) that are fetched.
        more: bytes that it needs beside them, as for factors.
        what: the model.

    Raises:
        JobError: with numbers and what to do.
    """
    what = f"{what} fetches all {rows:,} ratings into the driver and"
    size, free = rows * ENTRY_BYTES + more, psutil.virtual_memory().available
    if size > _USABLE * free:
        raise JobError(
            f"{what} needs about {mib(size)}; of this host's free memory of {mib(free)} about {mib(_USABLE * free)} "
            "may be used. Use a smaller data set, a host with more memory, or use the Spark model."
        )
    most = size_in_bytes(spark, spark.sparkContext.getConf().get("spark.driver.maxResultSize", "1g") or "1g")
    if 0 < most < rows * _SENT:  # 0 is no limit
        raise JobError(
            f"{what} Spark may send {mib(most)} of the {mib(rows * _SENT)}: raise spark.driver.maxResultSize "
            f'(in a spec, [fixed.spark.driver] maxResultSize = "{gigabytes(rows * _SENT)}g").'
        )
    heap = float(jvm(spark).java.lang.Runtime.getRuntime().maxMemory())
    if rows * _SENT > _USABLE * heap:
        raise JobError(
            f"{what} needs {mib(rows * _SENT)} in the driver's heap on their way; of its {mib(heap)} about "
            f"{mib(_USABLE * heap)} can be used. Give the driver more: --set spark.driver_memory="
            f"{gigabytes(rows * _SENT / _USABLE)}g, or RECSCALE_SPARK_DRIVER_MEMORY."
        )


def fetch(ratings: DataFrame, missing: float | None = None) -> tuple[Ints, Ints, Floats]:
    """Bring (user, item, rating) to the driver through Arrow, once.

    Args:
        ratings: the training part.
        missing: stands for a rating that is null; None where none is.
    """
    rating = F.col("rating") if missing is None else F.coalesce("rating", F.lit(missing)).cast("float")
    rows = ratings.select("user", "item", rating.alias("rating")).toPandas()
    return (
        rows["user"].to_numpy(dtype=np.int32),
        rows["item"].to_numpy(dtype=np.int32),
        rows["rating"].to_numpy(dtype=np.float32),
    )


def arranged(user: Ints, item: Ints, values: Floats) -> Ratings:
    """Sort the ratings by user and by item.

    Raises:
        JobError: there is none.
    """
    if not len(user):
        raise JobError("there is no rating to train on")
    return Ratings(*both_ways(user, item, values, int(user.max()) + 1, int(item.max()) + 1))
