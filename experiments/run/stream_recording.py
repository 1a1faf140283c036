"""Records streams while they run: a thread reads what the application writes to its events file, and gives it to MLflow.

The stream knows nothing of it. Whatever MLflow does or does not do, the thread alone waits for it; what could not be recorded is
recorded later from the same file.
"""

import dataclasses
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cluster.lifecycle import Cluster
from cluster.services.mlflow import MlflowSettings
from cluster.settings import Settings
from core.errors import RecordingError, ServiceError
from experiments.record import streams
from experiments.results.events import Tail
from experiments.results.parts import Launched
from experiments.results.stream_series import StreamSeries, doubling
from experiments.results.stream_start import EVENTS, Start, Status, held, is_held, keep, starts
from experiments.run import environment
from experiments.run.runner import open_recorder
from experiments.run.streams import FOLDER, Asked
from jobs.streams import STREAMS

if TYPE_CHECKING:
    from experiments.record.tracking import Tracking  # it takes seconds to import

logger = logging.getLogger(__name__)

FLUSH_S = 10.0
"""Seconds between two calls to MLflow for a query: a person sees the stream move, and the server has little to do."""

LAST_S = 30.0
"""Seconds that a command waits at its end for what is not recorded yet; the next command records what is not by then."""


class Recordings:
    """Recordings of the starts of one command; on leaving, what they still have to record is waited for.

    Attributes:
        command: name of the first start; empty before it.
    """

    def __init__(self, settings: Settings, asked: Asked) -> None:
        self.settings, self.asked = settings, asked
        self.command = ""
        self._restarts = 0
        self._running: list[Recording] = []

    @property
    def whole(self) -> bool:
        """Whether every start is recorded to its end."""
        return all(recording.whole for recording in self._running)

    def __enter__(self) -> Self:
        """Begin with none."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the recordings."""
        end = time.monotonic() + LAST_S
        for recording in self._running:
            recording.wait(end - time.monotonic())

    @contextmanager
    def start(self, folder: Path) -> Iterator["Recording"]:
        """Record one start, whose folder is made, while the block runs; what ends the block ends the start."""
        self.command = self.command or folder.name
        asked = self.asked
        given = float(asked.params.get("trigger_s", -1.0))
        start = Start(
            attempt=folder.name,
            command=self.command,
            restart=self._restarts,
            streams=list(asked.names),
            cores=asked.cores,
            memory=asked.memory,
            drain=asked.drain,
            params=dict(asked.params),
            triggers={name: STREAMS[name].trigger_s if given < 0 else given for name in asked.names},
            environment=environment.describe(Cluster(self.settings).driver_host),
            began_at=time.time(),
        )
        self._restarts += 1
        with Recording(self.settings, folder, start) as recording:
            self._running.append(recording)
            yield recording


class Recording:
    """Recording of one start: a context manager around its application.

    Attributes:
        whole: whether it is recorded to its end.
    """

    def __init__(self, settings: Settings, folder: Path, start: Start) -> None:
        self.settings, self.folder, self.start = settings, folder, start
        self.whole = False
        self._series = StreamSeries(start.began_at, doubling)
        self._tail = Tail(folder / EVENTS)
        self._live = streams.Live(start)
        self._uri: str | None = None
        self._tracking: Tracking | None = None
        self._away = False
        self._first = True
        self._held = ExitStack()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._record, name="stream-recording", daemon=True)

    def __enter__(self) -> Self:
        """Note the start, and begin to record it."""
        self._held.enter_context(held(self.folder))
        self._keep()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Note how it ended, unless `ended` did."""
        if self.start.status == "running":
            stopped = isinstance(error, KeyboardInterrupt)
            self._ends("stopped" if stopped else "failed", "" if stopped else str(error or ""))
        self._over.set()

    def ended(self, launched: Launched, standing: str) -> None:
        """Note how the application ended.

        Args:
            launched: what came of it.
            standing: offsets at which its queries stand.
        """
        if launched.status == "killed":
            self._ends("stopped")
        elif launched.result.error is not None:
            self._ends("failed", f"{launched.result.error}\n{standing}".rstrip())
        else:
            self._ends("drained" if self.start.drain else "ended")

    def wait(self, seconds: float) -> None:
        """Wait until it is recorded, so many seconds at most."""
        self._thread.join(max(0.0, seconds))
        if self._thread.is_alive():
            logger.warning(
                "MLflow has not taken everything of %s yet; it stays in %s and is recorded by the next make stream or make stream-report",
                self.start.name, self.folder,
            )  # fmt: skip

    def _ends(self, status: Status, error: str = "") -> None:
        self.start = dataclasses.replace(self.start, status=status, error=error, ended_at=time.time())
        self._keep()

    def _keep(self) -> None:
        try:
            keep(self.start, self.folder)
        except OSError as error:  # a full disk must not hide how the stream ended
            logger.error("the start of the stream could not be noted in %s: %s", self.folder, error)

    def _record(self) -> None:
        """Record until the application is over: what the thread does."""
        try:
            while not self._over.wait(FLUSH_S):
                self._look()
            self._look(last=True)
        except Exception:
            logger.exception(
                "the stream goes on, but is no longer recorded because of a fault of recscale; please report it with these lines. Its "
                "events stay in %s", self.folder,
            )  # fmt: skip
            self._over.wait()  # until then others must see that it runs
        finally:
            self._held.close()

    def _look(self, *, last: bool = False) -> None:
        """Give to MLflow what came since the last look."""
        for event in self._tail.new():
            self._series.add(event)
        try:
            tracking = self._opened()
            if last:
                self._live.end(tracking, self._series, self.start, self.folder)
                self.whole = True
            else:
                self._live.add(tracking, self._series)
            if self._away:
                self._away = False
                logger.info("MLflow answers again; what it missed of the stream is recorded")
            if self._first:
                self._first = False
                self._tell(tracking)
                for start in record_missing(tracking, self.settings):
                    logger.info("recorded now what MLflow lacked: %s of %s", start.name, start.attempt)
        except (RecordingError, ServiceError) as error:
            self._missed(error, last=last)

    def _tell(self, tracking: "Tracking") -> None:
        place = streams.show(tracking)
        if self.start.restart == 0:
            server = self._uri or f"http://{self.settings.host}:{self.settings.of(MlflowSettings).port}"
            first = "" if self._uri else "make mlflow, then "
            logger.info("watch it in MLflow: %s%s/%s", first, server, place)

    def _opened(self) -> "Tracking":
        """Return the way to MLflow; a server that came or went since the last look has another one."""
        uri = Cluster(self.settings).address("mlflow")
        if self._tracking is None or uri != self._uri:
            self._tracking, self._uri = open_recorder(self.settings, uri).tracking, uri
        return self._tracking

    def _missed(self, error: Exception, *, last: bool) -> None:
        if last:
            told = "the end of the stream could not be recorded, stays in %s and is recorded by the next make stream or make stream-report: %s"
            logger.warning(told, self.folder, error)
        elif not self._away:
            self._away = True
            logger.warning(
                "the stream goes on; MLflow does not take its record, which is kept until it does: %s", error
            )


def record_missing(tracking: "Tracking", settings: Settings) -> list[Start]:
    """Record the starts of this run folder that the record lacks, but those that run or are being recorded; return them.

    Raises:
        RecordingError: MLflow does not take them; they stay on disk.
    """
    there = starts(settings.run_dir / FOLDER)
    return streams.record_missing(tracking, (one for one in there if not is_held(one[0])))
