"""Ledger of a run: for each partition how many messages Kafka has acknowledged, and at which offsets."""

import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import DataError, UsageError
from core.files import write_text

Place = tuple[str, int]
"""Topic and partition."""


class Ranges:
    """Ranges of offsets, which mostly come in order: each new one next to the last."""

    def __init__(self) -> None:
        self.ranges: list[list[int]] = []

    def add(self, offset: int) -> None:
        """Put one offset in."""
        if self.ranges and self.ranges[-1][1] + 1 == offset:
            self.ranges[-1][1] = offset
        else:
            self.ranges.append([offset, offset])

    def merged(self) -> list[list[int]]:
        """Return the ranges in order, those that touch as one."""
        found: list[list[int]] = []
        for first, last in sorted(self.ranges):
            if found and first <= found[-1][1] + 1:
                found[-1][1] = max(found[-1][1], last)
            else:
                found.append([first, last])
        return found


class Ledger:
    """Offsets of acknowledged messages, and of the deliberately bad ones among them by their kind."""

    def __init__(self) -> None:
        self._good: dict[Place, Ranges] = defaultdict(Ranges)
        self._bad: dict[Place, dict[str, Ranges]] = defaultdict(lambda: defaultdict(Ranges))

    def add(self, topic: str, partition: int, offset: int, bad: str | None = None) -> None:
        """Note an acknowledged message; `bad` is the kind of a deliberately bad one."""
        self._good[topic, partition].add(offset)
        if bad is not None:
            self._bad[topic, partition][bad].add(offset)

    def lines(self) -> list[Mapping[str, Any]]:
        """Return one mapping for each partition that has acknowledged anything, in order."""
        return [
            {
                "topic": topic,
                "partition": partition,
                "acknowledged": sum(last - first + 1 for first, last in ranges),
                "ranges": ranges,
                "bad": {kind: found.merged() for kind, found in sorted(self._bad[topic, partition].items())},
            }
            for topic, partition in sorted(self._good)
            for ranges in [self._good[topic, partition].merged()]
        ]

    def append(self, path: Path) -> None:
        """Add the lines to a file, which earlier runs may have begun, or another one at the same time; it is whole at any time."""
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            before = path.read_text(encoding="utf-8") if path.exists() else ""
            write_text(path, before + "".join(f"{json.dumps(line)}\n" for line in self.lines()))
        finally:
            os.close(folder)


def writable(path: Path) -> Path:
    """Return the path of a ledger that can be written.

    Raises:
        UsageError: its folder is not there, or what it holds is no ledger.
    """
    if not path.parent.is_dir():
        raise UsageError(f"--ledger {path}: there is no folder {path.parent}; make it, or name another file")
    if path.exists():
        try:
            read(path)
        except DataError as error:
            raise UsageError(
                f"--ledger {path} holds something else already ({error}): name another file"
            ) from error
    return path


def read(path: Path) -> dict[Place, list[list[int]]]:
    """Read the offsets that the runs in a ledger's file have acknowledged, by topic and partition.

    Raises:
        DataError: a line is not one of a ledger.
    """
    found: dict[Place, Ranges] = defaultdict(Ranges)
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            line = json.loads(text)
            place = str(line["topic"]), int(line["partition"])
            found[place].ranges += [[int(first), int(last)] for first, last in line["ranges"]]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}, line {number} is no line of a ledger: {text[:80]!r}") from error
    return {place: ranges.merged() for place, ranges in found.items()}
