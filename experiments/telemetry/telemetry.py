"""Makes of Spark's event log, in one pass over it, what an application's tasks cost and what its cores did meanwhile."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.results.events import Event
from experiments.telemetry.bottleneck.phase import Window, use_of, windows
from experiments.telemetry.bottleneck.tasks import TaskTable, cost, totals
from experiments.telemetry.bottleneck.timeline import Cores, timeline
from experiments.telemetry.eventlog import PYTHON, EventLog
from jobs.runtime.request import group_mark

OUTSIDE = "outside"
_GROUP = "spark.jobGroup.id"
_TIMES = ("Timestamp", "Submission Time", "Completion Time", "Launch Time", "Finish Time")
_PEAKS = {
    "JVMHeapMemory": "heap",
    "OnHeapUnifiedMemory": "managed",
    "ProcessTreeJVMRSSMemory": "jvm_rss",
    "ProcessTreePythonRSSMemory": "python_rss",
}


@dataclass
class Telemetry:
    """One application, or a trial's part of one, as its events come.

    Attributes:
        groups: numbers of job groups by name ("phase#pass", "outside" for jobs of no phase).
        stages: of each attempt, its name and number of tasks.
        jobs: submission and end of each job of a group; an end that never came is None.
        cores: executors come and gone, with their cores.
        memory: the highest number of bytes that any one executor had: "heap" in use, "managed" (Spark's execution and
            storage together), "jvm_rss" and "python_rss" as the host saw them. Empty unless executors look often enough
            (spark.executor.metrics.pollingInterval); the last two need spark.executor.processTreeMetrics.enabled as well.
        last: the latest time in the log.
        ended: the application said goodbye, or the next trial in it began; a killed one did not.
        truncated: a line could not be read.
    """

    tasks: TaskTable = field(default_factory=TaskTable)
    groups: dict[str, int] = field(default_factory=dict)
    stages: list[tuple[str, int]] = field(default_factory=list)
    jobs: dict[int, tuple[str, float, float | None]] = field(default_factory=dict)
    cores: Cores = field(default_factory=Cores)
    memory: dict[str, int] = field(default_factory=dict)
    executors_added: int = 0
    executors_lost: list[str] = field(default_factory=list)
    last: float = 0.0
    ended: bool = False
    truncated: bool = False
    packed: list[str] = field(default_factory=list)

    def followed(self, begin: float) -> "Telemetry":
        """End here for a trial that shared the application, and return what the next one begins with."""
        self.ended = True
        cores = self.cores.at(begin)
        return Telemetry(cores=cores, executors_added=cores.executors, last=begin)

    def digest(self, events: Sequence[Event] = ()) -> dict[str, Any]:
        """Return it as plain JSON, some hundred numbers a phase at most.

        Args:
            events: what the application said of its phases; without them a phase is where its group's jobs are.
        """
        tasks = self.tasks.array
        by_group = {name: tasks[tasks["group"] == number] for name, number in self.groups.items()}
        found = windows(events, self.last, ended=self.ended) or self._from_jobs()
        uses = [use_of(window, tasks, self.cores, self.stages) for window in found if len(tasks)]
        return {
            "groups": {name: totals(part) for name, part in sorted(by_group.items()) if len(part)},
            "phases": [use.digest for use in uses],
            "timeline": timeline(tasks, self.cores, self.last),
            "executors_added": self.executors_added,
            "executors_lost": self.executors_lost,
            "memory": self.memory,
            "truncated": self.truncated,
            "ended": self.ended,
            "packed": self.packed,
        }

    def _from_jobs(self) -> list[Window]:
        spans: dict[str, tuple[float, float]] = {}
        for group, start, end in self.jobs.values():
            first, last = spans.get(group, (start, start))
            spans[group] = min(first, start), max(last, self.last if end is None else end)
        named = [Window.of_group(group, *span) for group, span in spans.items() if group != OUTSIDE]
        return [one for one in named if one.end > one.start]


def read(folder: Path) -> Telemetry:
    """Read the event log that Spark wrote under `folder`; an absent one gives empty telemetry.

    A log that breaks off gives what it holds: tasks that had begun count as running up to its last event.
    """
    return read_parts(folder, [()])[0]


def read_parts(folder: Path, said: Sequence[Sequence[Event]]) -> list[Telemetry]:
    """Read the event log of an application that several trials shared, as if each had had one of its own.

    Args:
        folder: as for `read`.
        said: what each trial said, in their order; a trial begins with the first that it said.

    Returns:
        One for each trial.
    """
    begins = [_begin(events) for events in said[1:]]
    parts = [Telemetry()]
    log = EventLog(folder)
    reader = _Reader(parts[0], group_mark(1))
    for event in log:
        while len(parts) <= len(begins) and begins[len(parts) - 1] <= _time(event):
            reader.finish()
            parts.append(parts[-1].followed(begins[len(parts) - 1]))
            reader = _Reader(parts[-1], group_mark(len(parts)))
        reader.take(event)
    reader.finish()
    parts[-1].truncated = log.truncated
    parts += [Telemetry() for _ in said[len(parts) :]]
    for part in parts:
        part.packed = log.packed
    return parts


def add(telemetry: Telemetry, events: Iterable[Mapping[str, Any]]) -> Telemetry:
    """Add the events of one application and return it."""
    reader = _Reader(telemetry, group_mark(1))
    for event in events:
        reader.take(event)
    reader.finish()
    return telemetry


def _begin(events: Sequence[Event]) -> float:
    """Return when a trial began, to the millisecond as Spark's log has it."""
    return math.floor(events[0]["clock"] * 1e3) / 1e3 if events else math.inf


def _time(event: Mapping[str, Any]) -> float:
    """Return the latest time that an event tells of; 0 for one without a time, which belongs where it stands."""
    places = (event, event.get("Stage Info") or {}, event.get("Task Info") or {})
    return max(place.get(name) or 0 for place in places for name in _TIMES) / 1e3


class _Reader:
    """Keeps what is needed from one event to the next. `mark` stands before the job groups of the trial."""

    def __init__(self, telemetry: Telemetry, mark: str) -> None:
        self.telemetry = telemetry
        self.mark = mark
        self.planned: dict[int, str] = {}
        self.attempts: dict[tuple[int, int], tuple[int, int]] = {}
        self.running: dict[int, tuple[int, int, float]] = {}
        self.done: set[tuple[int, int]] = set()
        self.handlers: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "SparkListenerApplicationStart": self._time,
            "SparkListenerApplicationEnd": self._application_end,
            "SparkListenerEnvironmentUpdate": self._environment,
            "SparkListenerExecutorAdded": self._executor_added,
            "SparkListenerExecutorRemoved": self._executor_removed,
            "SparkListenerJobStart": self._job_start,
            "SparkListenerJobEnd": self._job_end,
            "SparkListenerStageSubmitted": self._stage,
            "SparkListenerTaskStart": self._task_start,
            "SparkListenerTaskEnd": self._task_end,
            "SparkListenerStageExecutorMetrics": self._stage_executor,
        }

    def take(self, event: Mapping[str, Any]) -> None:
        """Read one event."""
        handle = self.handlers.get(event.get("Event", ""))
        if handle is not None:
            handle(event)

    def finish(self) -> None:
        """Count the tasks whose end is not in the log as running up to its last event."""
        for stage, attempt, launch in self.running.values():
            group, number = self._attempt(stage, attempt)
            self.telemetry.tasks.add(
                group=group,
                stage=number,
                launch=launch,
                finish=max(launch, self.telemetry.last),
                unfinished=1,
            )

    def _saw(self, milliseconds: float | None) -> float:
        seconds = (milliseconds or 0) / 1e3
        self.telemetry.last = max(self.telemetry.last, seconds)
        return seconds

    def _time(self, event: Mapping[str, Any]) -> None:
        self.telemetry.cores.start = self._saw(event.get("Timestamp"))

    def _application_end(self, event: Mapping[str, Any]) -> None:
        self._saw(event.get("Timestamp"))
        self.telemetry.ended = True

    def _environment(self, event: Mapping[str, Any]) -> None:
        spark = event.get("Spark Properties") or {}
        named = dict(spark.items() if isinstance(spark, dict) else spark)
        self.telemetry.cores.wanted = float(named.get("spark.cores.max", 0) or 0)
        self.telemetry.cores.of_task = float(named.get("spark.task.cpus", 1) or 1)

    def _executor_added(self, event: Mapping[str, Any]) -> None:
        self.telemetry.executors_added += 1
        cores = (event.get("Executor Info") or {}).get("Total Cores", 0)
        self.telemetry.cores.add(str(event.get("Executor ID")), self._saw(event.get("Timestamp")), cores)

    def _executor_removed(self, event: Mapping[str, Any]) -> None:
        if self.telemetry.ended:
            return
        name = str(event.get("Executor ID"))
        self.telemetry.executors_lost.append(f"{name}: {event.get('Removed Reason', '')}")
        self.telemetry.cores.remove(name, self._saw(event.get("Timestamp")))

    def _job_start(self, event: Mapping[str, Any]) -> None:
        name = self._group(event)
        self.planned |= dict.fromkeys(event.get("Stage IDs", ()), name)
        self.telemetry.jobs[event.get("Job ID", -1)] = name, self._saw(event.get("Submission Time")), None

    def _job_end(self, event: Mapping[str, Any]) -> None:
        known = self.telemetry.jobs.get(event.get("Job ID", -1))
        end = self._saw(event.get("Completion Time"))
        if known:
            self.telemetry.jobs[event["Job ID"]] = known[0], known[1], end

    def _group(self, event: Mapping[str, Any]) -> str:
        name = (event.get("Properties") or {}).get(_GROUP) or OUTSIDE
        return str(name).removeprefix(self.mark)

    def _stage(self, event: Mapping[str, Any]) -> None:
        info = event.get("Stage Info") or {}
        self._saw(info.get("Submission Time"))
        name = self._group(event)
        what = (str(info.get("Stage Name", "")), int(info.get("Number of Tasks", 0)))
        self._attempt(info.get("Stage ID", -1), info.get("Stage Attempt ID", 0), name, what)

    def _attempt(
        self, stage: int, attempt: int, name: str | None = None, what: tuple[str, int] = ("", 0)
    ) -> tuple[int, int]:
        """Return the numbers of a stage attempt's group and of itself; an unknown one gets a number."""
        known = self.attempts.get((stage, attempt))
        if known is None:
            name = name or self.planned.get(stage, OUTSIDE)
            group = self.telemetry.groups.setdefault(name, len(self.telemetry.groups))
            known = self.attempts[stage, attempt] = group, len(self.telemetry.stages)
            self.telemetry.stages.append(what)
        return known

    def _task_start(self, event: Mapping[str, Any]) -> None:
        info = event.get("Task Info") or {}
        launch = self._saw(info.get("Launch Time"))
        stage, attempt = event.get("Stage ID", -1), event.get("Stage Attempt ID", 0)
        self.running[info.get("Task ID", -1)] = stage, attempt, launch

    def _stage_executor(self, event: Mapping[str, Any]) -> None:
        if event.get("Executor ID") != "driver":
            self._memory(event.get("Executor Metrics") or {})

    def _memory(self, metrics: Mapping[str, int]) -> None:
        """Keep the highest; what executors did not look at stands there as 0 and is left out."""
        for key, name in _PEAKS.items():
            if metrics.get(key, 0) > self.telemetry.memory.get(name, 0):
                self.telemetry.memory[name] = metrics[key]

    def _task_end(self, event: Mapping[str, Any]) -> None:
        info = event.get("Task Info") or {}
        self.running.pop(info.get("Task ID", -1), None)
        self._memory(event.get("Task Executor Metrics") or {})
        stage = event.get("Stage ID", -1)
        if (event.get("Task End Reason") or {}).get("Reason") == "Resubmitted":
            return  # a task that ended well is told again when its executor, and with it what it wrote, is lost
        group, number = self._attempt(stage, event.get("Stage Attempt ID", 0))
        self._saw(info.get("Finish Time"))
        values = cost(info, event.get("Task Metrics") or {})
        partition = stage, info.get("Partition ID", info.get("Index", -1))
        again = partition in self.done and "Task ID" in info
        if not values["wasted"]:
            self.done.add(partition)
        python = bool(event.get(PYTHON))
        self.telemetry.tasks.add(group=group, stage=number, again=again, python=python, **values)
