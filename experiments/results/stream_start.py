"""Starts of stream applications as they lie on disk: what was started, and how it ended."""

import dataclasses
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from core.versioned import Kind, unchanged
from experiments.results.checked import checked
from experiments.results.events import read

FILE, LOCK, EVENTS = "start.json", "start.lock", "events.jsonl"

Status = Literal["running", "stopped", "drained", "ended", "failed", "lost"]
"""Ends of a start: by a person, with what there was at the start, by itself, by an error, or with its command, which was killed."""

_KEPT = Kind(
    "a start of streams", (unchanged,), "It is in no record and on no page; its messages are where they were"
)


@dataclass(frozen=True)
class Start:
    """One start of an application of streams; its events lie beside it.

    Attributes:
        attempt: name of its folder; command: that of the first start of the same command, which starts an application
            that died again; restart: how often it had done so before this one.
        streams: their names; cores, memory, drain, params: as they were asked for.
        triggers: seconds between the starts of two micro-batches, by stream.
        environment: of host, versions and code.
        began_at, ended_at: times of day; the second is None while it runs.
        error: why it failed, with the offsets at which the queries stand.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # a name that it does not know is an error

    attempt: str
    command: str
    restart: int
    streams: list[str]
    cores: int
    memory: str
    drain: bool
    params: dict[str, Any]
    triggers: dict[str, float]
    environment: dict[str, Any]
    began_at: float
    status: Status = "running"
    error: str = ""
    ended_at: float | None = None

    @property
    def name(self) -> str:
        """Names of its streams."""
        return ", ".join(self.streams)


def keep(start: Start, folder: Path) -> None:
    """Write a start into its folder, whole or not at all."""
    _KEPT.write(folder / FILE, dataclasses.asdict(start))


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Show that a start runs or is recorded, for as long as this process does, however that ends."""
    with (folder / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def starts(place: Path) -> Iterator[tuple[Path, Start]]:
    """Yield every start below a folder, oldest first; one whose command was killed is marked as lost."""
    for path in sorted(place.glob(f"*/{FILE}")):
        start = _KEPT.read_if(path, checked(Start))
        if start is not None:
            yield path.parent, _settled(start, path.parent)


def _settled(start: Start, folder: Path) -> Start:
    if start.status != "running" or is_held(folder):
        return start
    last = start.began_at
    for event in read(folder / EVENTS):
        last = event.get("clock", last)
    lost = dataclasses.replace(
        start,
        status="lost",
        ended_at=last,
        error="the command that ran it was killed; start it again to go on",
    )
    keep(lost, folder)
    return lost


def is_held(folder: Path) -> bool:
    """Whether a start runs, or the command that ran it still records it."""
    try:
        with (folder / LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
