"""Deliberately bad messages for drills: some good ones are made wrong, drawn from a seed."""

import random
from collections.abc import Callable, Iterator, Sequence

import orjson

from core.errors import UsageError
from core.options import nearest
from datasets.producer import Message
from datasets.topics.declared import schema

_LATE_MS = 7_200_000
_FAR_MS = 4_070_908_800_000  # 2099-01-01
_LARGE = 2 * 1024 * 1024
_REMEMBERED = 1000

KINDS = (
    *("malformed", "wrong-type", "missing-field", "null-key", "future", "duplicate", "late"),
    *("epoch", "extra-field", "large"),
)
"""All kinds. Duplicate, late, epoch and extra-field are good messages at a bad time or with more in them; a large one is refused
before it is sent; the others belong to the dead letters."""

USUAL = KINDS[:7]
"""Kinds that are drawn unless others are named."""


def chosen(text: str | None) -> tuple[str, ...]:
    """Read the kinds of a command line, between commas.

    Raises:
        UsageError: one is unknown.
    """
    names = tuple(text.split(",")) if text else USUAL
    for name in names:
        if name not in KINDS:
            raise UsageError(f"--bad-kinds: unknown kind {name!r}: {nearest(name, KINDS)}")
    return names


def spoiled(messages: Iterator[Message], share: float, kinds: Sequence[str], seed: int) -> Iterator[Message]:
    """Return messages among which bad ones stand in the place of some.

    Args:
        messages: good ones.
        share: of those that are replaced, 0 to 1.
        kinds: that are drawn, each as often.
        seed: of which, and how.
    """
    return _some_spoilt(messages, share, kinds, seed) if share else messages


def _some_spoilt(
    messages: Iterator[Message], share: float, kinds: Sequence[str], seed: int
) -> Iterator[Message]:
    draw = random.Random(f"bad {seed}").random  # noqa: S311 - not for secrets
    earlier: list[Message] = []
    for message in messages:
        if draw() >= share:
            if len(earlier) < _REMEMBERED:
                earlier.append(message)
            else:
                earlier[int(draw() * _REMEMBERED)] = message
            yield message
            continue
        kind = kinds[int(draw() * len(kinds))]
        topic, key, value, due, headers, _ = message
        if kind == "duplicate":
            if not earlier:
                yield message
                continue
            topic, key, value, _, headers, _ = earlier[int(draw() * len(earlier))]
        yield (
            topic,
            None if kind == "null-key" else key,
            _spoilt(kind, value, topic, draw),
            due,
            headers,
            kind,
        )


def _spoilt(kind: str, value: bytes, topic: str, draw: Callable[[], float]) -> bytes:
    """Return the value of a message of a kind that is made of a good one."""
    if kind in ("duplicate", "null-key"):
        return value
    if kind == "malformed":
        return value[: 1 + int(draw() * (len(value) - 2))]
    found = orjson.loads(value)
    required = schema(topic)["required"]
    name = required[int(draw() * len(required))]
    if kind == "missing-field":
        del found[name]
        return orjson.dumps(found)
    changed = {
        "wrong-type": {name: {"wrong": True}},  # no field is an object
        "future": {"timestamp": _FAR_MS},
        "late": {"timestamp": found["timestamp"] - _LATE_MS},
        "epoch": {"timestamp": 0},
        "extra-field": {"unexpected": {"nested": [1, 2]}},
        "large": {"padding": "x" * _LARGE} if kind == "large" else {},
    }
    return orjson.dumps(found | changed[kind])
