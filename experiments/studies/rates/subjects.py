"""Streams that are measured, and the messages that they are measured with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import UsageError
from core.options import nearest
from experiments.run.producing import Sending

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
        most: messages of one micro-batch at most.
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
    most: int = 500_000
    visible: str = ""

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
