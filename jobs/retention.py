"""Which versions of a table stay, and what is said where a table or a version is not there."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.errors import JobError


@dataclass(frozen=True)
class Retention:
    """Which versions a write leaves.

    Attributes:
        versions: so many of the newest, the current one among them.
        held_s: a version that somebody has opened stays beyond that, until it is closed, its process ends, or so many
            seconds are over.
    """

    versions: int = 2
    held_s: float = 24 * 3600.0


def no_table(table: str, place: object) -> JobError:
    """Say that there is no such table, and what makes it."""
    return JobError(
        f"there is no table {table!r} in {place}. Make it from the data set first: "
        "make preprocess DATASET=... (recommendations come from make train)"
    )


def no_version(table: str, version: int, there: Sequence[int], place: object) -> JobError:
    """Say that a version is gone."""
    left = ", ".join(map(str, there)) or "none"
    return JobError(
        f"version {version} of table {table!r} in {place} is gone: it was replaced, and only the newest versions and those "
        f"that are open stay. Still there: {left}. Read one of these, or make the table again"
    )
