"""Interface of a job, its inputs, and the repetition of its measured part: passes with phases, or windows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from pyspark.sql import SparkSession

from core.errors import UsageError
from jobs.runtime.phases import Events, Phases
from jobs.runtime.request import Request, Result, Window, pass_kind
from jobs.runtime.windows import OpenWindow, windows
from jobs.store import Store

JobKind = Literal["passes", "windows"]
"""How a job is measured: the same work again and again, in phases; or on and on, in windows with rates and lags."""


@dataclass(frozen=True)
class Context:
    """Everything that a job may use. A job records nothing itself.

    Attributes:
        ready: waits until the application has its executors, or raises JobError. Plans may be made before. A job that
            ran before would use only the executors that came first, and its cached rows would stay on them.
        warnings: the warnings so far.
        window_times: the windows that ended so far.
    """

    request: Request
    spark: SparkSession
    store: Store
    phases: Phases
    events: Events
    ready: Callable[[], None]
    warnings: list[str] = field(default_factory=list)
    window_times: list[Window] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Show a warning at once and keep it with the result; the same text only once."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.events.add("warning", text=text)

    def passes(self) -> Iterator[int]:
        """Yield the number of each pass: first the warm-ups (the first of them is the cold one), then the repeats.

        In a shared application only the first trial has a cold pass.
        """
        self.ready()
        request = self.request
        for number in range(request.warmups + request.repeats):
            self.phases.pass_ = number
            self.phases.kind = pass_kind(number, request.warmups, cold=self._first)
            self.events.add(
                "pass", number=number, of=request.warmups + request.repeats, kind=self.phases.kind
            )
            yield number

    def windows(self) -> Iterator[OpenWindow]:
        """Yield each window, first the warm-ups; it lasts until the next one is asked for.

        Raises:
            JobError: nothing was counted in a window.
        """
        self.ready()
        request = self.request
        yield from windows(self.events, self.window_times, request.warmups, request.repeats, cold=self._first)

    @property
    def _first(self) -> bool:
        """Whether no other trial ran in this application before."""
        return self.phases.place < 2


def kind_of(job: "Job", name: str) -> JobKind:
    """Return how a job is measured.

    Raises:
        UsageError: it does not say, or something that is no kind.
    """
    kind = getattr(job, "kind", None)
    if kind not in get_args(JobKind):
        kinds = " or ".join(f'"{one}"' for one in get_args(JobKind))
        raise UsageError(f"the job {name} has kind = {kind!r}: set {kinds} in jobs/apps/{name}.py")
    return job.kind


class Job(Protocol):
    """One Spark application. One file in `jobs/apps` binds an instance to JOB.

    Attributes:
        kind: whether it runs `context.passes()` or `context.windows()`.
    """

    kind: JobKind

    def run(self, context: Context) -> Result:
        """Do the work and return metrics, counts and fingerprint; the caller adds phases, windows and warnings.

        Raises:
            JobError: with what happened and what to do next.
        """

    def parameters(self) -> frozenset[str]:
        """Return the names of the job's own parameters, against which specs are checked.

        "model" among them says that the job fits a model, whose name and fields the request has in `model`.
        """
