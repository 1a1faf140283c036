"""Events of a running application: the JSON lines that it appends to its events file."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jobs.runtime.request import PhaseTime, Window

logger = logging.getLogger(__name__)

Event = dict[str, Any]


class Tail:
    """Reads the whole lines that were appended to an events file since the last look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.events: list[Event] = []

    def new(self) -> list[Event]:
        """Return what came since the last call; a line still being written waits for the next."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self.offset += len(whole)
        return list(_parsed(whole))


def read(path: Path) -> Iterator[Event]:
    """Yield the events of a file, one at a time: that of a stream may be larger than the memory; none where there is no file."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            yield from _parsed(line)


def _parsed(data: bytes) -> Iterator[Event]:
    for line in data.splitlines():
        with suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict) and "event" in value:
                yield value


def phases_of(events: Sequence[Event]) -> list[PhaseTime]:
    """Recover the finished phases from an application's events, for one that could not answer itself."""
    return [
        PhaseTime(event["phase"], event["pass_"], event["kind"], event["seconds"], event["spark_jobs"])
        for event in events
        if event["event"] == "phase_end"
    ]


def windows_of(events: Sequence[Event]) -> list[Window]:
    """Recover the windows that ended from an application's events, for one that could not answer itself."""
    return [
        Window(event["number"], event["kind"], event["seconds"], event["rates"], event["lags"])
        for event in events
        if event["event"] == "window_end"
    ]


def warnings_of(events: Sequence[Event]) -> list[str]:
    """Recover the warnings from an application's events, for one that could not answer itself."""
    return [event["text"] for event in events if event["event"] == "warning"]


def tell_warnings(event: Event) -> None:
    """Follow events, and tell a person the warnings among them."""
    for text in warnings_of([event]):
        logger.warning("warning: %s", text)


def last_lines(path: Path, count: int) -> str:
    """Return the end of a log file, as text."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8192))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-count:])
