"""CPU seconds of the processes that take part in a trial: services with all that they started, drivers, the generator."""

import os
from collections.abc import Mapping

import psutil

from cluster.service import Running


def cpu_seconds(running: Mapping[str, Running], others: Mapping[str, int]) -> dict[str, float]:
    """Return the CPU seconds that each has taken since it started.

    Args:
        running: services by name; a worker's executors count as its own.
        others: further processes by name, as the generator; what they started counts as theirs.

    Returns:
        Seconds by name. Those of this process's other children, the drivers of applications, stand under "driver". Processes that
        have ended are left out.
    """
    found = {name: one.pid for name, one in running.items() if one.alive} | dict(others)
    seconds = {name: _of_tree(pid) for name, pid in found.items()}
    known = set(others.values())
    drivers = (child.pid for child in psutil.Process(os.getpid()).children() if child.pid not in known)
    return seconds | {"driver": sum(map(_of_tree, drivers))}


def _of_tree(pid: int) -> float:
    try:
        process = psutil.Process(pid)
        every = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(map(_of_one, every))


def _of_one(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
    return float(times.user + times.system)
