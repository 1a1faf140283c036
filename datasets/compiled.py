"""Decorator that compiles a kernel once on each machine and keeps its machine code under a hash of its source.

Numba's own cache is keyed by the path of the source file. Executors import this package from a zip in a folder
that is new with every application, so each would compile again and leave its files behind, and a home that cannot be
written would be an error. Here an unwritable folder only costs the compilation.
"""

import functools
import hashlib
import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.dispatcher import Dispatcher


class _BySource(_CacheLocator):
    """Cache location given by the text of a function's module, wherever that was imported from."""

    def __init__(self, function: Any) -> None:
        modules = _reached(function.__module__)
        # The source comes from the module's loader, which reads zips too.
        source = "".join(inspect.getsource(sys.modules[module]) for module in sorted(modules))
        self._digest = hashlib.sha256(source.encode()).hexdigest()
        self._path = _folder() / f"{function.__module__}-{self._digest[:16]}"
        self._line = function.__code__.co_firstlineno

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_BySource":
        del py_file
        return cls(py_func)

    def get_cache_path(self) -> str:
        return str(self._path)

    def get_source_stamp(self) -> str:
        return self._digest

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Impl(CompileResultCacheImpl):
    _locator_classes = (_BySource,)


class _Cache(FunctionCache):
    """Optional cache: where it cannot be read or written, the kernel is compiled."""

    _impl_class = _Impl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except OSError:
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:
            self.disable()


def _reached(module: str) -> set[str]:
    """Return the modules of all kernels that a module's kernels may call, because called kernels are compiled in."""
    found, waiting = set(), {module}
    while waiting:
        name = waiting.pop()
        found.add(name)
        kernels = (value for value in vars(sys.modules[name]).values() if isinstance(value, Dispatcher))
        waiting |= {kernel.py_func.__module__ for kernel in kernels} - found
    return found


def _folder() -> Path:
    """Return NUMBA_CACHE_DIR, else the user's cache folder, else one that only this user can read."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "recscale"
    except RuntimeError:  # no home: a user that exists only as a number, as in some containers
        return Path(tempfile.mkdtemp(prefix="recscale-"))


def compiled(function: Callable[..., Any] | None = None, *, fastmath: Collection[str] = ()) -> Any:
    """Compile `function` on its first call with each signature, without Python objects and without the GIL.

    Args:
        function: the kernel; absent where the decorator is given options.
        fastmath: freedoms that the compiler may take with floating-point numbers, by LLVM's names; "contract" lets it
            fuse a product and a sum.
    """
    if function is None:
        return functools.partial(compiled, fastmath=fastmath)
    dispatcher = numba.njit(nogil=True, fastmath=set(fastmath) or False)(function)
    dispatcher._cache = _Cache(function)  # noqa: SLF001 - what njit(cache=True) does, with a cache of our own
    return dispatcher
