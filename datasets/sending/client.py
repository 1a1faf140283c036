"""Client that sends to Kafka, with the topics and limits that the brokers have now."""

from collections.abc import Collection, Mapping
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, ConfigResource

from core.errors import ServiceError
from datasets.topics.connection import Connection

_ANSWER_S = 15.0
_OVERHEAD = 256  # bytes of a batch around a single message

GUARANTEES: Mapping[str, Any] = {
    # Java's and kafka-python's hash: one user's messages lie in one partition, whoever sends them.
    "partitioner": "murmur2_random",
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 5,
    "queue.buffering.max.messages": 500_000,
    "queue.buffering.max.kbytes": 262_144,
}
"""Settings of every client. Messages are neither lost nor doubled nor out of order while the run goes on."""


def connected(connection: Connection, topics: Collection[str], patience_s: float, **settings: Any) -> Any:
    """Return a producer of confluent-kafka, after asking the brokers about its topics.

    It refuses messages that are larger than one of the topics takes.

    Args:
        connection: way to the brokers.
        topics: that are written to.
        patience_s: seconds after which a message that no broker has acknowledged counts as failed.
        settings: of the client, besides `GUARANTEES`.

    Raises:
        ServiceError: no broker answers, or a topic is missing.
    """
    options = {**connection.librdkafka(), "log_level": 0, "socket.connection.setup.timeout.ms": 5000}
    admin = AdminClient(options)
    try:
        there = admin.list_topics(timeout=min(_ANSWER_S, patience_s)).topics
    except KafkaException as error:
        shown = ", ".join(connection.addresses)
        raise ServiceError(
            f"Kafka at {shown} does not answer ({error.args[0].str()}): see that it runs (make status; make setup KAFKA=1 starts "
            "it), that --brokers or RECSCALE_KAFKA_BOOTSTRAP_SERVERS names it, and that KAFKA_USER, KAFKA_PASSWORD and KAFKA_CA "
            "are what it asks for"
        ) from error
    if missing := sorted(set(topics) - set(there)):
        raise ServiceError(
            f"Kafka has no topic {', '.join(missing)}: make topics makes all that are declared in datasets/topics/topics.toml"
        )
    return Producer(
        {
            **options,
            **GUARANTEES,
            "message.timeout.ms": round(1000 * patience_s),
            "message.max.bytes": _largest(admin, topics) - _OVERHEAD,
            **settings,
        }
    )


def _largest(admin: Any, topics: Collection[str]) -> int:
    """Return the bytes of the largest batch that all of these topics take."""
    resources = [ConfigResource("topic", name) for name in topics]
    try:
        answers = admin.describe_configs(resources, request_timeout=_ANSWER_S).values()
        return min(int(answer.result()["max.message.bytes"].value) for answer in answers)
    except KafkaException as error:
        raise ServiceError(
            f"Kafka does not tell how large messages of {', '.join(topics)} may be ({error.args[0].str()}): the user needs the right to "
            "describe topics"
        ) from error
