"""Rule for the versions of a table that stay, and the errors for missing tables and versions, and for a full disk."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import JobError
from core.units import mib


@dataclass(frozen=True)
class Retention:
    """Rule for the versions that a write leaves.

    Attributes:
        versions: number of newest versions that stay, including the current one.
        held_s: an older version that is open stays until it is closed, its process ends, or this many seconds have
            passed.
    """

    versions: int = 2
    held_s: float = 24 * 3600.0


def no_table(table: str, place: object) -> JobError:
    """Return the error for a missing table, with the command that makes it."""
    return JobError(
        f"there is no table {table!r} in {place}. Make it from the data set first: "
        "make preprocess DATASET=... (recommendations come from make train)"
    )


def no_version(table: str, version: int, there: Sequence[int], place: object) -> JobError:
    """Return the error for a version that was removed."""
    left = ", ".join(map(str, there)) or "none"
    return JobError(
        f"version {version} of table {table!r} in {place} is gone: it was replaced, and only the newest versions and open ones "
        f"stay. Versions that are there: {left}. Read one of these, or make the table again"
    )


def disk_full(table: str, root: Path) -> JobError:
    """Return the error for a table that did not fit on the disk."""
    present = root if root.exists() else root.parent
    free = mib(shutil.disk_usage(present).free)
    return JobError(
        f"the disk is full: table {table!r} could not be written to {root}, where {free} are free. "
        "Free some space there (make clean removes what can be made again) or move the run folder "
        "(RECSCALE_RUN_DIR), then run again. The table is unchanged."
    )
