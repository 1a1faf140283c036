"""Interface of a stream: queries over topics, each with a checkpoint of its own and a write that may come twice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from pyspark.sql import DataFrame, SparkSession

from datasets.topics.connection import Connection
from jobs.runtime.phases import Events
from jobs.streaming.binding import identity
from jobs.streaming.offsets import Range, clock_ms, ranges

Mode = Literal["append", "update"]
"""Spark's output modes of a query: rows of the batch, or the groups that changed in it."""


def unchanged(frame: DataFrame) -> DataFrame:
    """Return Kafka's frame as it is."""
    return frame


@dataclass(frozen=True)
class Query:
    """One streaming query: what it reads, what it makes of it, and how a micro-batch is kept.

    Attributes:
        name: folder of its checkpoint within the stream's; also the name of its scheduling pool.
        topic: declared topic that it reads, from the earliest offset on.
        write: keeps one micro-batch, given with its number. A batch comes again after a crash, with the same number and the
            same offsets: it must leave what it left the first time. `frame.sparkSession` is the query's own session.
        shape: makes of Kafka's frame (key, value, topic, partition, offset, timestamp) the frame whose micro-batches are
            written: watermark and aggregates have their place here. Without it batches are Kafka's own rows.
        mode: output mode of that frame.
        settings: whatever the state in the checkpoint depends on, for example the length of windows. A checkpoint made with
            others is refused.
    """

    name: str
    topic: str
    write: Callable[[DataFrame, int], None]
    shape: Callable[[DataFrame], DataFrame] = unchanged
    mode: Mode = "append"
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StreamContext:
    """Everything that a stream may use.

    Attributes:
        stream: its name.
        connection: way to Kafka's brokers.
        folder: the run folder, below which `streams` and `lake` lie.
        skew_s: seconds that a message's time may lie after the clock of the driver.
        events: for what is worth a line in events.jsonl.
        accept_loss: go on where messages expired before they were read.
    """

    stream: str
    spark: SparkSession
    connection: Connection
    folder: Path
    skew_s: float
    events: Events
    accept_loss: bool = False

    @property
    def lake(self) -> Path:
        """Folder of the Delta tables."""
        return self.folder / "lake"

    def home(self, query: str) -> Path:
        """Return the folder of a query: `checkpoint` and `binding.json`."""
        return self.folder / "streams" / self.stream / query

    def writer(self, query: str) -> str:
        """Return the identity of a query's checkpoint, under which a table may count its batches; a new one is another writer."""
        return f"{self.stream}/{query}/{identity(self.home(query))}"

    def ranges(self, query: str, batch: int) -> list[Range]:
        """Return the offsets of a micro-batch of a query, which Spark noted before the batch began."""
        return ranges(self.home(query) / "checkpoint", batch)

    def clock_ms(self, query: str, batch: int) -> int:
        """Return when a micro-batch of a query began, in milliseconds since 1970: the same if it comes again."""
        return clock_ms(self.home(query) / "checkpoint", batch)

    def visible(self, query: str, batch: int, since_s: float) -> None:
        """Tell since when readers see all rows of a micro-batch, in seconds since 1970; the batch itself ends later.

        A stream that does not tell is taken to show them at the end of the batch.
        """
        self.events.add("visible", query=f"{self.stream}.{query}", batchId=batch, since=since_s)


class Stream(Protocol):
    """Queries that belong together. One file in `jobs/streams` binds an instance to STREAM.

    Attributes:
        options: frozen dataclass of the stream's own settings, all with defaults.
        services: services besides Kafka that it writes to: "cassandra", or none.
        trigger_s: default seconds between the starts of two micro-batches.
    """

    options: type[Any]
    services: tuple[str, ...]
    trigger_s: float

    def queries(self, context: StreamContext, options: Any) -> Sequence[Query]:
        """Prepare what the queries write to, and return them; called once before any starts.

        Raises:
            UsageError: an option has a value that is not allowed.
            JobError: what they write to cannot be prepared.
        """
