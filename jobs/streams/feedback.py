"""Ratings and events into Cassandra: each user's history, the latest of each item, and popularity by window and item."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import UsageError
from datasets.topics import declared
from jobs.runtime.concurrent_actions import run_concurrently
from jobs.runtime.session import tasks_at_a_time
from jobs.stores.cassandra.access import PREFIX, check_keyspace
from jobs.stores.cassandra.feedback import (
    EVENTS,
    FEEDBACK,
    KEYSPACE,
    LATE,
    POPULARITY,
    RETRACTIONS,
    TABLES,
    Table,
    forget_totals,
)
from jobs.stores.cassandra.retry import forget_sessions
from jobs.stores.cassandra.store import TUNING, CassandraStore
from jobs.streaming import feedback_rows, messages, popularity_rows
from jobs.streaming.binding import CHECKPOINT
from jobs.streaming.feedback_rows import WRITTEN
from jobs.streaming.popularity import Totals
from jobs.streaming.popularity_rows import WATERMARK
from jobs.streaming.stream import Query, StreamContext

TOPICS = ("ratings", "events")


@dataclass(frozen=True)
class Options:
    """Settings of the stream.

    Attributes:
        keyspace: of the tables.
        window_s: length of popularity's windows, which begin at multiples of it since 1970.
        lateness_s: how long a window stays open after the newest message is past its end.
    """

    keyspace: str = KEYSPACE
    window_s: int = 3600
    lateness_s: int = 600


class Feedback:
    """One query for each topic, so that each has a watermark of its own; nothing is written that a repetition would change."""

    options = Options
    services = ("cassandra",)
    trigger_s = 1.0

    def queries(self, context: StreamContext, options: Options) -> Sequence[Query]:
        _check(options)
        store = CassandraStore(context.spark, options.keyspace.removeprefix(PREFIX))
        store.standing(*TABLES)
        settings = {name: str(value) for name, value in vars(options).items()}
        return [
            Query(topic, topic, Sink(store, context, topic, options).write, settings=settings)
            for topic in TOPICS
        ]


def _check(options: Options) -> None:
    check_keyspace(options.keyspace)
    if options.window_s < 1 or options.lateness_s < 0:
        raise UsageError(
            "window_s must be 1 or more and lateness_s 0 or more, in whole seconds; "
            f"got window_s={options.window_s}, lateness_s={options.lateness_s}"
        )


class Sink:
    """Writes the micro-batches of one query, in steps."""

    def __init__(self, store: CassandraStore, context: StreamContext, topic: str, options: Options) -> None:
        self._store, self._context, self._window_s = store, context, options.window_s
        self._topic, schema = declared.topic(topic), declared.schema(topic)
        # Expressions are made once: for each batch again they would take longer than a small batch does.
        self._parser = messages.Parser(self._topic, schema, context.skew_s)
        self._said = [
            *feedback_rows.said(messages.kinds(schema)),
            *map(F.col, ("partition", "offset", "reason")),
        ]
        self._latest, self._is_usable = feedback_rows.latest(), feedback_rows.unusable().isNull()
        self._tasks = tasks_at_a_time(context.spark)
        self._windows = popularity_rows.Windows(options.window_s * 1000)
        folder = context.home(topic) / CHECKPOINT / "totals"
        self._totals = Totals(folder, options.window_s * 1000, options.lateness_s * 1000)

    def write(self, frame: DataFrame, batch: int) -> None:
        """Keep one micro-batch."""
        rows = self.rows(frame, batch).persist()
        try:
            self.keep(rows, batch)
        except Exception:
            # A session of the connector that has met a lost node may not recover: the next try opens another one.
            forget_sessions(frame.sparkSession)
            raise
        finally:
            rows.unpersist()

    def rows(self, frame: DataFrame, batch: int) -> DataFrame:
        """Return what the tables need of the messages, bad ones with their reason."""
        now = datetime.fromtimestamp(self._context.clock_ms(self._topic.name, batch) / 1000, UTC)
        watermark = F.lit(self.watermark_ms(batch)).cast("bigint")
        # A task takes some 50 ms before it does anything, and each batch has three rounds of them.
        rows = self._parser.rows(frame.coalesce(self._tasks), F.lit(now), {WATERMARK: watermark})
        return rows.select(*self._said, WATERMARK).withColumn("latest", self._latest)

    def keep(self, rows: DataFrame, batch: int) -> None:
        """Write what the messages say, and count them by window."""
        usable = rows.where(self._is_usable)
        self.fill(EVENTS, feedback_rows.events(usable))
        # Now the rows are in memory, and while one of both runs the driver plans the other.
        run_concurrently(partial(self._replace, usable, batch), partial(self.count, rows, usable, batch))

    def _replace(self, usable: DataFrame, batch: int) -> None:
        """Write the latest of each user and item."""
        self.fill(FEEDBACK, feedback_rows.feedback(usable))
        self._context.visible(self._topic.name, batch, time.time())

    def watermark_ms(self, batch: int) -> int | None:
        """Return the watermark after the batch before this one, None before the first message."""
        self._totals.go_to(batch - 1)
        return self._totals.watermark_ms

    def count(self, rows: DataFrame, usable: DataFrame, batch: int) -> None:
        """Add the messages to their windows' totals, keep retractions, and record what is in no table or late."""
        if batch == 0:  # a checkpoint that was made anew counts all windows again
            forget_totals(self._store.keyspace, self._topic.name)
        watermark_ms = self._totals.watermark_ms
        found = self._windows.of(rows)
        if found.retractions:
            self.fill(RETRACTIONS, feedback_rows.retractions(usable))
        changed = self._totals.add(batch, found.counted, found.newest_ms)
        about = {
            "topic": self._topic.name,
            "batch": batch,
            "window_s": self._window_s,
            WRITTEN: self._totals.written_us,
        }
        spark = rows.sparkSession
        if changed:
            self.fill(POPULARITY, popularity_rows.totals(spark, changed, about))
        if found.late:
            assert watermark_ms is not None  # nothing is late before the first
            self.fill(LATE, popularity_rows.late(spark, found.late, watermark_ms, about))
        self._totals.keep()
        self._tell(batch, watermark_ms, found)

    def fill(self, table: Table, rows: DataFrame) -> None:
        """Write rows with their own write time."""
        self._store.fill(table.name, rows, {**TUNING, "writetime": WRITTEN})

    def _tell(self, batch: int, watermark_ms: int | None, found: popularity_rows.Found) -> None:
        """Record what is not in the tables, or not in totals."""
        about: Mapping[str, Any] = {"query": f"{self._context.stream}.{self._topic.name}", "batch": batch}
        for reason, ranges in found.skipped.items():
            self._context.events.add("feedback_skipped", **about, reason=reason, **ranges)
        if found.late:
            self._context.events.add(
                "feedback_late",
                **about,
                watermark_ms=watermark_ms,
                count=sum(one.messages for one in found.late),
                first_offset=min(one.first_offset for one in found.late),
                last_offset=max(one.last_offset for one in found.late),
            )


STREAM = Feedback()
