"""The tasks of one application as a table of numbers, small enough to keep a hundred thousand of them."""

from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np

FIELDS = (
    "group", "stage", "launch", "finish", "run_s", "cpu_s", "deserialise_s", "serialise_s", "scheduler_s", "gc_s",
    "fetch_wait_s", "shuffle_write_s", "shuffle_read", "shuffle_write", "spill", "spill_memory", "input_rows", "failed",
    "wasted", "again", "unfinished", "python",
)  # fmt: skip
"""Of one run of a task.

group, stage: numbers of its job group and its stage's attempt. launch, finish: seconds since 1970, on the driver's clock.
..._s: seconds; scheduler_s is what is left of the interval: shipping the task, waiting, fetching its result.
shuffle_..., spill...: bytes, `spill` on disk. failed, wasted (failed or killed), again (its partition had been
computed before, and that was lost), unfinished (no end in the log), python (it had rows for Python workers): 0 or 1.
"""
DTYPE = np.dtype([(name, "f8") for name in FIELDS])


class TaskTable:
    """Table to which tasks are added one at a time."""

    def __init__(self) -> None:
        self._rows = array("d")

    def add(self, **values: float) -> None:
        """Add one run of a task; what is not given is 0."""
        self._rows.extend(values.get(name, 0.0) for name in FIELDS)

    @property
    def array(self) -> Any:
        """A structured array of shape (tasks,) with `FIELDS`, every one a float."""
        return np.frombuffer(self._rows.tobytes(), DTYPE)


def cost(info: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the times and sizes in a `SparkListenerTaskEnd` event, by the names of `FIELDS`."""
    launch, finish = info.get("Launch Time", 0) / 1e3, info.get("Finish Time", 0) / 1e3
    finish = max(finish, launch)
    run, deserialise = (
        metrics.get("Executor Run Time", 0) / 1e3,
        metrics.get("Executor Deserialize Time", 0) / 1e3,
    )
    serialise = metrics.get("Result Serialization Time", 0) / 1e3
    read = metrics.get("Shuffle Read Metrics") or {}
    write = metrics.get("Shuffle Write Metrics") or {}
    return {
        "launch": launch,
        "finish": finish,
        "run_s": run,
        "cpu_s": metrics.get("Executor CPU Time", 0) / 1e9,
        "deserialise_s": deserialise,
        "serialise_s": serialise,
        "scheduler_s": max(0.0, finish - launch - run - deserialise - serialise) if metrics else 0.0,
        "gc_s": metrics.get("JVM GC Time", 0) / 1e3,
        "fetch_wait_s": read.get("Fetch Wait Time", 0) / 1e3,
        "shuffle_write_s": write.get("Shuffle Write Time", 0) / 1e9,
        "shuffle_read": read.get("Remote Bytes Read", 0) + read.get("Local Bytes Read", 0),
        "shuffle_write": write.get("Shuffle Bytes Written", 0),
        "spill": metrics.get("Disk Bytes Spilled", 0),
        "spill_memory": metrics.get("Memory Bytes Spilled", 0),
        "input_rows": (metrics.get("Input Metrics") or {}).get("Records Read", 0),
        "failed": bool(info.get("Failed")),
        "wasted": bool(info.get("Failed") or info.get("Killed")),
    }


def totals(tasks: Any) -> dict[str, float]:
    """Add up some tasks: counts, seconds and bytes, with the longest and the median task."""
    seconds = tasks["finish"] - tasks["launch"]
    ended = seconds[tasks["unfinished"] == 0]
    summed = (
        "run_s", "cpu_s", "gc_s", "deserialise_s", "serialise_s", "scheduler_s", "fetch_wait_s", "shuffle_write_s",
        "shuffle_read", "shuffle_write", "spill", "spill_memory", "input_rows",
    )  # fmt: skip
    return {
        "tasks": len(tasks),
        "failed_tasks": int(tasks["failed"].sum()),
        "recomputed_tasks": int(tasks["again"].sum()),
        **{name: round(float(tasks[name].sum()), 6) for name in summed},
        "task_max_s": round(float(ended.max()), 6) if len(ended) else 0.0,
        "task_median_s": round(float(np.median(ended)), 6) if len(ended) else 0.0,
    }
