"""Progress of queries as lines of events.jsonl: rates, durations, state, and lag from committed offsets.

Names are those of Spark's progress of a query; what a batch read is named as OpenTelemetry names it (messaging.*). Counts are of
offsets, because Spark counts rows again that are read twice.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack, suppress
from typing import Any

from kafka.errors import KafkaError

from core.errors import ServiceError
from datasets.topics.admin import Broker, Held, administered
from datasets.topics.connection import Connection
from jobs.streaming import offsets
from jobs.streaming.binding import CHECKPOINT
from jobs.streaming.running import Running

logger = logging.getLogger(__name__)

_HISTORY = 4096


class Ends:
    """Content of topics' partitions, asked for again and again; brokers that do not answer are asked anew the next time."""

    def __init__(self, connection: Connection, topics: Collection[str]) -> None:
        self._connection, self._topics = connection, topics
        self._open = ExitStack()
        self._broker: Broker | None = None

    def held(self) -> list[Held] | None:
        """Return what the partitions hold; None where no broker answers."""
        try:
            if self._broker is None:
                self._broker = self._open.enter_context(administered(self._connection))
            return self._broker.held(self._topics)
        except (ServiceError, KafkaError, OSError) as error:
            logger.warning("the lag is unknown, as Kafka does not answer: %s", error or type(error).__name__)
            self.close()
            return None

    def close(self) -> None:
        """Close the connection."""
        self._broker = None
        with suppress(ServiceError, KafkaError, OSError):
            self._open.close()


class Progress:
    """Messages and lag of one query, read again and again."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.messages = 0
        checkpoint = running.home / CHECKPOINT
        self._counted = offsets.committed(checkpoint)[0]
        self._told = self._counted
        self._ends: deque[tuple[float, int]] = deque(maxlen=_HISTORY)

    def new(self) -> int:
        """Add an event for each batch that ended since; return how many messages they had."""
        checkpoint = self.running.home / CHECKPOINT
        done, _ = offsets.committed(checkpoint)
        counts = {
            batch: sum(one.count for one in offsets.ranges(checkpoint, batch))
            for batch in range(self._counted + 1, done + 1)
        }
        self._counted = done
        for progress in self.running.recent:
            batch = progress["batchId"]
            if self._told < batch <= done and "addBatch" in progress["durationMs"]:
                self._told = batch
                count = counts.get(batch)
                if count is None:
                    count = sum(one.count for one in offsets.ranges(checkpoint, batch))
                self.running.context.events.add("batch", **_event(self.running, progress, count))
        total = sum(counts.values())
        self.messages += total
        return total

    def lag(self, there: Iterable[Held]) -> tuple[int, float]:
        """Return the lag in messages, from the committed offsets to the ends, and in seconds.

        Seconds: since when there was a message that is not committed yet, as far as it was looked at (each call looks).
        """
        _, ends = offsets.committed(self.running.home / CHECKPOINT)
        mine = [one for one in there if one.topic == self.running.query.topic]
        behind = sum(one.end - ends.get((one.topic, one.partition), one.first) for one in mine)
        now, end = time.monotonic(), sum(one.end for one in mine)
        self._ends.append((now, end))
        done = end - behind
        late = next((at for at, known in self._ends if known > done), now)
        while len(self._ends) > 1 and self._ends[1][1] <= done:
            self._ends.popleft()
        return behind, now - late


def duration_ms(progress: Mapping[str, Any]) -> int:
    """Return how long a batch took by Spark's account of it, which has two names for that and not always both."""
    if "batchDuration" in progress:
        return int(progress["batchDuration"])
    return int(progress["durationMs"].get("triggerExecution", 0))


def _event(running: Running, progress: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the values of a batch's event; a rate that is not a number is left out."""
    duration = duration_ms(progress)
    states = progress.get("stateOperators") or []
    values: dict[str, Any] = {
        "query": running.name,
        "runId": progress["runId"],
        "batchId": progress["batchId"],
        "timestamp": progress["timestamp"],
        "batchDuration": duration,
        "durationMs": dict(progress["durationMs"]),
        "numInputRows": count,
        "endOffset": offsets.nested(offsets.noted(running.home / CHECKPOINT, progress["batchId"])),
        "inputRowsPerSecond": progress.get("inputRowsPerSecond"),
        "processedRowsPerSecond": count * 1000 / duration if duration else None,
        "numRowsTotal": sum(one["numRowsTotal"] for one in states) if states else None,
        "memoryUsedBytes": sum(one["memoryUsedBytes"] for one in states) if states else None,
        "watermark": (progress.get("eventTime") or {}).get("watermark"),
        "messaging.system": "kafka",
        "messaging.destination.name": running.query.topic,
        "messaging.batch.message_count": count,
    }
    return {name: value for name, value in values.items() if _told(value)}


def _told(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))
