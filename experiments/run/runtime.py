"""Which sources and which Python an application runs on: those of this clone, or of another revision."""

import sys
from dataclasses import dataclass
from pathlib import Path

from cluster.settings import ROOT


@dataclass(frozen=True)
class Runtime:
    """Source of an application's code.

    Attributes:
        root: the folder of the packages `jobs` and `datasets`, which the application ships to its executors.
        python: the interpreter of the driver and of the executors, with its packages.
        understands: the fields of a request that these sources know; None for all.
    """

    root: Path = ROOT
    python: str = sys.executable
    understands: frozenset[str] | None = None


HERE = Runtime()
