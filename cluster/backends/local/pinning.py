"""Pinning of services to cores; their child processes inherit it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from core.errors import ServiceError


def own_cores(number: int, cores: int, available: Sequence[int] | None = None) -> tuple[int, ...]:
    """Return the cores that the `number`th worker (from 1) is pinned to, round robin over the host's.

    Args:
        number: of the worker.
        cores: of each worker.
        available: the host's cores; default: those that this process may use.
    """
    usable = sorted(os.sched_getaffinity(0)) if available is None else list(available)
    first = (number - 1) * cores
    return tuple(sorted({usable[(first + step) % len(usable)] for step in range(cores)}))


@contextmanager
def pinned(name: str, cores: Sequence[int]) -> Iterator[None]:
    """Pin processes that this thread starts within the block to these cores; none means all.

    Raises:
        ServiceError: this process may not use them.
    """
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, cores)
    except OSError as error:
        raise ServiceError(
            f"{name} cannot be pinned to the cores {_listed(cores)} ({error.strerror}): this process may use "
            f"{_listed(sorted(before))}; use fewer, or leave spark.pin (in a spec: pin) out"
        ) from error
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _listed(cores: Sequence[int]) -> str:
    return ", ".join(map(str, cores))
