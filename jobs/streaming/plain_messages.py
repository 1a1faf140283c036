"""Messages of a topic read and parsed in the driver: for a few, planning a Spark job takes ten times as long as all else.

Only a message that is good beyond doubt is parsed here. Whatever is not that plain, bad or only unusual, is for `jobs.streaming.messages` to
judge, so there is one rule for what is good.
"""

import json
import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from datasets.topics.connection import Connection
from datasets.topics.declared import Topic
from jobs.streaming.messages import TIMES, kinds
from jobs.streaming.offsets import Range

_GROUP = "recscale-driver"
"""Name that a consumer must have; it commits nothing and joins no group."""

_EXACT = 2**53
_LAST_MS = 253_402_300_799_999
_POLL_S = 0.05
_SETTINGS = {
    "group.id": _GROUP,
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    "fetch.wait.max.ms": 100,
    "queued.max.messages.kbytes": 4096,
    "log_level": 0,
}


class Plain(NamedTuple):
    """A good message: its place, and its fields, of which those that it lacks are missing."""

    partition: int
    offset: int
    fields: Mapping[str, Any]


class Raw(NamedTuple):
    """A message as Kafka has it."""

    offset: int
    key: bytes | None
    value: bytes | None
    sent_ms: int


class Feed:
    """Messages of a topic by their offsets, fetched before they are asked for as long as the ranges follow each other."""

    def __init__(self, connection: Connection, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer({**connection.librdkafka(), **_SETTINGS})
        self._held: dict[int, deque[Raw]] = {}
        self._next: dict[int, int] = {}

    def read(self, ranges: Sequence[Range], patience_s: float) -> dict[int, list[Raw]] | None:
        """Return the messages of ranges by partition; None if not all have come in time, or one is gone."""
        wanted = {one.partition: one for one in ranges if one.count}
        if any(self._next.get(partition) != one.first for partition, one in wanted.items()):
            self._begin({**self._next, **{partition: one.first for partition, one in wanted.items()}})
        end = time.monotonic() + patience_s
        while any(self._lacks(one) for one in wanted.values()):
            message = self._consumer.poll(_POLL_S)
            if message is not None and message.error() is not None:
                break
            if message is not None:
                raw = Raw(message.offset(), message.key(), message.value(), message.timestamp()[1])
                self._held[message.partition()].append(raw)
            if time.monotonic() > end:
                break
        found = {partition: self._taken(one) for partition, one in wanted.items()}
        if all(len(found[partition]) == one.count for partition, one in wanted.items()):
            return found
        self._next = {}  # begins anew with the next ranges
        return None

    def close(self) -> None:
        """Leave the brokers."""
        with suppress(RuntimeError):
            self._consumer.close()

    def _begin(self, at: Mapping[int, int]) -> None:
        self._held = {partition: deque() for partition in at}
        self._next = dict(at)
        self._consumer.assign([TopicPartition(self._topic, *place) for place in at.items()])

    def _lacks(self, one: Range) -> bool:
        held = self._held[one.partition]
        return not held or held[-1].offset < one.end - 1

    def _taken(self, one: Range) -> list[Raw]:
        held, found = self._held[one.partition], []
        while held and held[0].offset < one.end:
            found.append(held.popleft())
        self._next[one.partition] = one.end
        return found


class PlainParser:
    """Parses messages of a topic that are good beyond doubt."""

    def __init__(self, topic: Topic, schema: Mapping[str, Any], skew_s: float) -> None:
        self._key, self._skew_ms = topic.key, round(skew_s * 1000)
        self._kinds, self._declared = kinds(schema), schema["properties"]
        self._required = frozenset(schema.get("required", ())) & self._kinds.keys()

    def parsed(self, raw: Raw, now_ms: int) -> Mapping[str, Any] | None:
        """Return the fields of a message, None if there is any doubt that `jobs.streaming.messages` takes it with these values.

        Args:
            raw: the message.
            now_ms: time at which it is judged, in milliseconds since 1970.
        """
        fields = _object(raw.value)
        if fields is None or not self._required <= fields.keys():
            return None
        if self._key and (raw.key is None or raw.key != str(fields.get(self._key)).encode()):
            return None
        latest = min(raw.sent_ms, now_ms) + self._skew_ms
        good = all(
            name in self._kinds and self._is_good(name, value, latest) for name, value in fields.items()
        )
        return fields if good else None

    def _is_good(self, name: str, value: Any, latest_ms: int) -> bool:
        kind, declared = self._kinds[name], self._declared[name]
        if kind == "string":
            return isinstance(value, str) and value in declared.get("enum", (value,))
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole or (kind == "number" and isinstance(value, float))) or kind not in (
            "integer",
            "number",
        ):
            return False
        if not abs(value) < _EXACT or value not in declared.get("enum", (value,)):
            return False
        if name in TIMES:
            return bool(0 <= value <= min(latest_ms, _LAST_MS))
        return bool(declared.get("minimum", -math.inf) <= value <= declared.get("maximum", math.inf))


def _object(value: bytes | None) -> dict[str, Any] | None:
    """Return a JSON object of plain values whose names all differ, None for anything else."""
    if value is None:
        return None
    try:
        found = json.loads(value.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    texts = [one for one in (*found, *found.values()) if isinstance(one, str)]
    # Halves of a pair of UTF-16 are no text that can be written again; a NUL ends a text elsewhere.
    return None if any("\0" in one or _has_halves(one) for one in texts) else found


def _has_halves(text: str) -> bool:
    return any("\ud800" <= one <= "\udfff" for one in text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _refused(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
