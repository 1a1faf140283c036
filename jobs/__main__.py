"""Run one job as one Spark application: `python -m jobs JOB --request request.json --result result.json`.

Several pairs of a request and a result are trials that share the application. They run one after another in one session,
which is cleared in between.
"""

import argparse
import contextlib
import dataclasses
import json
import logging
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

from pyspark.sql import SparkSession

from core.errors import INTERRUPTED, USAGE, JobError, UsageError
from core.log import shown
from core.options import nearest
from jobs.runtime.between_trials import clear
from jobs.runtime.context import Context, Job, JobKind, kind_of
from jobs.runtime.failures import explain
from jobs.runtime.phases import Events, Phases
from jobs.runtime.request import LOG_MARK, PhaseTime, Request, Result, Window, check_same_session
from jobs.runtime.session import (
    checkpoints_in,
    executors,
    prepare_environment,
    resolved,
    start_session,
    wait_for_executors,
)
from jobs.store import Store

logger = logging.getLogger(__package__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; return 0 if it succeeded, 1 if it failed, 2 for wrong names, 130 if interrupted.

    With several requests the first that did not succeed decides.
    """
    parser = argparse.ArgumentParser(prog="python -m jobs", description=__doc__)
    parser.add_argument("job", help="which job, for example preprocess or train")
    many = "; may be repeated"
    parser.add_argument(
        "--request", type=Path, action="append", required=True, help=f"request, a JSON file{many}"
    )
    parser.add_argument(
        "--result", type=Path, action="append", required=True, help=f"file for the result{many}"
    )
    arguments = parser.parse_args(argv)
    with shown(sys.stderr):
        try:
            asked = _asked(arguments.job, arguments.request, arguments.result)
        except (UsageError, OSError) as error:
            logger.error("jobs: %s", error)
            return USAGE
        return _Application(asked).run()


def _asked(job: str, requests: Sequence[Path], results: Sequence[Path]) -> list[tuple[Request, Path]]:
    """Read the requests, and make the folders for their results and events."""
    if len(requests) != len(results):
        raise UsageError(
            f"got {len(requests)} --request and {len(results)} --result: give one --result for each --request"
        )
    asked = [
        (dataclasses.replace(_load(path), job=job), result)
        for path, result in zip(requests, results, strict=True)
    ]
    check_same_session([request for request, _ in asked])
    for request, result in asked:
        result.parent.mkdir(parents=True, exist_ok=True)
        Path(request.events).parent.mkdir(parents=True, exist_ok=True)
    return asked


def _load(path: Path) -> Request:
    try:
        return Request.load(path)
    except json.JSONDecodeError as error:
        raise UsageError(f"request {path} is not JSON: {error}") from None


class _Application:
    """One Spark application, which runs its requests one after another until the session cannot be used for another."""

    def __init__(self, asked: Sequence[tuple[Request, Path]]) -> None:
        self.asked = asked
        self.spark: SparkSession | None = None
        self.interrupted = False

    def run(self) -> int:
        self.listen()
        code, fit = 0, True
        try:
            for number, (request, result) in enumerate(self.asked, start=1):
                if fit and not self.interrupted:
                    place = number if len(self.asked) > 1 else 0
                    ended, fit = _Run(self, request, result, place).run(more=number < len(self.asked))
                    code = code or ended
        except KeyboardInterrupt:
            logger.error("interrupted between two trials")
        self._stop()
        return INTERRUPTED if self.interrupted else code

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Note the interruption before raising: an interrupted call to the JVM may raise another exception instead."""
        self.interrupted = True
        raise KeyboardInterrupt

    def _stop(self) -> None:
        """End the application; if its JVM has died, there is nothing to end."""
        if self.spark is not None:
            with contextlib.suppress(Exception):
                self.spark.stop()


class _Run:
    """One run of one job, which writes a result file however it ends.

    `place` is 0 for the only request of an application, else its number from 1 among those that share it.
    """

    def __init__(self, application: _Application, request: Request, result: Path, place: int) -> None:
        self.application = application
        self.request = request
        self.result = result
        self.place = place
        self.events = Events(Path(request.events))
        self.times: list[PhaseTime] = []
        self.windows: list[Window] = []
        self.info: dict[str, str] = {"python": platform.python_version()}
        self.warnings: list[str] = []
        self._waiting = threading.Lock()

    def run(self, *, more: bool) -> tuple[int, bool]:
        """Run the job; return its exit code and, if `more` follow, whether the session can be used for another."""
        if self.place:
            # No message: who reads the log divides it here.
            print(f"{LOG_MARK}{self.request.events}", file=sys.stderr, flush=True)
        self.events.add("application_start", job=self.request.job, application=self.request.application)
        try:
            result, code = self._work(), 0
        except KeyboardInterrupt as error:
            result, code = self._failed(error), INTERRUPTED
        except UsageError as error:
            result, code = self._failed(error), 2
        except Exception as error:  # noqa: BLE001 - any error becomes the result
            logger.error(traceback.format_exc().rstrip())
            if self.application.interrupted:
                result, code = self._failed(KeyboardInterrupt()), INTERRUPTED
            else:
                result, code = self._failed(error), 1
        result.save(self.result)
        if result.error:
            logger.error("%s failed: %s", self.request.job, result.error)
        unfit = self._clear() if more and code != INTERRUPTED else None
        self.events.add("application_end", status=result.status, error=result.error, unfit=unfit)
        return code, unfit is None

    def _clear(self) -> str | None:
        """Free what this run left; return why no other run may follow in the session, None if one may."""
        spark = self.application.spark
        unfit = "no session was opened" if spark is None else clear(spark, self.request)
        if unfit:
            logger.warning("no other trial runs in this application: %s", unfit)
        return unfit

    def _work(self) -> Result:
        job, store = self._opened()
        spark = self.application.spark
        assert spark is not None
        self.info |= {
            "spark_version": spark.sparkContext.version,
            "application_id": str(spark.sparkContext.applicationId),
        }
        phases = Phases(spark, self.events, times=self.times, place=self.place)
        tables = store(spark, self.request.store_root)
        try:
            result = job.run(
                Context(
                    self.request, spark, tables, phases, self.events, self._ready, self.warnings, self.windows
                )
            )
        finally:
            tables.close()
        self._check(job, result)
        return dataclasses.replace(result, info={**self.info, **result.info}, **self._measured)

    @property
    def _measured(self) -> dict[str, Any]:
        return {"phases": self.times, "windows": self.windows, "warnings": self.warnings}

    def _check(self, job: Job, result: Result) -> None:
        """Refuse a job that measured nothing, or in the other way than it says, or that names a metric as a rate is named."""
        kept: dict[JobKind, Sequence[object]] = {"passes": self.times, "windows": self.windows}
        other: JobKind = "windows" if job.kind == "passes" else "passes"
        if kept[other] or not kept[job.kind]:
            raise JobError(
                f"the job {self.request.job} says that it is measured in {job.kind}, but timed "
                f"{len(self.times)} phases and {len(self.windows)} windows: its kind must be what it runs, context.passes() "
                "with phases or context.windows()"
            )
        taken = {f"{name}_per_s" for window in self.windows for name in window.rates} & {*result.metrics}
        if taken:
            raise JobError(
                f"the job {self.request.job} has a metric {min(taken)}, which is the name of a rate of its windows: rename one"
            )

    def _opened(self) -> tuple[Job, type[Store]]:
        """Open the session in the application's first run; return job and store."""
        if self.application.spark is not None:
            checkpoints_in(self.application.spark, Path(self.request.work))
            return _plugins(self.request)
        prepare_environment(resolved(self.request))
        with ThreadPoolExecutor(1) as beside:
            plugins = beside.submit(_plugins, self.request)  # while the JVM starts
            self.application.spark = start_session(self.request)
            # Spark has installed its own handler, which would call the JVM in the middle of another call.
            self.application.listen()
            return plugins.result()

    def _ready(self) -> None:
        """Wait until the application has its executors; add an event the first time."""
        spark = self.application.spark
        assert spark is not None
        with self._waiting:
            if "executors" in self.info:
                return
            wait_for_executors(spark, self.request)
            self.info["executors"] = str(executors(spark))
            if self.place < 2:
                self.events.add("session_ready", **self.info)

    def _failed(self, error: BaseException) -> Result:
        return Result(
            job=self.request.job,
            status="failed",
            info=self.info,
            error=explain(error),
            **self._measured,
        )


def _plugins(request: Request) -> tuple[Job, type[Store]]:
    """Find job and store by name; imported late, so that numba sees the environment that the request sets."""
    from jobs.apps import JOBS  # noqa: PLC0415 - see above
    from jobs.stores import STORES  # noqa: PLC0415 - see above

    if request.job not in JOBS:
        raise UsageError(f"unknown job {request.job!r}: {nearest(request.job, JOBS)}")
    if request.store not in STORES:
        raise JobError(f"unknown store {request.store!r}: {nearest(request.store, STORES)}")
    kind_of(JOBS[request.job], request.job)
    return JOBS[request.job], STORES[request.store]


if __name__ == "__main__":
    sys.exit(main())
