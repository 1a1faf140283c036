"""One measurement: a backlog drained at a point in a round, and how it is kept on disk."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from core.versioned import Kind, unchanged
from experiments.results.checked import checked
from experiments.studies.stream_scaling.points import Point

FILE = "stream-scaling.json"

_KEPT = Kind("a drained backlog", (unchanged,), "It counts as not measured: measure again to replace it")


@dataclass(frozen=True)
class Measured:
    """A drained backlog.

    Attributes:
        stream: name of the query.
        point: what it ran on.
        round: in which it was measured, from 1.
        backlog: messages that were asked for; messages: that were sent.
        per_s: messages a second that were drained, without the first batch.
        differences: what the reconciliation found.
        seconds: of the whole measurement.
        tag: how far a time on these workers may be trusted, as of `cluster.shape.Shape.tag`.
        identity: of code and packages, and of all else that was asked for.
        attempt: of the command that measured it.
        environment: as of an outcome.
        ended_at: seconds since 1970.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # a name that it does not know is an error

    stream: str
    point: Point
    round: int
    backlog: int
    messages: int
    per_s: float
    differences: tuple[str, ...]
    seconds: float
    tag: str
    identity: str
    attempt: str
    environment: dict[str, Any]
    ended_at: float

    @property
    def name(self) -> str:
        """Name of its folder."""
        return name_of(self.stream, self.point, self.backlog, self.round)

    @property
    def good(self) -> bool:
        """Whether everything was found where it belongs."""
        return not self.differences


def name_of(stream: str, point: Point, backlog: int, number: int) -> str:
    """Return the name of the folder of a measurement in a round."""
    return f"{stream.replace('.', '-')}-{point.slug}-{backlog}-{number}"


def keep(one: Measured, place: Path) -> None:
    """Write a measurement to its folder, whole or not at all."""
    folder = place / one.name
    folder.mkdir(parents=True, exist_ok=True)
    _KEPT.write(folder / FILE, dataclasses.asdict(one))


def kept(folder: Path) -> Measured | None:
    """Return a measurement; None if there is none, or its file does not read, which is said."""
    return _KEPT.read_if(folder / FILE, checked(Measured))
