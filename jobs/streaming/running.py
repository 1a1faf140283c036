"""Queries while they run: started with their checkpoints held, restarted when they fail, stopped after a batch."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Self

from pyspark.sql.streaming.query import StreamingQuery

from core.errors import JobError
from datasets.topics import declared
from datasets.topics.admin import Broker, Held, administered
from jobs.runtime.failures import explain
from jobs.streaming import binding, kafka, offsets
from jobs.streaming.binding import CHECKPOINT, Fingerprint
from jobs.streaming.stream import Query, StreamContext

logger = logging.getLogger(__name__)

_GRACE_S = 120.0
_POLL_S = 0.1
_PARTITIONS = "spark.sql.shuffle.partitions"


@dataclass(frozen=True)
class Pace:
    """Rhythm of queries.

    Attributes:
        trigger_s: seconds between the starts of two micro-batches; 0 for one after another.
        drain: end when what Kafka held at the start is done.
        most: messages of one micro-batch at most.
        restarts: how often a query that fails is started again before the stream gives up.
        backoff_s: seconds before the first restart; each further one waits twice as long.
        begin: for a topic the offset of each partition to begin at, where there is no checkpoint yet; others begin at the first message.
    """

    trigger_s: float
    drain: bool = False
    most: int = 500_000
    restarts: int = 3
    backoff_s: float = 2.0
    begin: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Running:
    """One query with its checkpoint, and what became of it."""

    def __init__(self, context: StreamContext, query: Query, pace: Pace) -> None:
        self.context, self.query, self.pace = context, query, pace
        self.home = context.home(query.name)
        self.failures = 0
        self._batch = -1  # the last one that was done when a failure was counted
        self._next = 0.0
        self._now: StreamingQuery | None = None

    @property
    def name(self) -> str:
        """Name of the query for a person and for Spark."""
        return f"{self.context.stream}.{self.query.name}"

    @property
    def recent(self) -> list[Mapping[str, Any]]:
        """Progress of the last batches since the query was started, as Spark tells it."""
        return [] if self._now is None else list(self._now.recentProgress)

    def start(self, broker: Broker) -> None:
        """Start the query where its checkpoint ends.

        Raises:
            JobError: the topic is missing, or the checkpoint does not fit to query or topic.
        """
        query, context, spark = self.query, self.context, self.context.spark
        topic_id = _identity(broker, query.topic)
        settings = {**query.settings, "mode": query.mode, _PARTITIONS: str(spark.conf.get(_PARTITIONS))}
        binding.bind(self.home, Fingerprint(context.stream, query.name, query.topic, topic_id, settings))
        there = broker.held([query.topic])
        for loss in binding.check_offsets(self.home, query.topic, there, accept_loss=context.accept_loss):
            logger.warning("going on although %s", loss)
            context.events.add("loss", query=self.name, text=loss)
        # Without a pool of its own a query would wait behind the tasks of the others.
        spark.sparkContext.setLocalProperty("spark.scheduler.pool", self.name)
        try:
            frame = kafka.stream(
                spark,
                context.connection,
                query.topic,
                self.pace.most,
                accept_loss=context.accept_loss,
                begin=self.pace.begin.get(query.topic, kafka.NOWHERE),
            )
            writer = query.shape(frame).writeStream.foreachBatch(query.write).outputMode(query.mode)
            writer = writer.queryName(self.name).option("checkpointLocation", str(self.home / CHECKPOINT))
            if self.pace.drain:
                writer = writer.trigger(availableNow=True)
            else:
                writer = writer.trigger(processingTime=f"{round(self.pace.trigger_s * 1000)} milliseconds")
            begins = self._begins(there)
            self._now = writer.start()
        finally:
            spark.sparkContext.setLocalProperty("spark.scheduler.pool", None)  # type: ignore[arg-type]
        told = {"startOffset": offsets.nested(begins), "messaging.destination.name": query.topic}
        context.events.add("query_start", query=self.name, **told)

    def _begins(self, there: Sequence[Held]) -> dict[tuple[str, int], int]:
        """Return for each partition the offset of the message that is read next."""
        _, ends = offsets.committed(self.home / CHECKPOINT)
        given = self.pace.begin.get(self.query.topic, kafka.NOWHERE)
        return {
            (one.topic, one.partition): ends.get(
                (one.topic, one.partition), int(given.get(str(one.partition), one.first))
            )
            for one in there
        }

    def look(self) -> bool:
        """See to the query: start it again if it failed and its time has come; return whether it goes on.

        Raises:
            JobError: it failed too often; names the offsets at which it stands.
        """
        if self._now is not None and self._now.isActive:
            return True
        error = self._now.exception() if self._now is not None else None
        if self._now is not None and error is None:
            return False
        now = time.monotonic()
        if error is not None:
            self._failed(error, now)
            self._now = None
        if now >= self._next:
            self._again()
        return True

    def _failed(self, error: BaseException, now: float) -> None:
        done, _ = offsets.committed(self.home / CHECKPOINT)
        self.failures = 1 if done > self._batch and self.failures else self.failures + 1
        self._batch = done
        text = explain(error)
        self.context.events.add(
            "query_failed", query=self.name, batchId=done + 1, failures=self.failures, error=text
        )
        if self.failures > self.pace.restarts:
            raise JobError(
                f"the query {self.name} failed {self.failures} times at {self.place()}: {text}. Nothing is lost: it goes on there when it "
                "is started again. Mend the cause, then run make stream again"
            )
        wait = self.pace.backoff_s * 2 ** (self.failures - 1)
        self._next = now + wait
        logger.warning(
            "%s failed at %s (%d of %d); it starts again in %.0f s: %s",
            self.name, self.place(), self.failures, self.pace.restarts, wait, text,
        )  # fmt: skip

    def _again(self) -> None:
        try:
            with administered(self.context.connection) as broker:
                self.start(broker)
        except JobError:
            raise
        except Exception as error:  # noqa: BLE001 - a broker that does not answer yet is one more failure
            self._failed(error, time.monotonic())

    def place(self) -> str:
        """Return the offsets of the batch at which the query stands."""
        checkpoint = self.home / CHECKPOINT
        begun, (done, ends) = offsets.begun(checkpoint), offsets.committed(checkpoint)
        if begun > done:
            return ", ".join(
                f"{one.topic}-{one.partition} offsets {one.first:,} to {one.end - 1:,}"
                for one in offsets.ranges(checkpoint, begun)
            )
        return (
            ", ".join(f"{topic}-{part} offset {end:,}" for (topic, part), end in sorted(ends.items()))
            or "its start"
        )

    def stop(self, end: float) -> None:
        """Stop the query when its batch is done, or at the time `end` (time.monotonic)."""
        if self._now is None:
            return
        checkpoint = self.home / CHECKPOINT
        done = offsets.committed(checkpoint)[0]
        while (
            self._now.isActive
            and self._now.status["isTriggerActive"]
            and offsets.committed(checkpoint)[0] == done
            and time.monotonic() < end
        ):
            time.sleep(_POLL_S)
        self._now.stop()


class Group:
    """All queries of an application."""

    def __init__(self, running: Sequence[Running]) -> None:
        self.running = running
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Hold every checkpoint, then start every query."""
        try:
            for one in self.running:
                self._held.enter_context(binding.held(one.home))
            if self.running:
                with administered(self.running[0].context.connection) as broker:
                    for one in self.running:
                        one.start(broker)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop every query after its batch; then give the checkpoints free."""
        try:
            end = time.monotonic() + _GRACE_S
            for one in self.running:
                one.stop(end)
        finally:
            self._held.close()

    def look(self) -> bool:
        """See to every query; return whether one goes on."""
        going = [one.look() for one in self.running]  # every one of them, whatever the first says
        return any(going)


def _identity(broker: Broker, topic: str) -> str:
    if topic not in broker.names():
        raise JobError(
            f"Kafka has no topic {topic}: make topics makes every declared one ({', '.join(declared.topics())})"
        )
    return broker.identities([topic])[topic]
