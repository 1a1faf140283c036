"""Supplies of invented documents: one JSON object a message, its key the field `id`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from datasets.producer import Message, Supply


def documents(topic: str, kind: str, seed: int, fields: Callable[[int], Mapping[str, Any]]) -> Supply:
    """Return endless documents with the ids KINDSEED-1, KINDSEED-2, ...

    Args:
        topic: that they go to.
        kind: the beginning of their ids.
        seed: from which they are drawn; it is in the ids, so that equal ids are equal documents.
        fields: makes the other fields for a time, milliseconds since 1970.
    """

    def messages(start_ms: int, times: Iterator[float]) -> Iterator[Message]:
        for number, due in enumerate(times, 1):
            at, key = start_ms + int(due * 1000), f"{kind}{seed}-{number}"
            document = {"id": key, "timestamp": at, **fields(at)}
            yield topic, key.encode(), orjson.dumps(document), due, []

    return Supply(None, messages)
