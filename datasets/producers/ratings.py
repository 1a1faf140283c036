"""Ratings of any source, sent again in the order in which they were given."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import orjson

from datasets.producer import Asked, Message, Supply
from datasets.sending.replays import Replay, interactions


@dataclass(frozen=True)
class Ratings:
    """All interactions of a data set, each once. `timestamp` is the time of the replay, `rated_at` the original."""

    about: ClassVar[str] = "interactions of a data set in order of time"
    topics: ClassVar[tuple[str, ...]] = ("ratings",)
    poisson: ClassVar[bool] = False
    replays: ClassVar[bool] = True

    def supply(self, asked: Asked) -> Supply:
        replay = interactions(asked)
        (topic,) = self.topics

        def messages(start_ms: int, times: Iterator[float]) -> Iterator[Message]:
            prefix = f"r{asked.seed}-{start_ms}-"
            rows = replay.rows("user", "item", "rating", "at")
            for number, ((user, item, rating, at), due) in enumerate(zip(rows, times, strict=False), 1):
                found = {"id": f"{prefix}{number}", "user": user, "item": item}
                if rating is not None:
                    found["rating"] = rating
                found["timestamp"] = start_ms + int(due * 1000)
                if at is not None:
                    found["rated_at"] = at
                yield topic, user.encode(), orjson.dumps(found), due, [], None

        return Supply(replay.count, messages, lambda: _times(replay, asked.speed or 1.0))


def _times(replay: Replay, speed: float) -> Iterator[float]:
    """Yield the seconds since the first interaction, divided by the speed; those without a time come at once."""
    first = None
    for (at,) in replay.rows("at"):
        first = at if first is None else first
        yield 0.0 if at is None else (at - first) / 1000 / speed


PRODUCER = Ratings
