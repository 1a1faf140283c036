"""Transfer of the ratings to the driver, for models that are fitted there; refused if its memory is too small."""

from typing import NamedTuple

import numpy as np
import psutil
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from core.errors import JobError
from core.units import mib, whole_gib
from jobs.engine.arrays import Floats, Ints
from jobs.engine.factorise import both_ways
from jobs.engine.neighbours import Csr
from jobs.modelling.preflight import jvm, size_in_bytes

ENTRY_BYTES = 64  # per rating: the copies of Arrow and pandas, and those that are sorted by user and by item
_USABLE = 0.6  # share of a heap, or of the host's free memory, that the ratings may take
_SENT = 12  # bytes of two ids and a rating in transfer


class Ratings(NamedTuple):
    """The training part in the driver; rows and columns are ids, which are dense."""

    by_user: Csr
    by_item: Csr


def check_driver(spark: SparkSession, rows: int, more: float, what: str) -> None:
    """Refuse ratings that the driver cannot hold, or that Spark would not send to it.

    Args:
        spark: the session.
        rows: number of ratings that are fetched; 0: none.
        more: further bytes that the model needs, for example for factors.
        what: name of the model.

    Raises:
        JobError: the host's memory, `spark.driver.maxResultSize` or the driver's heap is too small.
    """
    begin = (
        f"{what} fetches all {rows:,} ratings into the driver"
        if rows
        else f"{what} collects its factors in the driver"
    )
    size, free = rows * ENTRY_BYTES + more, psutil.virtual_memory().available
    if size > _USABLE * free:
        raise JobError(
            f"{begin} and needs about {mib(size)} of this host's memory; they may take {_USABLE:.0%} of what is free, "
            f"which is {mib(_USABLE * free)} of {mib(free)}. Use a smaller data set, a host with more memory, or a model "
            "that is fitted on Spark (als, als_implicit)."
        )
    _check_sent(spark, rows * _SENT, begin)


def check_results(spark: SparkSession, size: float, what: str) -> None:
    """Refuse factors that Spark would not send to the driver, or that its heap cannot hold.

    Args:
        spark: the session.
        size: bytes of the largest result of a stage.
        what: that has them.

    Raises:
        JobError: `spark.driver.maxResultSize` or the driver's heap is too small.
    """
    _check_sent(spark, size, f"{what} collects factors in the driver")


def _check_sent(spark: SparkSession, sent: float, begin: str) -> None:
    most = size_in_bytes(spark, spark.sparkContext.getConf().get("spark.driver.maxResultSize", "1g") or "1g")
    if 0 < most < sent:  # 0 is no limit
        raise JobError(
            f"{begin}, which are {mib(sent)}, but Spark may send it only {mib(most)}: raise spark.driver.maxResultSize "
            f'(in a spec, [spark] driver.maxResultSize = "{whole_gib(sent)}g").'
        )
    heap = float(jvm(spark).java.lang.Runtime.getRuntime().maxMemory())
    if sent > _USABLE * heap:
        raise JobError(
            f"{begin} and needs {mib(sent)} of the driver's heap to receive them; they may take {_USABLE:.0%} of it, "
            f"which is {mib(_USABLE * heap)} of {mib(heap)}. Give the driver more memory: --set spark.driver_memory="
            f"{whole_gib(sent / _USABLE)}g, or RECSCALE_SPARK_DRIVER_MEMORY."
        )


def fetch(ratings: DataFrame, missing: float | None = None) -> tuple[Ints, Ints, Floats]:
    """Copy (user, item, rating) to the driver, through Arrow.

    Args:
        ratings: the training part.
        missing: replaces ratings that are null; None if no rating is null.

    Returns:
        users int32 [n], items int32 [n] and ratings float32 [n], in no particular order.
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

    Args:
        user: int32 [n], ids that are dense.
        item: int32 [n], ids that are dense.
        values: float32 [n], the ratings.

    Raises:
        JobError: there are no ratings.
    """
    if not len(user):
        raise JobError(
            "the training part has no rows: preprocess a data set with ratings, or use another split"
        )
    return Ratings(*both_ways(user, item, values, int(user.max()) + 1, int(item.max()) + 1))
