"""What tests of streams share: topics of their own, messages sent to them, and queries drained."""

import json
import time
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

from confluent_kafka import Producer

from datasets.topics import declared
from datasets.topics.admin import administered
from datasets.topics.connection import Connection
from jobs.runtime.phases import Events
from jobs.streaming.running import Group, Pace, Running
from jobs.streaming.stream import StreamContext

PARTITIONS = 2


def fresh_topics(broker: str, *names: str) -> None:
    """Make topics anew, whatever they held."""
    without_topics(broker, *names)
    with administered(Connection.of([broker], {})) as kafka:
        kafka.make([replace(declared.topic(name), partitions=PARTITIONS) for name in names])


def without_topics(broker: str, *names: str) -> None:
    """Remove topics, which another test of this broker may have made."""
    with administered(Connection.of([broker], {})) as kafka:
        there = kafka.names() & set(names)
        if there:
            kafka._admin.delete_topics(sorted(there))
        end = time.monotonic() + 20
        while kafka.names() & there:
            assert time.monotonic() < end
            time.sleep(0.05)


def send(broker: str, topic: str, messages, headers=()) -> None:
    """Send messages: (key, value) of bytes or None, each to the partition of its place."""
    producer = Producer({"bootstrap.servers": broker, "acks": "all"})
    for number, (key, value) in enumerate(messages):
        producer.produce(
            topic,
            value,
            key,
            partition=number % PARTITIONS,
            headers=list(headers) or None,
            timestamp=now_ms(),
        )
    assert producer.flush(20) == 0


def now_ms() -> int:
    return int(time.time() * 1000)


def rating(number: int, **changes) -> tuple[bytes, bytes]:
    """A good rating, as key and value."""
    value = {
        "id": f"r{number}", "user": f"u{number % 7}", "item": f"i{number % 5}", "rating": 3.5, "timestamp": now_ms(), "rated_at": 1000 * number,
    } | changes  # fmt: skip
    return str(value["user"]).encode(), json.dumps(value).encode()


def context_of(spark, broker, folder, stream, skew_s=300.0) -> StreamContext:
    folder.mkdir(parents=True, exist_ok=True)
    return StreamContext(
        stream, spark, Connection.of([broker], {}), folder, skew_s, Events(folder / "events.jsonl")
    )


@contextmanager
def started(stream, context, options=MappingProxyType({}), *, accept_loss=False, **pace):
    """Queries of a stream as they run."""
    context = replace(context, accept_loss=accept_loss)
    given = Pace(**{"trigger_s": 0.0, "drain": True, "backoff_s": 0.2, **pace})
    queries = stream.queries(context, stream.options(**options))
    with Group([Running(context, query, given) for query in queries]) as group:
        yield group


def drained(stream, context, options=MappingProxyType({}), **pace) -> None:
    """Run a stream until what was there is done."""
    with started(stream, context, options, **pace) as group:
        wait(group)


def wait(group, seconds=60) -> None:
    end = time.monotonic() + seconds
    while group.look():
        assert time.monotonic() < end, [one.place() for one in group.running]
        time.sleep(0.05)
