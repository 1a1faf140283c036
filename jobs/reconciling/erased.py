"""Offsets of messages that were erased on request: what stays of a person is where messages stood, and nothing that they said."""

import json
from collections.abc import Mapping
from pathlib import Path

from core.errors import DataError
from core.files import write_text
from jobs.reconciling.offsets import Place, Ranges
from jobs.reconciling.placed import joined

FILE = "erased.jsonl"
"""In the lake's folder: JSON lines with topic, partition and ranges [[first, last], ...]."""


def read(lake: Path) -> dict[Place, Ranges]:
    """Return the offsets that were erased; none if nothing was.

    Raises:
        DataError: the file is damaged.
    """
    path = lake / FILE
    if not path.exists():
        return {}
    found: dict[Place, Ranges] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            values = json.loads(line)
            place = Place(values["topic"], int(values["partition"]))
            found[place] = Ranges.of((int(first), int(last) + 1) for first, last in values["ranges"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is damaged ({type(error).__name__}: {error}): restore it from a copy. Without it erased messages count as lost"
        ) from None
    return found


def add(lake: Path, more: Mapping[Place, Ranges]) -> None:
    """Add offsets to those that were erased; the file is written whole or not at all."""
    every = joined([read(lake), more])
    lines = [
        json.dumps(
            {
                "topic": place.topic,
                "partition": place.partition,
                "ranges": [[first, end - 1] for first, end in ranges],
            }
        )
        for place, ranges in sorted(every.items())
        if ranges
    ]
    write_text(lake / FILE, "\n".join(lines) + "\n")
