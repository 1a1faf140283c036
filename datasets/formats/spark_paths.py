"""Paths for Spark, which reads some characters of a path as patterns although names of files may contain them."""

import re
from pathlib import Path

_PATTERN = re.compile(r"([\[\]{}?*\\])")


def local(path: Path) -> str:
    """Return a path of this machine's file system for Spark; unlike in a URI, nothing is encoded."""
    return f"file://{path.absolute()}"


def literal(path: Path | str) -> str:
    """Escape a path so that Spark reads exactly this file; without this Spark reads `r1.csv` for `r[1].csv`.

    For reading only: when Spark writes, and for a folder of checkpoints, it takes a path as it is.
    """
    return _PATTERN.sub(r"\\\1", str(path))
