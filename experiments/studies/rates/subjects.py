"""Streams that are measured, and the messages that they are measured with."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import UsageError
from core.options import nearest
from experiments.run.producing import Sending

MOST = 500_000
"""Messages of a micro-batch, as a stream has them by itself."""

_KEYSPACE = "recscale_rates"


@dataclass(frozen=True)
class Subject:
    """Stream that is measured, and what it is measured with.

    Attributes:
        stream: its name; query: that is measured; topic: that this reads.
        sending: of the messages: producer, seed, data set.
        trigger_s: seconds between the starts of two micro-batches.
        cores: of the application.
        memory: of its executor.
        options: of the stream.
        most: messages of one micro-batch at most; None: MOST, or twice what comes in a trigger if that is more.
        visible: since when its rows count as visible, for people.
    """

    stream: str
    query: str
    topic: str
    sending: Sending
    trigger_s: float
    cores: int = 1
    memory: str = "1g"
    options: Mapping[str, str] = field(default_factory=dict)
    most: int | None = None
    visible: str = ""

    def most_at(self, rate: float) -> int:
        """Return how many messages a micro-batch may have when so many come a second: a smaller limit would be what is measured."""
        return self.most or max(MOST, math.ceil(2 * rate * self.trigger_s))

    @property
    def name(self) -> str:
        """Name of the query among the streams'."""
        return f"{self.stream}.{self.query}"


SUBJECTS: Mapping[str, Subject] = {
    "lake": Subject(
        "lake",
        "ratings",
        "ratings",
        Sending("ratings", 0),
        10.0,
        options={"topics": "ratings"},
        visible="the Delta version that holds it is committed",
    ),
    "feedback": Subject(
        "feedback",
        "ratings",
        "ratings",
        Sending("ratings", 0),
        1.0,
        options={"keyspace": _KEYSPACE},
        visible="all rows of its batch are in Cassandra's tables of histories and of latest ratings, so that for rows that were "
        "written early it is an upper bound",
    ),
}


def subject(name: str) -> Subject:
    """Return a stream that can be measured.

    Raises:
        UsageError: there is none of this name; the message gives the nearest.
    """
    if name not in SUBJECTS:
        raise UsageError(f"{name!r} is no stream that can be measured: {nearest(name, SUBJECTS)}")
    return SUBJECTS[name]
