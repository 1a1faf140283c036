"""Meaning of what people say of items: how much of a preference it is, and whether items come back.

A preference of 1 is a like. One of p > 0 counts p times as much as a like; one of -p says with the confidence of p likes that there is
no preference. Whatever somebody said of an item, it is not recommended to them again.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from core.errors import UsageError
from jobs.engine.arrays import Floats
from jobs.engine.events import RATING, RETRACT, Event, later, standing

LIKE, DISLIKE = "like", "dislike"
OPINIONS = (LIKE, DISLIKE, RATING)
CONSUMED = ("watched", "played")
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Meanings:
    """Numbers of the table of meanings.

    | what | preference |
    |---|---|
    | `like`; a rating of `liked` or above; a row without a rating | 1 |
    | a rating between | `watched` |
    | `watched`, `played` | `watched` times the share of it, which is 1 where none is told |
    | `dislike`; a rating of `disliked` or below | -`dislike`; the `near` items nearest by content stay away too |

    Attributes:
        liked: rating from which on it is a like; None: every rating is one.
        disliked: rating up to which it is a dislike; None: none is.
        watched: preference for what was watched or played whole.
        dislike: confidence of a dislike.
        near: items that stay away with a disliked one.
        half_life_days: days after which an event counts half; 0: it counts whole for ever.
    """

    liked: float | None = None
    disliked: float | None = None
    watched: float = 0.5
    dislike: float = 1.0
    near: int = 10
    half_life_days: float = 0.0

    def __post_init__(self) -> None:
        for name in ("watched", "dislike", "near", "half_life_days"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise UsageError(f"{name} must be 0 or more, got {value}; set for example {name}=1")

    def of_ratings(self, ratings: Floats) -> Floats:
        """Return the preference of each rating, NaN for a row without one, as float32."""
        found = np.full(len(ratings), self.watched, dtype=np.float32)
        if self.disliked is not None:
            found[ratings <= self.disliked] = -self.dislike
        liked = -np.inf if self.liked is None else self.liked
        found[(ratings >= liked) | np.isnan(ratings)] = 1
        return found

    def of_event(self, event: Event) -> float:
        """Return the preference that an event says; 0 for one of a kind that says none."""
        if event.type == LIKE:
            return 1.0
        if event.type == DISLIKE:
            return -self.dislike
        if event.type == RATING:
            value = math.nan if event.value is None else event.value
            return float(self.of_ratings(np.array([value], dtype=np.float32))[0])
        if event.type in CONSUMED:
            share = 1.0 if event.value is None else min(max(event.value, 0.0), 1.0)
            return self.watched * share
        return 0.0

    def preferences(self, events: Iterable[Event], now: dt.datetime) -> dict[str, tuple[float, bool]]:
        """Return one user's preference for each item that their events name, and whether it is an opinion, whatever the order of the events.

        Args:
            events: all of one user.
            now: time at which the preferences count; events of a later time count whole.
        """
        return {
            item: (self._aged(event, now), event.type in OPINIONS) for item, event in counting(events).items()
        }

    def _aged(self, event: Event, now: dt.datetime) -> float:
        preference = self.of_event(event)
        if not self.half_life_days:
            return preference
        age = max(now - event.at, dt.timedelta()) / _DAY
        return preference * math.pow(0.5, age / self.half_life_days)


def counting(events: Iterable[Event]) -> Mapping[str, Event]:
    """Return for each item the event that counts: the latest opinion, and where there is none, the latest of the others.

    Later is what has the later time, then the larger id. An event that another one takes back counts as never sent.
    """
    known = list(events)
    retracted = {event.retracts for event in known if event.type == RETRACT}
    return {event.item: event for event in standing(known, retracted, _rank) if event.item is not None}


def _rank(event: Event) -> tuple[bool, tuple[dt.datetime, str]]:
    return event.type in OPINIONS, later(event)
