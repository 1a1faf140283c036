"""Window of a topic of people: what was sent in the last seconds, in the driver's memory."""

import datetime as dt
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from jobs.engine.events import Event
from jobs.engine.meanings import Meanings
from jobs.stores.cassandra.lists import Said


class Sent(NamedTuple):
    """Event of a message, and when that was sent, in milliseconds since 1970."""

    said: Said
    at_ms: int


class Recent:
    """Events by person, the oldest of which leave."""

    def __init__(self, most: int, meanings: Meanings) -> None:
        """Begin with nothing.

        Args:
            most: events at most; the first that came leave.
            meanings: of events.
        """
        self._most, self._meanings = most, meanings
        self._sent: deque[Sent] = deque()
        self._events: dict[str, deque[Event]] = {}
        self._preferences: dict[str, dict[str, float]] = {}
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._sent)

    def add(self, sent: Iterable[Sent], since_ms: int) -> None:
        """Take up messages in the order in which they were sent, and let go those that were sent before a time."""
        for one in sorted(sent, key=lambda one: (one.at_ms, one.said.through)):
            user = one.said.user
            self._sent.append(one)
            self._events.setdefault(user, deque()).append(one.said.event)
            self._changed.add(user)
        while self._sent and (self._sent[0].at_ms < since_ms or len(self._sent) > self._most):
            user = self._sent.popleft().said.user
            self._events[user].popleft()
            self._changed.add(user)

    def events(self, user: str) -> Iterable[Event]:
        """Return a person's events of the window."""
        return self._events.get(user, ())

    def preferences(self, now: dt.datetime) -> Mapping[str, Mapping[str, float]]:
        """Return the preferences of each person of the window for items, at a time."""
        for user in self._changed:
            if events := self._events.get(user):
                told = self._meanings.preferences(events, now)
                self._preferences[user] = {item: preference for item, (preference, _) in told.items()}
            else:
                self._events.pop(user, None)
                self._preferences.pop(user, None)
        self._changed.clear()
        return self._preferences
