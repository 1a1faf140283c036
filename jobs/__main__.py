"""Runs one job as one Spark application: `python -m jobs JOB --request request.json --result result.json`."""

import argparse
import contextlib
import dataclasses
import json
import platform
import signal
import sys
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

from pyspark.sql import SparkSession

from datasets.errors import UsageError
from datasets.options import nearest
from jobs.context import Context, Job
from jobs.errors import JobError
from jobs.failures import explain
from jobs.phases import Events, Phases
from jobs.request import PhaseTime, Request, Result
from jobs.session import (
    executors,
    prepare_environment,
    resolved,
    start_session,
    wait_for_executors,
    warm_planner,
)
from jobs.store import Store

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; return 0 when it went well, 1 when it failed, 2 for wrong names, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python -m jobs", description=__doc__)
    parser.add_argument("job", help="which job, for example preprocess or train")
    parser.add_argument("--request", type=Path, required=True, help="what to do, a JSON file")
    parser.add_argument("--result", type=Path, required=True, help="where to write the answer, a JSON file")
    arguments = parser.parse_args(argv)
    try:
        request = dataclasses.replace(_load(arguments.request), job=arguments.job)
        arguments.result.parent.mkdir(parents=True, exist_ok=True)
        Path(request.events).parent.mkdir(parents=True, exist_ok=True)
    except (UsageError, OSError) as error:
        print(f"jobs: {error}", file=sys.stderr)
        return 2
    return _Application(request, arguments.result).run()


def _load(path: Path) -> Request:
    try:
        return Request.load(path)
    except json.JSONDecodeError as error:
        raise UsageError(f"request {path} is not JSON: {error}") from None


class _Application:
    """One run of one job, which answers with a result file however it ends."""

    def __init__(self, request: Request, result: Path) -> None:
        self.request = request
        self.result = result
        self.events = Events(Path(request.events))
        self.spark: SparkSession | None = None
        self.times: list[PhaseTime] = []
        self.info: dict[str, str] = {"python": platform.python_version()}
        self.warnings: list[str] = []
        self.interrupted = False

    def run(self) -> int:
        self._listen()
        self.events.add("application_start", job=self.request.job, application=self.request.application)
        try:
            result, code = self._work(), 0
        except KeyboardInterrupt as error:
            result, code = self._failed(error), INTERRUPTED
        except UsageError as error:
            result, code = self._failed(error), 2
        except Exception as error:  # noqa: BLE001 - whatever ends an application is its result
            traceback.print_exc()
            if self.interrupted:
                result, code = self._failed(KeyboardInterrupt()), INTERRUPTED
            else:
                result, code = self._failed(error), 1
        result.save(self.result)
        self.events.add("application_end", status=result.status, error=result.error)
        self._stop()
        if result.error:
            print(f"{self.request.job} failed: {result.error}", file=sys.stderr)
        return code

    def _listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Note it before raising: a call to the JVM that is cut off may turn the exception into one of its own."""
        self.interrupted = True
        raise KeyboardInterrupt

    def _work(self) -> Result:
        prepare_environment(resolved(self.request))
        # What can wait for one another is done at the same time: imports while the JVM starts, the first plan while
        # the executors do.
        with ThreadPoolExecutor(2) as beside:
            plugins = beside.submit(_plugins, self.request)
            self.spark = start_session(self.request)
            self._listen()  # Spark has put a handler of its own there, which calls the JVM in the middle of another call
            planner = beside.submit(warm_planner, self.spark)
            wait_for_executors(self.spark, self.request)
            job, store = plugins.result()
            planner.result()
        context = self.spark.sparkContext
        self.info |= {
            "spark_version": context.version,
            "application_id": str(context.applicationId),
            "executors": str(executors(self.spark)),
        }
        self.events.add("session_ready", **self.info)
        phases = Phases(self.spark, self.events, times=self.times)
        opened = store(self.spark, self.request.store_root)
        try:
            result = job.run(
                Context(self.request, self.spark, opened, phases, self.events, warnings=self.warnings)
            )
        finally:
            opened.close()
        info = {**self.info, **result.info}
        return dataclasses.replace(result, phases=self.times, info=info, warnings=self.warnings)

    def _failed(self, error: BaseException) -> Result:
        return Result(
            job=self.request.job,
            status="failed",
            phases=self.times,
            info=self.info,
            error=explain(error),
            warnings=self.warnings,
        )

    def _stop(self) -> None:
        """End the application; a JVM that is gone has nothing left to end."""
        if self.spark is not None:
            with contextlib.suppress(Exception):
                self.spark.stop()


def _plugins(request: Request) -> tuple[Job, type[Store]]:
    """Find job and store by name; imported late, so that numba finds the environment as the request has it."""
    from jobs.apps import JOBS  # noqa: PLC0415 - see above
    from jobs.stores import STORES  # noqa: PLC0415 - see above

    if request.job not in JOBS:
        raise UsageError(f"unknown job {request.job!r}: {nearest(request.job, JOBS)}")
    if request.store not in STORES:
        raise JobError(f"unknown store {request.store!r}: {nearest(request.store, STORES)}")
    return JOBS[request.job], STORES[request.store]


if __name__ == "__main__":
    sys.exit(main())
