"""Throughput of a producer beside two others on the same broker: payloads that were built before, and kafka-python."""

import logging
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice

from kafka import KafkaProducer

from core.text_tables import table
from datasets.producer import Message
from datasets.sending.client import connected
from datasets.sending.ledger import Ledger
from datasets.sending.outcome import Outcome
from datasets.sending.sender import INTENDED, Sender
from datasets.topics.connection import Connection

logger = logging.getLogger(__name__)

_ROUNDS = 3
_SLOW_SHARE = 0.1  # of the messages, for the client that takes ten times as long
_POLL_EVERY = 64

BUILT, LEDGER, BEFORE, PYTHON = (
    "built for each message",
    "the same, with a ledger",
    "built before",
    "kafka-python, built before",
)


@dataclass(frozen=True)
class Comparison:
    """One producer beside the other ways.

    Attributes:
        name: of the producer.
        topics: that it sends to.
        messages: makes a fresh supply of as many messages as are sent, with even times at the rate.
        total: how many these are.
        patience_s: seconds that acknowledgements are waited for.
    """

    name: str
    topics: Sequence[str]
    messages: Callable[[], "islice[Message]"]
    total: int
    patience_s: float

    def run(self, connection: Connection, rate: float | None) -> str:
        """Send by every way in turns; return a table of medians, and one of a paced run if a rate is given."""
        ways: Mapping[str, Callable[[Connection], float]] = {
            BEFORE: self._before,
            BUILT: lambda connection: self._built(connection, None),
            LEDGER: lambda connection: self._built(connection, Ledger()),
            PYTHON: self._kafka_python,
        }
        self._built(connection, None)  # the first one also warms the broker
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(_ROUNDS):
            for name, send in ways.items():
                rates[name].append(send(connection))
                logger.info("round %d, %s: %s messages/s", number + 1, name, f"{rates[name][-1]:,.0f}")
        return "\n\n".join([self._table(rates), *([self._paced(connection)] if rate else [])])

    def _table(self, rates: Mapping[str, Sequence[float]]) -> str:
        medians = {name: statistics.median(found) for name, found in rates.items()}
        rows = [
            (
                name,
                f"{medians[name]:,.0f}",
                f"{min(found):,.0f}-{max(found):,.0f}",
                f"{medians[name] / medians[BEFORE]:.2f}",
                f"{medians[name] / medians[PYTHON]:.1f}",
            )
            for name, found in rates.items()
        ]
        return table((self.name, "acknowledged/s", "least-most", "of built before", "of kafka-python"), rows)

    def _built(self, connection: Connection, ledger: Ledger | None) -> float:
        sender = Sender(connection, self.topics, ledger, self.patience_s)
        outcome = Outcome(
            self.name,
            paced=False,
            sent=sender.rushed(self.messages()),
            patience_s=self.patience_s,
        )
        outcome.check()
        return outcome.achieved

    def _paced(self, connection: Connection) -> str:
        sender = Sender(connection, self.topics, None, self.patience_s)
        outcome = Outcome(
            self.name,
            paced=True,
            sent=sender.paced(self.messages()),
            patience_s=self.patience_s,
        )
        return outcome.text()

    def _before(self, connection: Connection) -> float:
        """Hand over keys, values, headers and times that lie ready, and wait until all are acknowledged."""
        producer = connected(connection, self.topics, self.patience_s, **{"delivery.report.only.error": True})
        ready = self._ready()
        begun = time.perf_counter()
        for number, (topic, key, value, headers, at) in enumerate(_repeated(ready, self.total)):
            while True:
                try:
                    producer.produce(topic, value, key, timestamp=at, headers=headers)
                except BufferError:
                    producer.poll(0.01)
                    continue
                break
            if not number % _POLL_EVERY:
                producer.poll(0)
        assert not producer.flush(self.patience_s), "Kafka has not acknowledged all messages"
        return self.total / (time.perf_counter() - begun)

    def _kafka_python(self, connection: Connection) -> float:
        """Do the same with kafka-python, for a tenth of the messages."""
        ready, total = self._ready(), int(self.total * _SLOW_SHARE)
        producer = KafkaProducer(**connection.kafka_python(), acks="all", linger_ms=5)
        try:
            begun = time.perf_counter()
            sent = [
                producer.send(topic, value, key, headers=headers, timestamp_ms=at)
                for topic, key, value, headers, at in _repeated(ready, total)
            ]
            producer.flush(self.patience_s)
            seconds = time.perf_counter() - begun
            assert all(one.succeeded() for one in sent), "Kafka has not acknowledged all messages"
        finally:
            producer.close()
        return total / seconds

    def _ready(self) -> list["_Ready"]:
        at = time.time_ns() // 1_000_000
        stamp = (INTENDED, b"%d" % (1000 * at))
        found = islice(self.messages(), min(self.total, 100_000))
        return [(topic, key, value, [*headers, stamp], at) for topic, key, value, _, headers, _ in found]


_Ready = tuple[str, bytes | None, bytes, list[tuple[str, bytes]], int]


def _repeated(ready: Sequence[_Ready], total: int) -> "islice[_Ready]":
    return islice(chain.from_iterable(cycle([ready])), total)
