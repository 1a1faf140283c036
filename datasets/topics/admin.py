"""Make topics in Kafka, and ask what they hold."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from core.errors import ServiceError
from datasets.topics.connection import Connection
from datasets.topics.declared import Topic, topics

_TIMEOUT_MS = 20_000
_POLL_S = 0.05


@dataclass(frozen=True)
class Held:
    """Messages of one partition: those from `first` to before `end`."""

    topic: str
    partition: int
    first: int
    end: int


class Broker:
    """Kafka's brokers, as one who administers topics sees them."""

    def __init__(self, connection: Connection, admin: KafkaAdminClient, consumer: KafkaConsumer) -> None:
        self.connection, self._admin, self._consumer = connection, admin, consumer

    def names(self) -> set[str]:
        """Return the names of the topics that there are, but Kafka's own."""
        return {name for name in self._admin.list_topics() if not name.startswith("__")}

    def make(self, wanted: Collection[Topic]) -> list[str]:
        """Make the topics that are not there yet, with the copies that the brokers have as default; return their names."""
        there = self.names()
        made = []
        for topic in wanted:
            if topic.name in there:
                continue
            new = NewTopic(
                topic.name, topic.partitions, -1, topic_configs={"retention.ms": str(topic.retention_ms)}
            )
            try:
                self._admin.create_topics([new], timeout_ms=_TIMEOUT_MS)
            except TopicAlreadyExistsError:  # another command was faster
                continue
            made.append(topic.name)
        self._await(made)
        return made

    def _await(self, made: Collection[str]) -> None:
        """Wait until brokers that are asked for new topics know them."""
        end = time.perf_counter() + _TIMEOUT_MS / 1000
        while missing := set(made) - self.names():
            if time.perf_counter() > end:
                raise ServiceError(
                    f"Kafka made the topics {', '.join(sorted(missing))} but does not list them after {_TIMEOUT_MS / 1000:.0f} s: "
                    "read the brokers' logs (make logs S=kafka-1), then run it again"
                )
            time.sleep(_POLL_S)

    def held(self, names: Collection[str]) -> list[Held]:
        """Return what each partition of these topics holds now, in order."""
        partitions = [
            TopicPartition(name, number)
            for name in sorted(names)
            for number in sorted(self._consumer.partitions_for_topic(name) or ())
        ]
        if not partitions:
            return []
        first, end = self._consumer.beginning_offsets(partitions), self._consumer.end_offsets(partitions)
        return [Held(one.topic, one.partition, first[one], end[one]) for one in partitions]

    def sizes(self, names: Collection[str]) -> dict[str, int]:
        """Return the bytes that each of these topics takes on the brokers' disks, all copies together.

        Raises:
            ServiceError: a broker's disk cannot be read.
        """
        found = dict.fromkeys(sorted(names), 0)
        for broker in self._admin.describe_log_dirs(list(found)):
            for folder in broker["log_dirs"]:
                if folder["error_code"]:
                    raise ServiceError(
                        f"the broker {broker['broker']} cannot read {folder['log_dir']} (Kafka's error {folder['error_code']}): "
                        "read its log (make logs S=kafka-1)"
                    )
                for topic in folder["topics"]:
                    found[topic["name"]] += sum(part["partition_size"] for part in topic["partitions"])
        return found

    def identities(self, names: Collection[str]) -> dict[str, str]:
        """Return the identifier that Kafka gave each of these topics when it was made: a topic made anew has another."""
        found: list[dict[str, Any]] = self._admin.describe_topics(sorted(names))
        return {one["name"]: str(one["topic_id"]) for one in found}


@contextmanager
def administered(connection: Connection) -> Iterator[Broker]:
    """Give the brokers for administration.

    Raises:
        ServiceError: none answers, or they refuse what was asked.
    """
    given = {**connection.kafka_python(), "bootstrap_timeout_ms": _TIMEOUT_MS}
    shown = ", ".join(connection.addresses)
    try:
        admin = KafkaAdminClient(**given)
        try:
            consumer = KafkaConsumer(**given)
            try:
                yield Broker(connection, admin, consumer)
            finally:
                consumer.close()
        finally:
            admin.close()
    except (KafkaError, OSError) as error:
        raise ServiceError(
            f"Kafka at {shown} does not do what was asked: {error or type(error).__name__}. See that it runs (make status, make "
            "logs S=kafka-1; make setup KAFKA=1 starts it), and that KAFKA_USER, KAFKA_PASSWORD and KAFKA_CA are what it asks for"
        ) from error


def make_declared(connection: Connection, partitions: int | None = None) -> list[str]:
    """Make every declared topic that is not there yet; return the names of those.

    Args:
        connection: way to the brokers.
        partitions: of each topic, instead of those that are declared.

    Raises:
        ServiceError: as of `administered`.
    """
    wanted = topics().values()
    with administered(connection) as broker:
        return broker.make([replace(one, partitions=partitions or one.partitions) for one in wanted])
