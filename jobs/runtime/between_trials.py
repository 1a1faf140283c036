"""Clear a session after a trial, so that the next trial finds no jobs, caches or broadcasts of the one before.

JVMs and Python workers stay warm, unlike in an application of its own. So times of such trials are a look, not a claim.
"""

import gc
import shutil
import time
from contextlib import suppress
from pathlib import Path

from pyspark.sql import SparkSession

from jobs.runtime.failures import explain
from jobs.runtime.request import Request
from jobs.runtime.session import CHECKPOINTS, cached_rdds, executors

DEADLINE_S = 20.0
_POLL_S = 0.1
_SHOWN = 5


def clear(spark: SparkSession, request: Request, deadline_s: float = DEADLINE_S) -> str | None:
    """Stop and free what a request's run left: jobs, cached frames, persisted RDDs, broadcasts, checkpoints.

    Args:
        spark: the session.
        request: the request that ran in it last.
        deadline_s: seconds to wait for jobs to end, and again for blocks to be freed.

    Returns:
        The reason why no other trial may run in the session; None if one may.
    """
    try:
        unfit = _ended(spark, request) or _idle(spark, deadline_s) or _freed(spark, deadline_s)
    except Exception as error:  # noqa: BLE001 - a session that cannot be cleared is not used again, whatever the reason
        return explain(error)
    with suppress(OSError):
        shutil.rmtree(Path(request.work) / CHECKPOINTS)
    return unfit


def held(spark: SparkSession) -> list[str]:
    """Return the names of the blocks that driver and executors hold now: parts of cached frames and of broadcasts."""
    context = spark.sparkContext
    assert context._jvm is not None  # noqa: SLF001 - only the JVM knows
    master = context._jvm.org.apache.spark.SparkEnv.get().blockManager().master()  # noqa: SLF001
    return [
        name for place in master.getStorageStatus() for name in place.blocks().keys().mkString(" ").split()
    ]


def _ended(spark: SparkSession, request: Request) -> str | None:
    """Return why the session cannot go on: Spark has ended it, or executors are missing; None if it can."""
    if spark.sparkContext._jsc.sc().isStopped():  # noqa: SLF001 - Python's API does not tell
        return "Spark ended it"
    left = executors(spark)
    return f"{left} of {request.executors} executors are left" if left < request.executors else None


def _idle(spark: SparkSession, deadline_s: float) -> str | None:
    """Cancel jobs that still run, for example beside one that failed, and wait for their end."""
    tracker, end = spark.sparkContext.statusTracker(), time.perf_counter() + deadline_s
    while running := tracker.getActiveJobsIds():
        spark.sparkContext.cancelAllJobs()
        if time.perf_counter() > end:
            return f"{len(running)} Spark job(s) do not end"
        time.sleep(_POLL_S)
    return None


def _unpersist(spark: SparkSession) -> None:
    """Free cached frames and persisted RDDs, in a function of its own so that no local variable keeps them alive."""
    spark.catalog.clearCache()
    for rdd in cached_rdds(spark).values():
        rdd.unpersist(True)


def _freed(spark: SparkSession, deadline_s: float) -> str | None:
    """Free all blocks.

    Spark removes a broadcast when nothing refers to it any more. So Python's garbage collector runs first, then the
    JVM's, where each stage that ran has a broadcast.
    """
    assert spark.sparkContext._jvm is not None  # noqa: SLF001 - see above
    _unpersist(spark)
    end = time.perf_counter() + deadline_s
    while True:
        gc.collect()
        spark.sparkContext._jvm.System.gc()  # noqa: SLF001
        time.sleep(_POLL_S)  # Spark's cleaner looks as often
        left = held(spark)
        if not left:
            return None
        if time.perf_counter() > end:
            more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
            return f"these blocks cannot be freed: {', '.join(left[:_SHOWN])}{more}"
