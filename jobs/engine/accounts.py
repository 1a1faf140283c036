"""Account of a fit on the engine: its half-steps by part, what was shipped, and how far the kernel is from the limit of the processor."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from pyspark import SparkContext

from jobs.engine.arrays import one_thread
from jobs.engine.half_steps import HalfStep

_SIZE, _TRIES = 1024, 5


def account(half_steps: Sequence[HalfStep], rank: int, slots: int, build_s: float) -> dict[str, float]:
    """Return metrics of a fit; seconds are of an iteration, which is two half-steps.

    Parts are shares of an iteration's seconds, as if all cores did the same at the same time. The first iteration, in which Python
    workers load machine code, counts only if there is no other.

    Args:
        half_steps: of the fit, in their order.
        rank: number of factors.
        slots: cores.
        build_s: seconds until the blocks were built.
    """
    counted = half_steps[2:] or half_steps
    iterations = len(counted) / 2
    parts: dict[str, float] = {}
    for step in counted:
        for name, seconds in step.parts(slots).items():
            parts[name] = parts.get(name, 0.0) + seconds / slots / iterations
    return {
        "engine_build_s": build_s,
        "engine_iteration_s": sum(step.seconds for step in counted) / iterations,
        **{f"engine_{name}_s": seconds for name, seconds in parts.items()},
        "engine_routed": sum(step.routed for step in counted) / len(counted),
        **_of_stages(counted, slots),
        "engine_shipped_mb": sum(step.shipped for step in counted) / iterations / 1e6,
        "engine_gflops": sum(step.flops(rank) for step in counted)
        / sum(step.kernel for step in counted)
        / 1e9,
    }


def _of_stages(half_steps: Sequence[HalfStep], slots: int) -> dict[str, float]:
    """Return what a stage has besides the work in it, which larger clusters have, too; medians over half-steps."""
    loading = sum(task.load for step in half_steps for task in step.tasks)
    slowest, beside = [], []
    for step in half_steps:
        busy: dict[str, float] = {}
        for task in step.tasks:
            busy[task.process] = busy.get(task.process, 0.0) + task.busy
        slowest.append(max(busy.values()) / (sum(busy.values()) / slots))
        beside.append(step.seconds - step.sent - max(busy.values()))
    return {
        "engine_load_mb_per_s": sum(step.loaded for step in half_steps) / loading / 1e6 if loading else 0.0,
        "engine_slowest": float(np.median(slowest)),
        "engine_stage_s": float(np.median(beside)),
    }


def product_gflops(context: SparkContext, slots: int) -> float:
    """Measure the float32 matrix product of each of the executors' cores, all at the same time; return the median."""
    found = context.parallelize(range(slots), slots).mapPartitions(_products).collect()
    return float(np.median(found))


def _products(numbers: Iterable[Any]) -> Iterator[float]:
    del numbers
    matrix = np.random.default_rng(0).standard_normal((_SIZE, _SIZE), dtype=np.float32)
    best = np.inf
    with one_thread():
        for _ in range(_TRIES):
            start = time.perf_counter()
            matrix @ matrix
            best = min(best, time.perf_counter() - start)
    yield 2 * _SIZE**3 / best / 1e9
