"""Time the parts of a job, and refuse times of parts that ran no Spark job.

Every timed part must consume its results: `consume` writes to Spark's `noop` sink, which computes every row and column.
`count()` is not enough, because Catalyst drops the columns that a count does not need, for example the prediction.
"""

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from core.errors import JobError
from jobs.runtime.request import PassKind, PhasePass, PhaseTime, group_mark


def consume(frame: DataFrame) -> None:
    """Compute every row and column of `frame` and keep nothing."""
    frame.write.format("noop").mode("overwrite").save()


class Events:
    """Append events to a JSON-lines file, which shows progress live and remains if the JVM dies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, event: str, **values: Any) -> None:
        """Append one event; `at` is CLOCK_MONOTONIC seconds, comparable between processes of one host.

        `clock` is the time of day in seconds since 1970, as in Spark's event log. It serves to find a phase there, not to
        measure.
        """
        line = json.dumps({"event": event, "at": time.perf_counter(), "clock": time.time(), **values})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


@dataclass
class Phases:
    """The phase timer of one request.

    `place` is 0 for the only request of an application, else its number from 1 among those that share it: their job groups
    must differ, and only the first one finds the application cold.
    """

    spark: SparkSession
    events: Events
    times: list[PhaseTime] = field(default_factory=list)
    pass_: int = 0
    kind: PassKind = "repeat"
    place: int = 0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the enclosed work, which must consume its results (`consume`).

        Raises:
            JobError: no Spark job ran in it, so only a plan was made and the time would mean nothing.
        """
        context = self.spark.sparkContext
        group = f"{group_mark(self.place)}{PhasePass(name, self.pass_)}"
        context.setJobGroup(group, name)
        self.events.add("phase_start", phase=name, pass_=self.pass_, kind=self.kind)
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            context.setLocalProperty("spark.jobGroup.id", None)  # type: ignore[arg-type]
            context.setLocalProperty("spark.job.description", None)  # type: ignore[arg-type]
        self.add(name, seconds, len(context.statusTracker().getJobIdsForGroup(group)))

    def median(self, name: str) -> float:
        """Return the median seconds of a phase in the passes that count."""
        return statistics.median(
            time.seconds for time in self.times if time.kind == "repeat" and time.phase == name
        )

    def add(self, name: str, seconds: float, spark_jobs: int) -> None:
        """Keep a time of this pass; that of a query, whose jobs have a group of their own, is taken elsewhere.

        Raises:
            JobError: no Spark job ran in it.
        """
        if spark_jobs == 0:
            raise JobError(
                f"phase {name!r} ran no Spark job: it built a plan and its {seconds:.3f} s mean nothing. "
                "Consume what the phase made (jobs.runtime.phases.consume) before it ends."
            )
        self.times.append(PhaseTime(name, self.pass_, self.kind, seconds, spark_jobs))
        self.events.add(
            "phase_end", phase=name, pass_=self.pass_, kind=self.kind, seconds=seconds, spark_jobs=spark_jobs
        )
