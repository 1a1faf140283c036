"""Offsets of micro-batches, as Spark's checkpoint has them: noted before a batch begins, committed after it ended.

Layout of a checkpoint: `sources/0/0` (offsets at the first start), `offsets/N` (where batch N ends; line 1 is a version,
line 2 the batch's metadata, line 3 the offsets of the one source), `commits/N` (batch N is done).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import JobError

COMMITS = "commits"
"""Folder in a checkpoint with a file for each batch that is done."""

Ends = Mapping[tuple[str, int], int]
"""For each topic and partition the offset of the next message to read."""


@dataclass(frozen=True, order=True)
class Range:
    """Messages of one partition, from the offset `first` to before `end`."""

    topic: str
    partition: int
    first: int
    end: int

    @property
    def count(self) -> int:
        """Offsets in it: as many messages, unless the topic is compacted or has transactions."""
        return self.end - self.first


def checkpoints(streams: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield stream, query and checkpoint of every query that ever ran, in order; `streams` is their folder in the run folder."""
    for checkpoint in sorted(streams.glob("*/*/checkpoint")):
        stream, query = checkpoint.parts[-3:-1]
        yield stream, query, checkpoint


def nested(values: Mapping[tuple[str, int], int]) -> dict[str, dict[str, int]]:
    """Return values of partitions as Spark has them in options, checkpoints and progress: {"topic": {"0": 17}}."""
    found: dict[str, dict[str, int]] = {}
    for (topic, partition), value in values.items():
        found.setdefault(topic, {})[str(partition)] = value
    return found


def flat(values: Mapping[str, Mapping[str, int]]) -> Ends:
    """Return offsets that Spark has as `nested` writes them."""
    return {
        (topic, int(partition)): int(offset)
        for topic, partitions in values.items()
        for partition, offset in partitions.items()
    }


def ranges(checkpoint: Path, batch: int) -> list[Range]:
    """Return the offsets of a batch that has begun, in order; partitions without new messages are left out.

    Raises:
        JobError: the checkpoint does not have the batch (any longer).
    """
    end, first = noted(checkpoint, batch), begins(checkpoint, batch)
    # A partition that was added since the batch before begins at its first message.
    every = [Range(*key, first.get(key, 0), offset) for key, offset in sorted(end.items())]
    return [one for one in every if one.count > 0]


def begins(checkpoint: Path, batch: int) -> Ends:
    """Return where a batch begins; a partition that was added since the batch before is left out."""
    return noted(checkpoint, batch - 1) if batch else initial(checkpoint)


def noted(checkpoint: Path, batch: int) -> Ends:
    """Return where a batch that has begun ends."""
    return _read(checkpoint / "offsets" / str(batch), 2)


def clock_ms(checkpoint: Path, batch: int) -> int:
    """Return when a batch began, in milliseconds since 1970: the same if it comes again."""
    return int(json.loads(_line(checkpoint / "offsets" / str(batch), 1))["batchTimestampMs"])


def initial(checkpoint: Path) -> Ends:
    """Return where the query began at its first start."""
    return _read(checkpoint / "sources" / "0" / "0", 1)


def committed(checkpoint: Path) -> tuple[int, Ends]:
    """Return the last batch that is done, -1 for none, and where reading goes on after it; empty before the first start."""
    numbers = done(checkpoint)
    if numbers:
        return numbers[-1], noted(checkpoint, numbers[-1])
    return -1, initial(checkpoint) if (checkpoint / "sources" / "0" / "0").exists() else {}


def done(checkpoint: Path) -> list[int]:
    """Return the batches that are done, as far back as Spark keeps them, in order."""
    return _numbers(checkpoint / COMMITS)


def begun(checkpoint: Path) -> int:
    """Return the last batch that has begun, done or not; -1 for none."""
    numbers = _numbers(checkpoint / "offsets")
    return numbers[-1] if numbers else -1


def _numbers(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit())


def _read(path: Path, line: int) -> Ends:
    """Read the offsets in a line of a checkpoint's file (from 0)."""
    return flat(json.loads(_line(path, line)))


def _line(path: Path, number: int) -> str:
    try:
        return path.read_text(encoding="utf-8").splitlines()[number]
    except (OSError, IndexError) as error:
        raise JobError(
            f"{path} does not have what Spark notes of a batch: {error}. It keeps the last 100 batches; a checkpoint that was "
            "damaged cannot go on: put back a copy of its folder"
        ) from error
