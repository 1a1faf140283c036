"""A person's list from all their events, by the publisher's keys: what batch, stream and single requests call."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jobs.engine.events import Event
from jobs.engine.lists import Away, Lists
from jobs.engine.neighbours import Csr
from jobs.engine.reasons import Reason, reasons

NO_HISTORIES = Csr(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))


class Entry(NamedTuple):
    """One item of a list, with up to three reasons (code, key of the item of the history or None, weight)."""

    item: str
    score: float
    reasons: tuple[tuple[str, str | None, float], ...]


class Recommended(NamedTuple):
    """A list, best first, and how many items of the events the model knows and does not know."""

    entries: tuple[Entry, ...]
    known: int
    unknown: int


class Personal:
    """Makes lists of keys from events, and from histories that the training data had."""

    def __init__(
        self, lists: Lists, keys: Sequence[str], users: Sequence[str] = (), histories: Csr = NO_HISTORIES
    ) -> None:
        """Prepare.

        Args:
            lists: what makes them.
            keys: of the items, by place.
            users: keys of those with a history in the training data.
            histories: their preferences, a row each.
        """
        self.lists, self.keys = lists, keys
        self._places: Mapping[str, int] = {key: place for place, key in enumerate(keys)}
        self._rows: Mapping[str, int] = {key: row for row, key in enumerate(users)}
        self._histories = histories

    def recommend(self, user: str, events: Iterable[Event], now: dt.datetime, k: int) -> Recommended:
        """Return the list of one person.

        Args:
            user: their key.
            events: all of theirs, in any order; whoever has none and no history gets the most popular.
            now: time for which it is made.
            k: its length; shorter where fewer items are left.
        """
        history, away, known, unknown = self._placed(user, events, now)
        found, scores, parts = self.lists.explained(history, k, away)
        items = found[0][found[0] >= 0]
        why = reasons(self.lists, history, parts, items)
        entries = tuple(
            Entry(self.keys[item], float(score), tuple(self._named(one) for one in given))
            for item, score, given in zip(items.tolist(), scores[0], why, strict=False)
        )
        return Recommended(entries, known, unknown)

    def _placed(self, user: str, events: Iterable[Event], now: dt.datetime) -> tuple[Csr, Away, int, int]:
        """Return the history by places, the items that do not come back, and how many of the events' items are known and not.

        An event replaces what the training data say of its item, but watching again does not replace an opinion.
        """
        said = self._before(user)
        preferences = self.lists.known.meanings.preferences(events, now)
        unknown = 0
        for key, (preference, opinion) in preferences.items():
            place = self._places.get(key)
            if place is None:
                unknown += 1
            elif opinion or place not in said:
                said[place] = preference
        ordered = sorted(said.items())
        items = np.array([place for place, _ in ordered], dtype=np.int32)
        values = np.array([value for _, value in ordered], dtype=np.float32)
        says = values != 0
        history = Csr(np.array([0, says.sum()], dtype=np.int64), items[says], values[says])
        away = Away(np.array([0, len(items)], dtype=np.int64), items)
        return history, away, len(preferences) - unknown, unknown

    def _before(self, user: str) -> dict[int, float]:
        row = self._rows.get(user)
        if row is None:
            return {}
        low, high = self._histories.indptr[row : row + 2]
        return dict(
            zip(
                self._histories.indices[low:high].tolist(),
                self._histories.values[low:high].tolist(),
                strict=True,
            )
        )

    def _named(self, reason: Reason) -> tuple[str, str | None, float]:
        code, item, weight = reason
        return code, None if item < 0 else self.keys[item], weight
