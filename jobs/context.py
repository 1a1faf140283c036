"""Inputs of a job, and the repetition of its measured part."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from pyspark.sql import SparkSession

from jobs.phases import Events, Phases
from jobs.request import Request, Result
from jobs.store import Store


@dataclass(frozen=True)
class Context:
    """Everything a job may use; it records nothing itself.

    Attributes:
        ready: returns when the application has its executors, or raises JobError. What is only planned may be planned
            before; what runs before would run on those that came first, and what is cached would stay there.
        warnings: those that were given so far.
    """

    request: Request
    spark: SparkSession
    store: Store
    phases: Phases
    events: Events
    ready: Callable[[], None]
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Tell a person something at once, and keep it with the result; the same sentence once."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.events.add("warning", text=text)

    def passes(self) -> Iterator[int]:
        """Yield the number of each pass: first the warm-ups (the first of them is the cold one), then the repeats.

        With no warm-ups the first repeat is cold too, and is kept as a repeat. In an application that others used
        before, no pass is cold.
        """
        self.ready()
        request = self.request
        for number in range(request.warmups + request.repeats):
            self.phases.pass_ = number
            if number >= request.warmups:
                self.phases.kind = "repeat"
            else:
                self.phases.kind = "cold" if number == 0 and self.phases.place < 2 else "warmup"
            self.events.add(
                "pass", number=number, of=request.warmups + request.repeats, kind=self.phases.kind
            )
            yield number


class Job(Protocol):
    """One Spark application. One file in `jobs/apps` binds an instance to JOB."""

    def run(self, context: Context) -> Result:
        """Do the work and answer with metrics, counts and fingerprint; phases and warnings are added by the caller.

        Raises:
            JobError: with what happened and what to do next.
        """

    def parameters(self) -> frozenset[str]:
        """Every parameter name that some model or mode of this job accepts; specs are checked against it."""
