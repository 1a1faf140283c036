"""A Python worker of Spark after it has imported this project."""

import os
import socket
import sys
from pathlib import Path

import pyarrow as pa


def _looked_at(batches):
    """Count this worker's sockets, and those among them that send at once, and say who serves its tasks."""
    loop = sys.modules.get("pyspark.daemon") or sys.modules["__main__"]
    for _ in batches:
        options = []
        for path in Path("/proc/self/fd").iterdir():
            if path.is_socket():
                with socket.socket(fileno=os.dup(int(path.name))) as one:
                    options.append(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        yield pa.RecordBatch.from_pylist(
            [{"found": len(options), "at_once": sum(map(bool, options)), "by": loop.worker.__module__}]
        )


def test_from_the_second_task_on_a_worker_sends_at_once(spark):
    rows = spark.range(4, numPartitions=4).mapInArrow(_looked_at, "found long, at_once long, by string")
    rows.collect()
    rows = rows.collect()
    assert {row.by for row in rows} == {"core.python_worker"}
    assert [row.at_once for row in rows] == [row.found for row in rows]
    assert all(row.found > 0 for row in rows)
