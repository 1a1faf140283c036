"""Three brokers in containers, three copies of each message: one is killed, nothing is lost, and a stream in containers reads it all."""

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer

from cluster.lifecycle import Cluster
from datasets.topics.admin import administered
from datasets.topics.connection import Connection
from datasets.topics.declared import topic
from experiments.studies.volume.measured import in_lake
from tests.containers.conftest import docker
from tests.e2e.place import Place

pytestmark = pytest.mark.timeout(900)
BROKERS = ("kafka.brokers=3", "kafka.heap=256m")
NAMES = ["kafka-1", "kafka-2", "kafka-3"]


def send(addresses, numbers):
    """Send these numbers and return how many were acknowledged."""
    acknowledged = []
    producer = Producer(
        {**Connection.of(addresses, {}).librdkafka(), "acks": "all", "message.timeout.ms": 60_000}
    )
    for number in numbers:
        producer.produce(
            "ratings", str(number), str(number), on_delivery=lambda error, _: acknowledged.append(error)
        )
    assert producer.flush(90) == 0
    return acknowledged.count(None)


def received(addresses):
    options = Connection.of(addresses, {}).kafka_python()
    consumer = KafkaConsumer("ratings", **options, auto_offset_reset="earliest", consumer_timeout_ms=5000)
    found = sorted(int(message.value) for message in consumer)
    consumer.close()
    return found


def test_a_broker_of_three_that_is_killed_costs_no_message(containers):
    containers.cluster("up", "kafka", sets=BROKERS)
    cluster = Cluster(containers.settings)
    addresses = cluster.endpoint("kafka")
    assert (containers.names(), len(addresses)) == (NAMES, 3)
    with administered(Connection.of(addresses, {})) as broker:
        assert broker.make([topic("ratings")]) == ["ratings"]
    assert send(addresses, range(1000)) == 1000
    docker("kill", "--signal", "KILL", "kafka-2")
    assert send(addresses, range(1000, 2000)) == 1000
    assert received(addresses[:1]) == list(range(2000))
    # The same command starts it again with the messages that it had; fewer brokers are refused, for these lie on three.
    assert "kafka-2 is ready" in containers.cluster("up", "kafka", sets=BROKERS)
    assert received(Cluster(containers.settings).endpoint("kafka")[1:2]) == list(range(2000))
    # A stream whose driver and workers are containers too finds them all: numbers are no ratings.
    Place(containers.run_dir.parent, [*containers.sets, *BROKERS, "spark.workers=1"], kept=()).run(
        "stream", "lake", "--drain", "--set", "lake.topics=ratings"
    )
    found = {size.topic: size.messages for size in in_lake(containers.run_dir / "lake")}
    assert found == {"ratings": 0, "dead-letters": 2000}
    containers.cluster("down")
    said = containers.cluster("up", "kafka", code=3, sets=("kafka.brokers=1",))
    assert "kafka-1, kafka-2, kafka-3" in said
    assert "KAFKA=3" in said
