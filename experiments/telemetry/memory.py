"""Memory of executors as the host sees it: JVM and Python workers together, sampled while an application runs.

An executor's heap tells nothing of its Python workers, and resident memory counts files that are only mapped. What counts here is
anonymous and shared memory; pages that a forked Python worker still shares with its parent count for both. Beside it stands
PSS, which counts each page once that processes share, and mapped files, too.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from core.errors import RecscaleError
from experiments.results.events import Event
from experiments.telemetry.bottleneck.phase import Window, windows
from experiments.telemetry.telemetry import Telemetry

logger = logging.getLogger(__name__)

FILE = "memory.jsonl"
_EVERY_S, _PSS_EVERY_S = 0.5, 3.0
"""Seconds between samples; for PSS the kernel walks through all pages, so that it is asked for less often."""
_OWN = ("RssAnon", "RssShmem")


class Sample(NamedTuple):
    """Bytes of all executors together at one time.

    Attributes:
        clock: seconds since 1970.
        own: anonymous and shared memory.
        pss: proportional set size; None where it was not asked for.
    """

    clock: float
    own: int
    pss: int | None


@dataclass
class MemoryWatch:
    """Samples of the processes below workers, begun before the application starts.

    Attributes:
        workers: returns the process ids of the workers, whose children are executors; those there already are another application's.
        file: gets a line for each sample.
    """

    workers: Callable[[], Iterable[int]]
    file: Path
    _due: float = field(default=0.0, init=False)
    _pss_due: float = field(default=0.0, init=False)
    _others: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        self._others = frozenset(one.pid for one in self._executors())

    def look(self) -> None:
        """Take a sample if it is time; samples that cannot be taken or kept end with a word, and the application goes on."""
        now = time.perf_counter()
        if now < self._due:
            return
        try:
            self._sample(now)
        except (OSError, RecscaleError) as error:
            logger.warning("the executors' memory is no longer sampled: %s", error)
            self._due = math.inf

    def _executors(self) -> list[psutil.Process]:
        found = []
        for pid in self.workers():
            with suppress(psutil.Error):
                found += psutil.Process(pid).children()
        return found

    def _sample(self, now: float) -> None:
        self._due = now + _EVERY_S
        own = [one for one in self._executors() if one.pid not in self._others]
        executors = [pid for one in own for pid in (one.pid, *_below(one))]
        with_pss = now >= self._pss_due
        if with_pss:
            self._pss_due = now + _PSS_EVERY_S
        pss = sum(_kib(pid, "smaps_rollup", ("Pss",)) for pid in executors) if with_pss else None
        sample = Sample(time.time(), sum(_kib(pid, "status", _OWN) for pid in executors), pss)
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(sample) + "\n")


def _below(process: psutil.Process) -> list[int]:
    with suppress(psutil.Error):
        return [child.pid for child in process.children(recursive=True)]
    return []


def _kib(pid: int, file: str, names: Sequence[str]) -> int:
    """Return the sum of these lines of a file of /proc, in bytes; 0 for a process that is gone, or another's."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    wanted = tuple(f"{name}:" for name in names)
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(wanted))


def samples(folder: Path) -> list[Sample]:
    """Return what an application's folder has; a last line that breaks off is left out."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError):
            found.append(Sample(*json.loads(line)))
    return found


def digest(log: Telemetry, events: Sequence[Event], found: Sequence[Sample]) -> dict[str, Any]:
    """Return an application's telemetry with `peaks` under "resident"."""
    phases = windows(events, log.last, ended=log.ended)
    return {**log.digest(events), "resident": peaks(found, phases)}


def peaks(found: Sequence[Sample], phases: Iterable[Window]) -> Mapping[str, Mapping[str, int]]:
    """Return the most bytes during each pass of each phase ("fit#1"), as {"own": ..., "pss": ...}; none where no sample was taken in it."""
    told: dict[str, dict[str, int]] = {}
    for phase in phases:
        during = [one for one in found if phase.start <= one.clock <= phase.end]
        if not during:
            continue
        told[phase.group] = {"own": max(one.own for one in during)}
        pss = [one.pss for one in during if one.pss is not None]
        if pss:
            told[phase.group]["pss"] = max(pss)
    return told
