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
        Seconds by name. Those of this process's other children, the drivers of applications, stand under "driver"; the keeper of a
        service that this process has started is none. Processes that have ended are left out.
    """
    found = {name: one.pid for name, one in running.items() if one.alive} | dict(others)
    trees = {name: _tree(psutil.Process(pid)) for name, pid in found.items() if psutil.pid_exists(pid)}
    known = set(found.values())
    children = [_tree(child) for child in psutil.Process(os.getpid()).children()]
    drivers = (tree for tree in children if known.isdisjoint(one.pid for one in tree))
    seconds = {name: sum(map(_of_one, tree)) for name, tree in trees.items()}
    return seconds | {"driver": sum(_of_one(one) for tree in drivers for one in tree)}


def _tree(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _of_one(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
    return float(times.user + times.system)
