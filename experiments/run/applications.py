"""Runs one application, of one trial or of several that share it, and keeps what came of it on disk."""

import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.files import write_json
from experiments.results.events import Event, Tail
from experiments.results.outcome import Application, Share, new_attempt
from experiments.results.parts import Part
from experiments.run.alone import fresh
from experiments.run.harness import Harness
from experiments.run.pending import Pending
from experiments.run.prepare import Prepared
from experiments.run.progress import Progress
from experiments.run.requests import application_request
from experiments.telemetry import memory, telemetry
from jobs.runtime.request import Request

logger = logging.getLogger(__name__)

FOLDER = "shared"
"""Folder, in that of an experiment, of the applications that trials shared: event logs and whole driver's logs."""


@dataclass(frozen=True)
class Applications:
    """The applications of one run of an experiment.

    Attributes:
        harness: lends the cluster, which has the shape of the trials.
        experiment: its name.
        folder: of the experiment.
        prepared: data sets by their slugs.
        progress: tells a person.
    """

    harness: Harness
    experiment: str
    folder: Path
    prepared: Mapping[str, Prepared]
    progress: Progress

    def run(self, items: Sequence[Pending], round_id: str | None) -> None:
        """Run the next application of these trials, which have one shape and one session.

        The outcome of each trial that began is saved; those that never did are as they were.
        """
        shared = fresh(self.folder / FOLDER / new_attempt()) if items[0].trial.shared else None
        folders = [fresh(item.folder / f"app-{len(item.outcome.applications)}") for item in items]
        told = _Told(self.progress, items, folders)
        parts = [
            Part(self._request(item, folder, shared), folder, item.trial.timeout_s, told.follow(number))
            for number, (item, folder) in enumerate(zip(items, folders, strict=True))
        ]
        told.begin(0)
        place = shared or folders[0]
        launched = self.harness.launch_parts(parts, place, items[0].trial.shape)
        events = [Tail(Path(part.request.events)).new() for part in parts[: len(launched)]]
        begin = time.perf_counter()
        logs = telemetry.read_parts(place / "eventlog", events)
        sampled = memory.samples(place)
        read_s = (time.perf_counter() - begin) / len(launched)
        for number, (one, log) in enumerate(zip(launched, logs, strict=True)):
            item, begin = items[number], time.perf_counter()
            digest = memory.digest(log, events[number], sampled)
            write_json(folders[number] / "telemetry.json", digest)
            share = Share(number + 1, len(launched)) if shared else None
            application = Application.of(len(item.outcome.applications), one, digest, share)
            item.outcome = item.outcome.plus(replace(application, round_id=round_id))
            item.outcome.save(item.folder)
            seconds = time.perf_counter() - begin + read_s
            item.outcome = item.outcome.timed(seconds)  # stands on disk with the next save
        for folder in (*folders, place):
            shutil.rmtree(folder / "work", ignore_errors=True)
        told.end(len(launched))

    def _request(self, item: Pending, folder: Path, shared: Path | None) -> Request:
        data = self.prepared.get(item.trial.data.slug) if item.trial.data else None
        number = len(item.outcome.applications)
        return application_request(
            self.harness, item.trial, self.experiment, data, number=number, folder=folder, shared=shared
        )


class _Told:
    """Messages about the trials of one application, one after another.

    How a trial that others followed ended is known from its own events, of the last one from its outcome.
    """

    def __init__(self, progress: Progress, items: Sequence[Pending], folders: Sequence[Path]) -> None:
        self._progress = progress
        self._items = items
        self._folders = folders
        self._now = -1
        self._end: Event = {}

    def begin(self, number: int) -> None:
        """Say that a trial begins, and how the one before it ended."""
        while self._now < number:
            if self._now >= 0:
                error = self._end.get("error")
                self._ended("FAILED" if error else "ok", error, 0)
            self._now += 1
            self._end = {}
            trial = self._items[self._now].trial
            done = len(self._items[self._now].outcome.applications)
            of = f", application {done + 1} of {trial.applications}" if trial.applications > 1 else ""
            self._progress.start(f"{trial.label}{of}", trial.label)

    def follow(self, number: int) -> Callable[[Event], None]:
        """Return what is called with the events of a trial."""

        def follow(event: Event) -> None:
            self.begin(number)
            self._progress.follow(event)
            if event["event"] == "application_end":
                self._end = event

        return follow

    def end(self, count: int) -> None:
        """Say how the last of the trials that began ended, and which of the others lost executors."""
        self.begin(count - 1)
        *others, last = self._items[:count]
        application = last.outcome.applications[-1]
        left = last.trial.applications - len(last.outcome.applications)
        self._ended(verdict(application), application.error if application.status == "failed" else None, left)
        for item in others:
            if item.outcome.executors_lost:
                logger.warning("    %s: %d executor(s) lost", item.trial.label, item.outcome.executors_lost)

    def _ended(self, words: str, error: str | None, left: int) -> None:
        self._progress.end(words)
        if error:
            self._progress.skip(left)
            logger.warning("    %s\n    driver's log: %s", error, self._folders[self._now] / "driver.log")


def verdict(application: Application) -> str:
    """Say in a word or two how an application ended."""
    lost = f", {application.executors_lost} executor(s) lost" if application.executors_lost else ""
    return {"ok": "ok", "failed": "FAILED", "killed": "interrupted"}[application.status] + lost
