"""Reads Spark's event log line by line: what is not needed is passed over before it is parsed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HEAD = b'{"Event":"'
_WANTED = frozenset(
    (
        b"SparkListenerApplicationStart", b"SparkListenerApplicationEnd", b"SparkListenerEnvironmentUpdate",
        b"SparkListenerExecutorAdded", b"SparkListenerExecutorRemoved", b"SparkListenerJobStart", b"SparkListenerJobEnd",
        b"SparkListenerStageSubmitted", b"SparkListenerStageExecutorMetrics", b"SparkListenerTaskStart",
        b"SparkListenerTaskEnd",
    )
)  # fmt: skip
_TO_PYTHON = b'"data sent to Python workers"'
PYTHON = "Python"
"""Key that is added to each event: whether a task's metrics tell of rows that went to Python workers."""
_MEMORY = b'},"Task Executor Metrics":'
_NOT_POLLED = b'{"JVMHeapMemory":0,'
_PACKED = (".zstd", ".lz4", ".lzf", ".snappy")


class EventLog:
    """The events of one application that telemetry is made of; iterate over it.

    Attributes:
        folder: what Spark wrote under it: one file, or the numbered parts of a rolling log; it may be absent.
        truncated: after the iteration: a line could not be read, as the last one of a driver that was killed.
        packed: names of files that are passed over because they are compressed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truncated = False
        self.packed: list[str] = []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for path in self._parts():
            if path.suffix in _PACKED:
                self.packed.append(path.name)
                continue
            yield from self._events(path)

    def _parts(self) -> list[Path]:
        files = [
            path
            for path in self.folder.rglob("*")
            if path.is_file() and not path.name.startswith((".", "appstatus_"))
        ]
        return sorted(files, key=lambda path: (path.parent, _number(path.name), path.name))

    def _events(self, path: Path) -> Iterator[dict[str, Any]]:
        with path.open("rb", buffering=1 << 20) as file:
            for line in file:
                if not line.endswith(b"\n"):
                    self.truncated = True
                if _skipped(line):
                    continue
                try:
                    event = json.loads(_shortened(line))
                except (ValueError, RecursionError):
                    self.truncated = True
                    continue
                if isinstance(event, dict):
                    event[PYTHON] = _TO_PYTHON in line
                    yield event


def _number(name: str) -> int:
    """Return the place of a part in a rolling log ("events_10_app-…"), 0 for a log in one file."""
    match = re.match(r"events_(\d+)_", name)
    return int(match[1]) if match else 0


def _skipped(line: bytes) -> bool:
    """Whether a line is an event that nothing is made of; one that begins in another way is left to the parser."""
    if not line.startswith(_HEAD):
        return False
    end = line.find(b'"', len(_HEAD))
    return end > 0 and line[len(_HEAD) : end] not in _WANTED


def _shortened(line: bytes) -> bytes:
    """Cut a task's accumulables away, and executor metrics that nobody polled: two thirds of the log.

    No text in the line can be mistaken for these keys: a quote inside a JSON text is written with a backslash.
    """
    if not line.startswith(b'{"Event":"SparkListenerTaskEnd"'):
        return line
    start = line.find(b',"Accumulables":[')
    end = line.find(_MEMORY, start)
    metrics = line.find(b'"Task Metrics":', end)
    if start < 0 or end < 0 or metrics < 0:
        return line
    kept = metrics if line.startswith(_NOT_POLLED, end + len(_MEMORY)) else end + len(b"},")
    return line[:start] + b"}," + line[kept:]
