"""Times of messages as Kafka keeps them: when each was to be sent, and which was the first since a time."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
from confluent_kafka import Consumer, KafkaException, TopicPartition

from core.errors import ServiceError
from datasets.topics.connection import Connection

_ANSWER_S = 20.0
_AT_ONCE = 10_000
_SILENT_S = 20.0


def sent_times(
    connection: Connection, ranges: Mapping[tuple[str, int], tuple[int, int]]
) -> dict[tuple[str, int], np.ndarray]:
    """Return the seconds since 1970 at which messages were to be sent, in the order of their offsets.

    Args:
        connection: way to the brokers.
        ranges: first offset and the one after the last, by topic and partition.

    Raises:
        ServiceError: the brokers do not give them all.
    """
    consumer = Consumer(
        {
            **connection.librdkafka(),
            "group.id": "recscale-times",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
            "auto.offset.reset": "error",
            "check.crcs": False,
            # By default it waits for a second whenever a hundred thousand messages lie in its queue.
            "queued.min.messages": 1_000_000,
            "fetch.queue.backoff.ms": 0,
        }
    )
    try:
        return {place: _of(consumer, place, *ends) for place, ends in ranges.items()}
    except KafkaException as error:
        raise ServiceError(
            f"Kafka does not give the messages again: {error}; see its log (make logs S=kafka-1)"
        ) from error
    finally:
        consumer.close()


def _of(consumer: Consumer, place: tuple[str, int], first: int, end: int) -> np.ndarray:
    found = np.zeros(end - first)
    consumer.assign([TopicPartition(*place, first)])
    left, heard = end - first, time.monotonic()
    while left > 0:
        for message in consumer.consume(min(_AT_ONCE, left), timeout=1.0):
            if message.error():
                raise KafkaException(message.error())
            offset = message.offset()
            if offset < end:
                found[offset - first] = message.timestamp()[1] / 1000
                left -= 1
            heard = time.monotonic()
        if time.monotonic() - heard > _SILENT_S:
            raise ServiceError(
                f"Kafka gave {end - first - left:,} of {end - first:,} messages of {place[0]} {place[1]} and then none for "
                f"{_SILENT_S:.0f} s: see its log (make logs S=kafka-1)"
            )
    return found


def first_since(
    connection: Connection, topic: str, partitions: Sequence[int], since_ms: int
) -> dict[int, int]:
    """Return for each partition the offset of the first message that was sent at a time or after it; one without any is left out.

    Args:
        connection: way to the brokers.
        topic: whose messages.
        partitions: that are asked for.
        since_ms: in milliseconds since 1970.

    Raises:
        ServiceError: the brokers do not answer.
    """
    if not partitions:
        return {}
    consumer = Consumer(
        {**connection.librdkafka(), "group.id": "recscale-times", "enable.auto.commit": False}
    )
    try:
        asked = [TopicPartition(topic, partition, since_ms) for partition in partitions]
        found = consumer.offsets_for_times(asked, timeout=_ANSWER_S)
    except KafkaException as error:
        raise ServiceError(
            f"Kafka does not say where {topic} was at a time: {error}; see its log (make logs S=kafka-1)"
        ) from error
    finally:
        consumer.close()
    if failed := [one for one in found if one.error is not None]:
        raise ServiceError(
            f"Kafka does not say where {topic} {failed[0].partition} was at a time: {failed[0].error}; see its log (make logs S=kafka-1)"
        )
    return {one.partition: one.offset for one in found if one.offset >= 0}
