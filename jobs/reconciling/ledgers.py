"""Offsets that brokers acknowledged to producers, from the producers' ledgers."""

import json
from collections.abc import Iterable
from pathlib import Path

from core.errors import DataError
from jobs.reconciling.offsets import NONE, Place, Ranges


def acknowledged(files: Iterable[Path]) -> dict[Place, Ranges]:
    """Return the offsets that these ledgers hold: JSON lines with topic, partition, count and ranges [[first, last], ...].

    Raises:
        DataError: a ledger is not there, a line does not read, or its count is not that of its ranges.
    """
    found: dict[Place, Ranges] = {}
    for path in files:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise DataError(f"the ledger {path} does not read: {error.strerror or error}") from None
        for number, line in enumerate(lines, start=1):
            if line.strip():
                place, ranges = _line(path, number, line)
                found[place] = found.get(place, NONE) | ranges
    return found


def _line(path: Path, number: int, line: str) -> tuple[Place, Ranges]:
    try:
        values = json.loads(line)
        place = Place(str(values["topic"]), int(values["partition"]))
        count = int(values["count"])
        ranges = Ranges.of((int(first), int(last) + 1) for first, last in values["ranges"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"line {number} of the ledger {path} does not read ({type(error).__name__}: {error}): it must be an object with topic, "
            "partition, count and ranges, as python -m datasets produce --ledger writes it"
        ) from None
    if ranges.count != count:
        raise DataError(
            f"line {number} of the ledger {path} counts {count:,} messages in ranges of {ranges.count:,} offsets: "
            "the ledger is damaged, and cannot say what was acknowledged"
        )
    return place, ranges
