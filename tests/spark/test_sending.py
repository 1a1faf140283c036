"""Sending to a real broker: what arrives is what the ledger says, at the times that were meant; and what goes wrong is told."""

import json
import threading
import time

import pytest
from confluent_kafka import Consumer, TopicPartition
from kafka.partitioner.default import murmur2

from cluster.configuration import load
from cluster.lifecycle import Cluster
from cluster.processes import free_port
from core.errors import DataError, ServiceError
from datasets.__main__ import main
from datasets.sending import ledger as ledgers
from datasets.sending.ledger import Ledger
from datasets.sending.outcome import Outcome
from datasets.sending.sender import INTENDED, Sender
from datasets.topics.admin import administered, make_declared
from datasets.topics.connection import Connection
from datasets.topics.declared import topics
from tests.conftest import kafka_sets, kill

PARTITIONS = 4


@pytest.fixture(scope="module")
def broker(kafka):
    """The tests' broker with all topics."""
    with administered(Connection.of([kafka], {})) as admin:
        admin.make(list(topics().values()))
    return kafka


@pytest.fixture
def produced(broker, tmp_path, capsys):
    """Runs a producer; gives its status, its numbers, and what went to stderr."""

    def run(*words):
        result = tmp_path / "result.json"
        status = main(["produce", *words, "--brokers", broker, "--result", str(result)])
        return status, json.loads(result.read_text()), capsys.readouterr().err

    return run


def read(broker, topic, first):
    """Messages from these offsets of each partition to its end."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "tests", "enable.auto.commit": False})
    found = []
    try:
        for partition in range(PARTITIONS):
            place = TopicPartition(topic, partition, first[partition])
            left = consumer.get_watermark_offsets(place, timeout=10)[1] - first[partition]
            if left:
                consumer.assign([place])
            while left > 0:
                batch = consumer.consume(left, timeout=10)
                assert batch
                found += batch
                left -= len(batch)
    finally:
        consumer.close()
    return found


def ends(broker, topic):
    with administered(Connection.of([broker], {})) as admin:
        return {one.partition: one.end for one in admin.held([topic])}


def test_what_the_ledger_says_is_what_arrived(broker, produced, tmp_path):
    file, before = tmp_path / "ledger.jsonl", ends(broker, "users")
    status, result, _ = produced(
        "users", "--total", "3000", "--bad", "0.1", "--seed", "3", "--ledger", str(file)
    )
    assert status == 0
    assert (result["acknowledged"], result["failed"], result["refused"]) == (3000, 0, 0)
    found = read(broker, "users", before)
    offsets = ledgers.read(file)
    assert {("users", one.partition(), one.offset()) for one in found} == {
        (*place, offset) for place, ranges in offsets.items() for a, b in ranges for offset in range(a, b + 1)
    }
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    bad = {
        (kind, line["partition"], offset)
        for line in lines
        for kind, ranges in line["bad"].items()
        for a, b in ranges
        for offset in range(a, b + 1)
    }
    assert {kind: sum(one[0] == kind for one in bad) for kind in result["bad"]} == result["bad"]
    assert sum(result["bad"].values()) == pytest.approx(300, rel=0.2)
    keyless = {("null-key", one.partition(), one.offset()) for one in found if one.key() is None}
    assert keyless == {one for one in bad if one[0] == "null-key"}
    assert {
        one.partition()
        for one in found
        if one.key() and one.partition() != (murmur2(one.key()) & 0x7FFFFFFF) % PARTITIONS
    } == set()


def test_messages_carry_the_time_at_which_they_were_due(broker, produced):
    before = ends(broker, "movies")
    status, result, _ = produced("movies", "--rate", "500", "--total", "400")
    assert status in (0, 1)  # a busy machine may not reach any rate; nothing is left out
    assert result["acknowledged"] == 400
    assert result["asked_per_s"] == pytest.approx(500)
    assert set(result["publish_delay_s"]) == {"p50", "p99", "max"}
    found = sorted(
        read(broker, "movies", before), key=lambda one: int(json.loads(one.value())["id"].split("-")[1])
    )
    intended = [int(dict(one.headers())[INTENDED]) for one in found]
    assert [one - intended[0] for one in intended] == [pytest.approx(2000 * n, abs=2) for n in range(400)]
    assert [one.timestamp()[1] for one in found] == [one // 1000 for one in intended]


def test_a_rate_that_cannot_be_reached_is_told_and_everything_is_sent(produced):
    status, result, told = produced("series", "--rate", "20e6", "--total", "20000")
    assert status == 1
    assert result["acknowledged"] == 20_000
    assert [name for name in ("20,000,000", "p50", "p99", "late") if name not in told] == []


def test_messages_that_are_too_large_are_refused_named_and_counted(broker):
    large, small, edge = (b"x" * size for size in (2**21, 2, 2**20 - 700))
    told = [("ce_id", b"e" * 300)]
    values = [(small, None), (large, None), (large, "large"), (edge, None)]
    sender = Sender(Connection.of([broker], {}), ["events"], None, 20)
    sent = sender.rushed(("events", b"wren", value, 0.0, told, bad) for value, bad in values)
    assert (sent.acknowledged, sent.failed, sent.refused, sent.bad) == (2, 0, 1, {"large": 1})
    with pytest.raises(DataError, match=r"events 'wren' of 2,097,156 bytes"):
        Outcome("events", paced=False, sent=sent, patience_s=20).check()


def test_a_missing_topic_is_named(broker):
    with pytest.raises(ServiceError, match=r"no topic nowhere: make topics"):
        Sender(Connection.of([broker], {}), ["events", "nowhere"], None, 5)


def test_a_broker_that_dies_in_the_middle_is_told_and_what_it_acknowledged_is_kept(tmp_path):
    cluster = Cluster(load(kafka_sets(tmp_path / "run"), {}))
    ledger = Ledger()
    try:
        cluster.up({"kafka"})
        (address,) = cluster.endpoint("kafka")
        connection = Connection.of([address], {})
        with administered(connection) as admin:
            admin.make([topics()["events"]])
        sender = Sender(connection, ["events"], ledger, 2.0)
        endless = (("events", b"%d" % n, b"{}", n / 2000, [], None) for n in range(10**9))
        run = threading.Thread(target=sender.paced, args=[endless])
        run.start()
        while not ledger.lines():
            time.sleep(0.02)
        kill(cluster, "kafka-1")
        run.join(60)
        assert not run.is_alive()
    finally:
        cluster.down()
    sent = sender.sent
    assert sent.failed > 0
    assert sum(line["acknowledged"] for line in ledger.lines()) == sent.acknowledged > 0
    with pytest.raises(ServiceError, match=rf"{sent.acknowledged:,} messages and not {sent.failed:,} others"):
        Outcome("events", paced=True, sent=sent, patience_s=2.0).check()


@pytest.mark.parametrize(
    "start", [lambda to: Sender(to, ["events"], None, 5), make_declared], ids=["producer", "stream"]
)
def test_without_a_broker_neither_starts_and_both_say_what_to_do(start):
    """A stream's application begins with its topics."""
    port = free_port("127.0.0.1")
    with pytest.raises(ServiceError, match=rf"127.0.0.1:{port} .*make setup KAFKA=1 starts it"):
        start(Connection.of([f"127.0.0.1:{port}"], {}))
