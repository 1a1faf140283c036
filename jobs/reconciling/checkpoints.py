"""Offsets that streaming queries have read, from their checkpoints."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.reconciling.offsets import NONE, Place, Ranges
from jobs.streaming import offsets
from jobs.streaming.offsets import Ends


@dataclass(frozen=True)
class Consumed:
    """Offsets that one query has read.

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

    @property
    def pending(self) -> int:
        """Messages of the batch that is not committed."""
        return sum(ranges.count for ranges in self.planned.values())

    def end(self, place: Place) -> int:
        """Return the offset after the last one that was committed; 0 if none was."""
        return self.committed.get(place, NONE).end


def consumed(streams: Path) -> Iterator[Consumed]:
    """Yield what every query has read whose checkpoint lies in `streams`/STREAM/QUERY/checkpoint.

    Raises:
        JobError: a file of a checkpoint does not read.
    """
    for stream, query, checkpoint in offsets.checkpoints(streams):
        yield read(checkpoint, stream, query)


def read(checkpoint: Path, stream: str, query: str) -> Consumed:
    """Read the checkpoint of one query.

    Raises:
        JobError: a file does not read.
    """
    begun = offsets.begun(checkpoint)
    if begun < 0:
        return Consumed(stream, query, -1, {}, {})
    first = offsets.initial(checkpoint)
    batch, ends = offsets.committed(checkpoint)
    if batch < 0:
        ends = first
    planned = offsets.noted(checkpoint, begun) if begun > batch else ends
    return Consumed(stream, query, batch, _between(first, ends), _between({**first, **ends}, planned))


def _between(first: Ends, ends: Ends) -> dict[Place, Ranges]:
    # A partition that was added later begins at its first message.
    found = {Place(*key): Ranges.of([(first.get(key, 0), end)]) for key, end in ends.items()}
    return {place: ranges for place, ranges in found.items() if ranges}
