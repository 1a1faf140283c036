"""Events of people, without Spark and without a store: what was rated, liked, watched or taken back, and what of it stands."""

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

RATING, RETRACT = "rating", "retract"
"""Type of every message of the topic `ratings`; type of an event that takes back an earlier one."""


class Event(NamedTuple):
    """One rating, or one thing that a person did.

    Attributes:
        at: when, by the message.
        value: the rating, or an event's value; None without one.
        retracts: id of the event that this one takes back; None unless `type` is RETRACT.
    """

    at: dt.datetime
    id: str
    type: str
    item: str | None
    value: float | None
    retracts: str | None = None


def later(event: Event) -> tuple[dt.datetime, str]:
    """Return by what the later of two events is told: the time, and of one time the id."""
    return event.at, event.id


def standing(
    events: Iterable[Event], retracted: Collection[str | None], rank: Callable[[Event], Any] = later
) -> list[Event]:
    """Return one user's highest event of each item, by default the latest, among those that were not taken back."""
    newest: dict[str, Event] = {}
    for event in events:
        if event.item is None or event.type == RETRACT or event.id in retracted:
            continue
        before = newest.get(event.item)
        if before is None or rank(before) < rank(event):
            newest[event.item] = event
    return list(newest.values())
