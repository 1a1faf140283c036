"""Start the executors' Python workers, with the kernels in them, before anything is timed.

A worker takes seconds to start and to import what it needs. A warm-up pass does not see to all of them: where a phase
has a single task, it warms one executor, and another pays in the middle of a measured pass.

A worker imports in a thread of its own, and the task that started it ends at once: the cores are free for the tasks that
look through the data meanwhile. What a worker imports here it imports late, for the module itself is what it needs first.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from jobs.concurrent_actions import beside

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyspark.sql import SparkSession

_imports: list["_Import"] = []
"""Of this process, if it is a worker: one."""


class PythonWorkers:
    """One on every core of every executor, started beside what the driver does meanwhile."""

    def __init__(self, spark: "SparkSession", ready: Callable[[], None]) -> None:
        """Start them as soon as the executors are there, for which `ready` waits."""
        self._spark = spark
        self._ready = ready
        self._begun = beside(self._begin)

    def wait(self) -> None:
        """Return when all are ready.

        Raises:
            Exception: what kept one from starting, as Spark reports it.
        """
        self._begun()
        self._on_each(_end)

    def _begin(self) -> None:
        self._ready()
        self._on_each(_begin)

    def _on_each(self, work: Callable[[Iterable["RecordBatch"]], Iterator["RecordBatch"]]) -> None:
        from jobs.session import cores, executors  # noqa: PLC0415 - no worker needs it

        count = max(executors(self._spark), 1) * cores(self._spark)
        # A barrier stage runs all its tasks at the same time, so that none waits for another's worker.
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

            from jobs.kernels import top_k  # noqa: PLC0415 - see above

            one: Any = np.ones((1, 1), dtype=np.float32)  # one item for one user
            top_k(one, one, 1, np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int32))
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
