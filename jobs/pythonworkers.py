"""Starts the executors' Python workers, with the kernels in them, before anything is timed.

A worker takes seconds to start and to import what it needs. A warm-up pass does not see to all of them: where a phase
has a single task, it warms one executor, and another pays in the middle of a measured pass.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from jobs.concurrent_actions import beside
from jobs.kernels import top_k
from jobs.session import cores, executors


class PythonWorkers:
    """One on every core of every executor, started beside what the driver does meanwhile."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._ready = beside(self._start)

    def wait(self) -> None:
        """Return when all are ready.

        Raises:
            Exception: what kept one from starting, as Spark reports it.
        """
        self._ready()

    def _start(self) -> None:
        count = max(executors(self._spark), 1) * cores(self._spark)
        # A barrier stage runs all its tasks at the same time, so that none waits for another's worker.
        rows = self._spark.range(count, numPartitions=count).mapInArrow(_load, "id long", barrier=True)
        rows.write.format("noop").mode("overwrite").save()


def _load(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rank one item for one user, which loads the machine code."""
    one: Any = np.ones((1, 1), dtype=np.float32)
    top_k(one, one, 1, np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int32))
    yield from batches
