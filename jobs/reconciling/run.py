"""All checks of a lake and of Cassandra's tables, one after another."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from core.errors import JobError
from datasets.topics import declared
from datasets.topics.admin import Held, administered
from datasets.topics.connection import Connection
from jobs.reconciling import checkpoints, contents, erased, feedback_tables, lake_tables, placed
from jobs.reconciling.checkpoints import Consumed
from jobs.reconciling.finding import Check, Finding
from jobs.reconciling.lake_tables import Span
from jobs.reconciling.offsets import Place, Ranges
from jobs.reconciling.placed import Stored
from jobs.runtime.concurrent_actions import run_concurrently

LAKE, FEEDBACK, REFRESH = "lake", "feedback", "refresh"
"""Names of the streams whose work is checked."""

_FEW = 1_000_000
"""Dead letters whose places fit into every task: 20 MB."""


@dataclass(frozen=True)
class Reconciliation:
    """All comparisons of one run folder.

    Attributes:
        folder: the run folder, below which `streams` and `lake` lie.
        connection: way to Kafka's brokers.
        ledgers: files of producers.
        read: gives one of Cassandra's tables of feedback by its name.
    """

    spark: SparkSession
    folder: Path
    connection: Connection
    ledgers: Sequence[Path]
    read: Callable[[str], DataFrame]

    @cached_property
    def queries(self) -> list[Consumed]:
        """Offsets that every query has read.

        Raises:
            JobError: the stream `lake` has not read anything.
        """
        found = list(checkpoints.consumed(self.folder / "streams"))
        if not any(query.stream == LAKE and query.committed for query in found):
            raise JobError(
                f"the stream {LAKE} has no committed batch in {self.folder / 'streams'}, so there is nothing to compare: run it "
                f"first (make stream NAME={LAKE} DRAIN=1)"
            )
        return found

    @property
    def lake(self) -> list[Consumed]:
        """Queries of the stream `lake`."""
        return [query for query in self.queries if query.stream == LAKE]

    @property
    def feedback(self) -> list[Consumed]:
        """Queries of the stream `feedback` that have read something."""
        return [query for query in self.queries if query.stream == FEEDBACK and query.committed]

    @property
    def refresh(self) -> Consumed | None:
        """Query of the stream `refresh`, if it has read something."""
        return next((query for query in self.queries if query.stream == REFRESH and query.committed), None)

    @cached_property
    def _every(self) -> dict[str, DataFrame]:
        """The lake's tables by topic, each at the version that it has now."""
        return lake_tables.tables(self.spark, self.folder / "lake")

    @property
    def tables(self) -> dict[str, DataFrame]:
        """Those of good messages."""
        return {topic: frame for topic, frame in self._every.items() if topic != declared.DEAD_LETTERS}

    @cached_property
    def dead(self) -> DataFrame:
        """The dead letters."""
        if declared.DEAD_LETTERS in self._every:
            return self._every[declared.DEAD_LETTERS]
        none = F.lit(None).cast("binary")
        return lake_tables.listed(self.spark, {}).withColumns({"key": none, "value": none})

    @cached_property
    def stored(self) -> tuple[Stored, Stored]:
        """Offsets of the lake's rows, and of the dead letters."""
        _ = self.queries  # before the tables: what is committed by now must be in them
        every = list(self.tables.values()), [self.dead]
        lake, dead = run_concurrently(
            *(partial(placed.stored, lake_tables.places(self.spark, frames)) for frames in every)
        )
        return lake, dead

    @cached_property
    def erased(self) -> dict[Place, Ranges]:
        """Offsets that were erased on request."""
        return erased.read(self.folder / "lake")

    def offsets(self) -> Iterator[Check]:
        """Compare offsets: what was read with what is stored, and what was acknowledged with what was read."""
        lake, dead = self.stored
        later = [query for query in checkpoints.consumed(self.folder / "streams") if query.stream == LAKE]
        yield placed.placed(self.lake, lake, dead, self.erased, later)
        if self.ledgers:
            yield placed.arrived(placed.acknowledged(self.ledgers), self.lake)

    def contents(self) -> Iterator[Check]:
        """Compare the contents of rows and dead letters with Kafka's messages, as far as Kafka still holds them."""
        read = placed.joined(query.committed for query in self.lake)
        held = self._held({place.topic for place in read})
        lost = [finding for place in sorted(read) if (finding := _cut(place, read[place], held))]
        span = lake_tables.held_of(read, held)
        good = (partial(self._good, topic, span) for topic in sorted({place.topic for place in span}))
        found = run_concurrently(*good, partial(self._bad, span)) if span else []
        findings = [finding for _, some in found for finding in some]
        yield Check("contents = Kafka's", sum(count for count, _ in found), [*lost, *findings])

    def _held(self, topics: set[str]) -> list[Held]:
        with administered(self.connection) as broker:
            return broker.held(topics & broker.names())

    def _good(self, topic: str, span: Span) -> tuple[int, list[Finding]]:
        """Compare a topic's table with those of its messages that are neither dead letters nor erased."""
        if topic not in self.tables:
            return 0, []
        own = {place: ends for place, ends in span.items() if place.topic == topic}
        inside = lake_tables.within(own)
        erased = {place: ranges for place, ranges in self.erased.items() if place.topic == topic and ranges}
        elsewhere = [self._keys_of_dead(inside)]
        if erased:
            elsewhere.append(lake_tables.listed(self.spark, erased))
        kafka = lake_tables.kafka_rows(self.spark, self.connection, own)
        sides = lake_tables.good_sides(kafka, topic, self.tables[topic].where(inside), elsewhere)
        return contents.differing(sides, "the lake")

    def _bad(self, span: Span) -> tuple[int, list[Finding]]:
        """Compare the dead letters of all topics with their messages."""
        kafka = lake_tables.kafka_rows(self.spark, self.connection, span)
        inside = lake_tables.within(span)
        sides = lake_tables.bad_sides(kafka, self.dead.where(inside), self._keys_of_dead(inside))
        return contents.differing(sides, "dead letters")

    def _keys_of_dead(self, inside: Column) -> DataFrame:
        """Return where dead letters came from; few are sent to every task, so that Kafka's messages need not be."""
        keys = lake_tables.places(self.spark, [self.dead.where(inside)])
        return F.broadcast(keys) if self.stored[1].rows <= _FEW else keys

    def in_cassandra(self) -> Iterator[Check]:
        """Compare Cassandra's tables with the lake; nothing if the stream `feedback` has not run."""
        if not self.feedback:
            return
        settled = feedback_tables.settled(self.feedback, self.lake)
        yield settled
        if settled.findings:
            return
        topics = sorted({topic for query in self.feedback for topic in query.topics} & self.tables.keys())
        if not topics:
            return
        calls = feedback_tables.checks([self.tables[topic] for topic in topics], self.read)
        for topic in topics:
            gone = sum(ranges.count for place, ranges in self.erased.items() if place.topic == topic)
            calls.append(partial(feedback_tables.popularity, topic, self.tables[topic], self.read, gone))
        yield from run_concurrently(*calls)


def _cut(place: Place, read: Ranges, held: Sequence[Held]) -> Finding | None:
    """Say if Kafka ends before what was read: then the topic was made anew, or brokers lost messages."""
    end = next((one.end for one in held if (one.topic, one.partition) == place), 0)
    over = read - Ranges.of([(0, end)]) if end else read
    if not over:
        return None
    return Finding(
        "read, and not in Kafka any more", place.topic, place.partition, over.count, f"offsets {over}"
    )
