"""Events of people: like, dislike, watched, played, and `retract` of an earlier one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import UsageError
from datasets.producer import Asked, Message, Supply
from datasets.sending.cloud_events import CloudEvents
from datasets.sending.replays import Replay, interactions

_BLOCK = 1024
_REMEMBERED = 10_000
_KINDS = ("watched", "played", "like", "dislike", "retract")


@dataclass(frozen=True)
class Events:
    """Users and items of events are those of interactions that are drawn from a data set, so that active users and popular items come as often.

    A `like` is drawn for a rating above the middle of the data set's ratings, a `dislike` for one at or below; without ratings all are likes.

    Attributes:
        watched: share of events that say that something was watched, with the part that was seen as `value`.
        played: the same of what was heard.
        retract: share of events that take back one of the last 10,000, of the same user and item; each at most once. The rest are likes and dislikes.
    """

    watched: float = 0.4
    played: float = 0.25
    retract: float = 0.05

    about: ClassVar[str] = "like, dislike, watched, played and retract, distributed as a data set is"
    topics: ClassVar[tuple[str, ...]] = ("events",)
    poisson: ClassVar[bool] = True
    replays: ClassVar[bool] = False

    def supply(self, asked: Asked) -> Supply:
        shares = (self.watched, self.played, self.retract)
        if min(shares) < 0 or sum(shares) > 1:
            raise UsageError(
                f"watched, played and retract must be shares of 0 or more and 1 together at most, got {shares}"
            )
        crowd = _Crowd(interactions(asked))

        def messages(start_ms: int, times: Iterator[float]) -> Iterator[Message]:
            return self._drawn(crowd.drawn(asked.seed), f"e{asked.seed}-{start_ms}-", start_ms, times)

        return Supply(None, messages)

    def _drawn(
        self, crowd: "Iterator[_Draw]", prefix: str, start_ms: int, times: Iterator[float]
    ) -> Iterator[Message]:
        (topic,) = self.topics
        played, opinion = self.watched + self.played, 1.0 - self.retract
        earlier: list[tuple[str, str, str]] = []
        headers = CloudEvents()
        for number, (due, (drawn, item, liked, draw, share)) in enumerate(zip(times, crowd, strict=False), 1):
            key, at, user = f"{prefix}{number}", start_ms + int(due * 1000), drawn
            event: dict[str, Any] = {"id": key, "user": user, "item": item}
            if draw < played:
                kind = "watched" if draw < self.watched else "played"
                event["value"] = share
            elif draw < opinion or not earlier:
                kind = "like" if liked else "dislike"
            else:
                kind = "retract"
                place = int((draw - opinion) / self.retract * len(earlier))
                event["retracts"], user, event["item"] = earlier[place]
                event["user"] = user
                earlier[place] = earlier[-1]
                earlier.pop()
            event["type"], event["timestamp"] = kind, at
            if kind != "retract":
                _remember(earlier, (key, user, item), number)
            yield topic, user.encode(), orjson.dumps(event), due, headers.of(key.encode(), kind, at), None


_Draw = tuple[str, str, bool, float, float]
"""User, item, whether the rating is a liking one, and two numbers from 0 to 1, the second of two digits."""


class _Crowd:
    """Interactions from which events are drawn."""

    def __init__(self, replay: Replay) -> None:
        table = replay.table("user", "item").unify_dictionaries().combine_chunks()
        self._users, self._user = _words(table.column("user"))
        self._items, self._item = _words(table.column("item"))
        ratings = replay.table("rating").column("rating").cast("float64")
        middle = _middle(ratings)
        self._liked = pc.fill_null(pc.greater(ratings, middle), fill_value=True).to_numpy()

    def drawn(self, seed: int) -> Iterator[_Draw]:
        """Yield draws without end."""
        numbers = np.random.default_rng([seed % 2**64, 1])
        while True:
            rows = numbers.integers(len(self._user), size=_BLOCK)
            yield from zip(
                [self._users[one] for one in self._user[rows].tolist()],
                [self._items[one] for one in self._item[rows].tolist()],
                self._liked[rows].tolist(),
                numbers.random(_BLOCK).tolist(),
                (numbers.integers(100, size=_BLOCK) / 100).tolist(),
                strict=True,
            )


def _remember(earlier: list[tuple[str, str, str]], event: tuple[str, str, str], number: int) -> None:
    if len(earlier) < _REMEMBERED:
        earlier.append(event)
    else:
        earlier[number % _REMEMBERED] = event


def _words(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """Return the words of a column, and for each row the number of its word."""
    (chunk,) = column.chunks
    return chunk.dictionary.to_pylist(), chunk.indices.to_numpy()


def _middle(ratings: pa.ChunkedArray) -> float:
    """Return the middle between the lowest and the highest rating; not a number if there are none."""
    found = pc.min_max(ratings).as_py()
    return float("nan") if found["min"] is None else (found["min"] + found["max"]) / 2


PRODUCER = Events
