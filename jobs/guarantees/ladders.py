"""Sides of each stream, from all of its guarantees to none, and the batch that they are set against."""

from collections.abc import Mapping
from dataclasses import dataclass

LAKE, FEEDBACK = "lake", "feedback"

ROOT = "cost_of_correctness"
"""Root, for the store in Cassandra, of the keyspace in which sides write."""


@dataclass(frozen=True)
class Side:
    """One way to take in a topic's messages.

    Attributes:
        name: of its phase.
        title: for people.
        what: it does.
        lacks: guarantee that the side before it gives and it does not; empty for the stream itself, and for batches.
    """

    name: str
    title: str
    what: str
    lacks: str = ""


@dataclass(frozen=True)
class Ladder:
    """Sides of a stream in order: each lacks one guarantee more than the one before.

    Attributes:
        stream: its name; title: for people, as the subject of a sentence.
        yardstick: the batch that the stream is set against; manages: what that does, after "that".
        sides: the stream itself first.
        beside: further batches, which are measured for what they say of the yardstick.
    """

    stream: str
    title: str
    yardstick: Side
    manages: str
    sides: tuple[Side, ...]
    beside: tuple[Side, ...] = ()

    @property
    def every(self) -> tuple[Side, ...]:
        """All that take turns."""
        return (self.yardstick, *self.beside, *self.sides)

    @property
    def steps(self) -> tuple[tuple[Side, Side], ...]:
        """Each side that gives a guarantee, with the one that lacks it and is else the same."""
        return tuple(zip(self.sides, self.sides[1:], strict=False))


LADDERS: Mapping[str, Ladder] = {
    LAKE: Ladder(
        LAKE,
        "The lake",
        Side(
            "batch_read",
            "batch read",
            "reads the same offsets as one batch and parses them by from_json, with a column for what it cannot read; keeps nothing",
        ),
        "a plain batch read manages",
        (
            Side("lake", "lake", "the stream as it is"),
            Side(
                "no_dead_letters",
                "without dead letters",
                "parses by from_json alone and drops unseen what that cannot read or what lacks a required field",
                "dead letters",
            ),
            Side(
                "no_idempotence",
                "bare Delta",
                "appends without the batch's number, without a look at what was written, and without the table's lock: a batch that "
                "comes again is there twice",
                "idempotence",
            ),
            Side(
                "parquet",
                "plain Parquet",
                "appends Parquet files to a folder: a batch that breaks off leaves half of its rows, and a reader may see them",
                "Delta over Parquet",
            ),
        ),
    ),
    FEEDBACK: Ladder(
        FEEDBACK,
        "Feedback",
        Side(
            "batch_write",
            "batch write",
            "reads the same offsets as one batch, parses them by from_json and writes one row a message (user; item; id, rating, both "
            "times) to one empty table by user and item, ordered and tuned as CassandraStore.write does; making and publishing that "
            "table, a second or two whatever its size, is outside",
        ),
        "a batch write to one table manages",
        (
            Side("feedback", "feedback", "the stream as it is, its query of the topic ratings"),
            Side(
                "no_popularity",
                "without popularity",
                "counts nothing by window: neither totals nor late messages, and nobody is told what was skipped",
                "popularity",
            ),
            Side(
                "no_history",
                "without history",
                "writes the latest of each item only, not the table events; so a batch is read once and need not be held",
                "history",
            ),
            Side(
                "no_write_time",
                "plain writes",
                "writes without the message's time as write time: what comes late replaces what is newer",
                "order by time",
            ),
            Side(
                "unchecked",
                "unchecked",
                "parses by from_json alone and drops unseen what that cannot read or what lacks a required field",
                "checking",
            ),
        ),
        (
            Side(
                "write_alone",
                "write alone",
                "the batch write's rows to the same table, read and parsed before and held in memory",
            ),
        ),
    ),
}
