"""Free RDDs and broadcasts that fitting leaves on the executors.

MLlib keeps a fitted model's factors as RDDs that no Python object refers to.
"""

from typing import Any

from pyspark.sql import SparkSession

from jobs.engine.topn import ItemFactors


def cached_rdds(spark: SparkSession) -> dict[int, Any]:
    """Return the RDDs that are kept on the executors now, by id (Java objects)."""
    return dict(spark.sparkContext._jsc.getPersistentRDDs())  # noqa: SLF001 - Python's API does not list them


def release(rdds: dict[int, Any]) -> None:
    """Free RDDs without waiting."""
    for rdd in rdds.values():
        rdd.unpersist(False)


def release_all(sent: list[ItemFactors]) -> None:
    """Remove broadcast factors; frames that were ranked with them can no longer be computed."""
    while sent:
        sent.pop().release()
