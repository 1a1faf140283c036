"""Paths as Spark takes them: it reads some characters as patterns, which people's files and folders may have in their names."""

import re
from pathlib import Path

_PATTERN = re.compile(r"([\[\]{}?*\\])")


def local(path: Path) -> str:
    """Write a path of this machine so that no other file system is looked into; unlike in a URI, nothing is encoded."""
    return f"file://{path.absolute()}"


def literal(path: Path | str) -> str:
    """Write a path so that Spark reads from it alone; without this `r[1].csv` is `r1.csv`.

    For reading only: where Spark writes, and for a folder of checkpoints, a path stands for itself.
    """
    return _PATTERN.sub(r"\\\1", str(path))
