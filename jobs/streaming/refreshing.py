"""Lists of people from their histories in Cassandra, with one model, in the driver or in a task."""

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from jobs.engine.list_files import Filed
from jobs.engine.lists import Lists
from jobs.engine.personal import Personal
from jobs.stores.cassandra.feedback import Through
from jobs.stores.cassandra.lists import Listed, People

_AT_ONCE = 500
"""People whose histories are in memory together."""


class Made(NamedTuple):
    """Numbers of lists that were made, and of items of people's events that the model knows and does not know."""

    people: int = 0
    known: int = 0
    unknown: int = 0

    def __add__(self, other: "Made") -> "Made":  # type: ignore[override]
        return Made(*(one + two for one, two in zip(self, other, strict=True)))


class Maker:
    """Makes the lists of one model."""

    def __init__(self, filed: Filed) -> None:
        self.version = filed.version
        self._model = filed.model
        self._personal = Personal(Lists(filed.known), filed.items, filed.users, filed.histories)

    def listed(self, people: People, users: Sequence[str], k: int) -> dict[str, Listed]:
        """Return people's lists as they are now, of length `k`, without writing them."""
        now = dt.datetime.now(dt.UTC)
        found = zip(users, people.histories(users), strict=True)
        return {
            user: Listed(
                self._personal.recommend(user, history.events, now, k),
                self._model,
                self.version,
                history.through,
                now,
            )
            for user, history in found
        }

    def keep(self, people: People, through: Mapping[str, Through | None], k: int, stamp: int) -> Made:
        """Make people's lists anew, and write them.

        Args:
            people: their events and lists.
            through: by person, the message of the topic `events` up to which all of theirs are among their events.
            k: length of the lists.
            stamp: as `People.keep_lists` has it.
        """
        made, left = Made(), iter(through)
        while some := list(islice(left, _AT_ONCE)):
            lists = {
                user: one._replace(through=through[user])
                for user, one in self.listed(people, some, k).items()
            }
            people.keep_lists(lists, stamp)
            made += Made(
                len(lists),
                sum(one.recommended.known for one in lists.values()),
                sum(one.recommended.unknown for one in lists.values()),
            )
        return made
