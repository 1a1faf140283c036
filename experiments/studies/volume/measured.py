"""Sizes of what the streams have written, in Kafka, in the lake and in Cassandra."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cluster.lifecycle import Cluster
from core.errors import UsageError
from datasets.publishers.lake import delta_log
from datasets.topics.admin import administered
from datasets.topics.connection import Connection as ToKafka
from datasets.topics.declared import topics
from experiments.run.stores import spark_settings_of
from jobs.stores.cassandra.access import Connection, Keyspace, disconnect
from jobs.stores.cassandra.feedback import KEYSPACE
from jobs.streaming.tables import Table
from jobs.streams.feedback import TOPICS as WRITTEN

KAFKA, LAKE, CASSANDRA = "Kafka", "lake", "Cassandra"
PLACES = (KAFKA, LAKE, CASSANDRA)

_POLL_S, _LONGEST_S = 1.0, 30.0
_FLUSH_MS = 500


class Size(NamedTuple):
    """Messages of a topic in a place, and the bytes that they take there on disk, all copies together."""

    topic: str
    place: str
    messages: int
    bytes: int


def measured(cluster: Cluster, run_dir: Path) -> list[Size]:
    """Measure every topic that has messages, in each place that can be seen from here.

    Raises:
        UsageError: there are no messages anywhere.
        ServiceError: Kafka runs and does not answer.
    """
    found = [*_in_kafka(cluster), *in_lake(run_dir / "lake"), *_in_cassandra(cluster, run_dir)]
    if not any(size.messages for size in found):
        raise UsageError(
            "nothing is stored that could be measured: start Kafka (make setup KAFKA=1), send messages (python -m datasets "
            "produce ratings) and let the streams write them (make stream NAME=lake)"
        )
    return [size for size in found if size.messages]


def _in_kafka(cluster: Cluster) -> Iterator[Size]:
    addresses = cluster.endpoint("kafka")
    if not addresses:
        return
    with administered(ToKafka.of(addresses)) as broker:
        there = broker.names() & set(topics())
        messages = dict.fromkeys(there, 0)
        for held in broker.held(there):
            messages[held.topic] += held.end - held.first
        sizes = broker.sizes(there)
    yield from (Size(name, KAFKA, messages[name], sizes[name]) for name in sorted(there))


def in_lake(lake: Path) -> Iterator[Size]:
    """Yield each table's newest version: its files, which are compressed, without the versions before it."""
    for name in sorted(topics()):
        table = Table.of(lake, name).path
        if (table / delta_log.LOG).is_dir():
            files = delta_log.live(table, delta_log.newest(table)).values()
            yield Size(name, LAKE, sum(one.rows or 0 for one in files), sum(one.size for one in files))


def _in_cassandra(cluster: Cluster, run_dir: Path) -> Iterator[Size]:
    """Yield the tables of what people did: all bytes of the nodes' files here over the messages that the lake has of these topics."""
    folders = list((run_dir / "cassandra").glob(f"*/data/{KEYSPACE}"))
    messages = {size.topic: size.messages for size in in_lake(run_dir / "lake") if size.topic in WRITTEN}
    total = sum(messages.values())
    if not folders or not total:
        return
    with _written_out(cluster):
        size = _settled(folders)
    yield from (Size(name, CASSANDRA, count, size * count // total) for name, count in messages.items())


@contextmanager
def _written_out(cluster: Cluster) -> Iterator[None]:
    """Have nodes that run write to their files what they hold in memory, which they would do when it has grown.

    CQL has no command for it: the tables are told to do so again and again, and afterwards not to.
    """
    nodes = cluster.endpoint("cassandra")
    if not nodes:
        yield
        return
    where = Connection.of(spark_settings_of("cassandra", cluster.settings, nodes, ""))
    keyspace = Keyspace(where, KEYSPACE)
    found = keyspace.run("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [KEYSPACE])

    def every(milliseconds: int) -> None:
        for row in found:
            keyspace.run(
                f"ALTER TABLE {KEYSPACE}.{row['table_name']} WITH memtable_flush_period_in_ms = {milliseconds}"
            )

    try:
        every(_FLUSH_MS)
        time.sleep(2 * _FLUSH_MS / 1000)
        yield
    finally:
        every(0)
        disconnect(where)


def _settled(folders: list[Path]) -> int:
    """Return the bytes below folders once they stay the same for a second: nodes write and merge files by themselves."""
    end = time.perf_counter() + _LONGEST_S
    before, now = -1, _bytes(folders)
    while now != before and time.perf_counter() < end:
        time.sleep(_POLL_S)
        before, now = now, _bytes(folders)
    return now


def _bytes(folders: list[Path]) -> int:
    total = 0
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                total += path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:  # merged into another file meanwhile
                continue
    return total
