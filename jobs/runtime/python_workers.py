"""Start the executors' Python workers and load their kernels before anything is timed.

A worker takes seconds to start and to import its modules. A warm-up pass does not start all of them: a phase with a single
task warms one executor, and another executor would start its workers during a measured pass.

A worker imports in a thread, and the task that started it ends at once, so that the cores are free for tasks that read the
data meanwhile. This module imports its dependencies late, because a worker must import the module itself first.
"""

import gc
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from jobs.runtime.concurrent_actions import in_background

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyspark.sql import SparkSession

_imports: list["_Import"] = []
"""The import of this process: one if it is a worker, else none."""


class PythonWorkers:
    """Python workers on every core of every executor, started in the background."""

    def __init__(self, spark: "SparkSession", ready: Callable[[], None]) -> None:
        """Start the workers as soon as `ready` returns, that is, when the executors are there."""
        self._spark = spark
        self._ready = ready
        self._begun = in_background(self._begin)

    def wait(self) -> None:
        """Wait until all workers are ready.

        Raises:
            Exception: a worker could not start; Spark's error.
        """
        self._begun()
        self._on_each(_end)

    def _begin(self) -> None:
        self._ready()
        self._on_each(_begin)

    def _on_each(self, work: Callable[[Iterable["RecordBatch"]], Iterator["RecordBatch"]]) -> None:
        from jobs.runtime.session import cores, executors  # noqa: PLC0415 - no worker needs it

        count = max(executors(self._spark), 1) * cores(self._spark)
        # A barrier stage runs all its tasks at the same time, so that each task starts another worker.
        rows = self._spark.range(count, numPartitions=count).mapInArrow(work, "id long", barrier=True)
        rows.write.format("noop").mode("overwrite").save()


class _Import(threading.Thread):
    """Loads the kernels' machine code, once in a worker."""

    def __init__(self) -> None:
        super().__init__(name="kernels", daemon=True)
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            import numpy as np  # noqa: PLC0415 - see above

            from jobs.engine.top_k import top_k  # noqa: PLC0415 - see above

            one: Any = np.ones((1, 1), dtype=np.float32)  # one item for one user
            top_k(one, one, 1, np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int32))
            # PySpark collects garbage after each task and would look through all of these modules again.
            gc.collect()
            gc.freeze()
        except BaseException as error:  # noqa: BLE001 - raised again by ended
            self._error = error

    def ended(self) -> None:
        """Wait for the end; raise what went wrong."""
        self.join()
        if self._error is not None:
            raise self._error


def _begin(batches: Iterable["RecordBatch"]) -> Iterator["RecordBatch"]:
    if not _imports:
        _imports.append(_Import())
    yield from batches


def _end(batches: Iterable["RecordBatch"]) -> Iterator["RecordBatch"]:
    """Also where another worker than the one that began serves this core."""
    yield from _begin(batches)
    _imports[0].ended()
