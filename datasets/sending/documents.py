"""Supplies of invented documents: one JSON object a message, its key the field `id`."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from datasets.producer import Message, Supply


def documents(
    topics: tuple[str, ...], kind: str, seed: int, fields: Callable[[int], Iterator[dict[str, Any]]]
) -> Supply:
    """Return endless documents with the ids KINDSEED-1, KINDSEED-2, ...

    Args:
        topics: the one that they go to.
        kind: beginning of their ids.
        seed: from which they are drawn; it is in the ids, so that documents of different seeds do not replace each other.
        fields: makes the other fields of all documents, for the time of the first one (milliseconds since 1970).
    """
    (topic,) = topics

    def messages(start_ms: int, times: Iterator[float]) -> Iterator[Message]:
        prefix = f"{kind}{seed}-"
        for number, (due, document) in enumerate(zip(times, fields(start_ms), strict=False), 1):
            key = f"{prefix}{number}"
            whole = {"id": key, "timestamp": start_ms + int(due * 1000), **document}
            yield topic, key.encode(), orjson.dumps(whole), due, [], None

    return Supply(None, messages)
