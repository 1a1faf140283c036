"""Offsets that streaming queries have read, from the files of their checkpoints."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import DataError
from jobs.reconciling.offsets import NONE, Place, Ranges

_VERSION = "v1"


@dataclass(frozen=True)
class Consumed:
    """What one query has read.

    Attributes:
        stream, query: whose checkpoint it is.
        batch: number of the last committed batch; -1 if there is none.
        committed: offsets of the batches that were committed.
        planned: offsets of the batch that began and was not committed: they may be stored already, or not.
    """

    stream: str
    query: str
    batch: int
    committed: Mapping[Place, Ranges]
    planned: Mapping[Place, Ranges]

    @property
    def name(self) -> str:
        """Stream and query in one word."""
        return f"{self.stream}/{self.query}"

    @property
    def topics(self) -> set[str]:
        """Topics that it reads."""
        return {place.topic for place in (*self.committed, *self.planned)}

    def end(self, place: Place) -> int:
        """Return the offset after the last one that was committed; 0 if none was."""
        committed = self.committed.get(place, NONE)
        return int(committed.ends[-1]) if committed else 0


def consumed(streams: Path) -> Iterator[Consumed]:
    """Yield what every query has read whose checkpoint lies in `streams`/STREAM/QUERY/checkpoint.

    Raises:
        DataError: a file of a checkpoint does not read.
    """
    for folder in sorted(streams.glob("*/*/checkpoint")):
        query = folder.parent
        yield read(folder, query.parent.name, query.name)


def read(checkpoint: Path, stream: str, query: str) -> Consumed:
    """Read the checkpoint of one query; a batch counts as committed if `commits` names it.

    Spark removes the files of old batches. The first offsets that it ever read stay in `sources`.

    Raises:
        DataError: a file does not read.
    """
    offsets, commits = _numbers(checkpoint / "offsets"), _numbers(checkpoint / "commits")
    done = sorted(offsets & commits)
    batch = done[-1] if done else -1
    first = _first(checkpoint)
    ends = _ends(checkpoint / "offsets" / str(batch)) if done else {}
    begun = sorted(number for number in offsets if number > batch)
    planned_ends = _ends(checkpoint / "offsets" / str(begun[-1])) if begun else {}
    committed = {place: Ranges.of([(first.get(place, 0), end)]) for place, end in ends.items()}
    planned = {
        place: Ranges.of([(ends.get(place, first.get(place, 0)), end)]) for place, end in planned_ends.items()
    }
    return Consumed(stream, query, batch, committed, planned)


def _numbers(folder: Path) -> set[int]:
    return {int(path.name) for path in folder.glob("*") if path.name.isdigit()}


def _first(checkpoint: Path) -> dict[Place, int]:
    """Return the offsets with which the query began."""
    found: dict[Place, int] = {}
    for path in sorted(checkpoint.glob("sources/*/0")):
        # Spark writes a zero byte before the version, which its readers of long ago expect.
        version, _, text = path.read_bytes().lstrip(b"\0").decode().partition("\n")
        found |= _places(_json(path, text)) if _known(path, version) else {}
    return found


def _ends(path: Path) -> dict[Place, int]:
    """Return the offsets at which a batch ends."""
    version, _, *sources = path.read_text(encoding="utf-8").splitlines()
    _known(path, version)
    found: dict[Place, int] = {}
    for text in sources:
        if text != "-":  # a source without data
            found |= _places(_json(path, text))
    return found


def _places(values: Mapping[str, Mapping[str, int]]) -> dict[Place, int]:
    return {
        Place(topic, int(partition)): end
        for topic, partitions in values.items()
        for partition, end in partitions.items()
    }


def _json(path: Path, text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} of a checkpoint does not read: {error}. {_MEND}") from None


def _known(path: Path, version: str) -> bool:
    if version != _VERSION:
        raise DataError(f"{path} of a checkpoint is of the version {version[:20]!r}, not {_VERSION}. {_MEND}")
    return True


_MEND = (
    "Stop the stream and look at its disk: a checkpoint that is damaged cannot say what was read. Remove the file only if it is "
    "the newest of its folder, then start the stream again (make stream)"
)
