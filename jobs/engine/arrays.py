"""Types of the kernels' arrays, and BLAS kept to one thread."""

import functools
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

USERS, ITEMS = 0, 1
"""Sides of a matrix of ratings; also the streams of random numbers of their first factors."""

NAMES = ("user", "item")
"""Names of sides."""


@functools.cache
def _blas() -> Any:
    try:
        # It comes with scikit-learn, which need not be there, and has no types.
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError:
        return None
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Keep BLAS to the calling thread: parallelism is Spark's, one task a core."""
    controller = _blas()
    return nullcontext() if controller is None else controller.limit(limits=1, user_api="blas")
