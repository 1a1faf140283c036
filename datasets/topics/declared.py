"""The topics that there are: `topics.toml`, and one JSON Schema for the messages of each."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.errors import UsageError
from core.options import nearest, parse
from core.units import duration

DEAD_LETTERS = "dead-letters"
"""The topic of copies of messages that could not be read; it has no schema."""

_DECLARED = Path(__file__).with_name("topics.toml")
_SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"


@dataclass(frozen=True)
class Topic:
    """A topic of Kafka.

    Attributes:
        about: what its messages are.
        key: field of a message that is its key too; empty for a topic without one.
        partitions: that it is made with.
        retention: how long messages stay, as "168h".
    """

    name: str
    about: str
    key: str
    partitions: int
    retention: str

    @property
    def retention_ms(self) -> int:
        """Milliseconds that messages stay."""
        return round(1000 * duration(self.retention, f"retention of the topic {self.name}"))


@cache
def topics() -> Mapping[str, Topic]:
    """Return every declared topic by its name.

    Raises:
        UsageError: a key of the file is unknown, or a value is not allowed.
    """
    found = tomllib.loads(_DECLARED.read_text(encoding="utf-8"))
    declared = {
        name: parse(Topic, {"name": name, **values}, f"topic {name}") for name, values in found.items()
    }
    for topic in declared.values():
        if topic.partitions < 1 or not topic.retention_ms:
            raise UsageError(f"topic {topic.name}: partitions must be 1 or more, got {topic.partitions}")
    return MappingProxyType(declared)


def topic(name: str) -> Topic:
    """Return a declared topic.

    Raises:
        UsageError: there is none of this name; the message gives the nearest.
    """
    if name not in topics():
        raise UsageError(f"unknown topic {name!r}: {nearest(name, topics())}")
    return topics()[name]


@cache
def schema(name: str) -> Mapping[str, Any]:
    """Return the JSON Schema of a topic's messages."""
    found: dict[str, Any] = json.loads((_SCHEMAS / f"{topic(name).name}.json").read_text(encoding="utf-8"))
    return found
