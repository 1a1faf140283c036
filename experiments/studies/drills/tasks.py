"""Traces of a fault in Spark's event log: tasks that ended well or not, executors that came and went."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import JobError
from experiments.telemetry.eventlog import EventLog


@dataclass
class Tasks:
    """One application.

    Attributes:
        succeeded: task attempts that ended well.
        failed: task attempts that ended otherwise, those that Spark killed or handed out again among them.
        added: when each executor came, first_task: when its first task was launched; seconds since 1970.
        lost: executors that went away before the application's end, with the reason.
    """

    succeeded: int = 0
    failed: int = 0
    added: dict[str, float] = field(default_factory=dict)
    first_task: dict[str, float] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def replaced_after(self, moment: float) -> float | None:
        """Return the seconds from `moment` (since 1970) to the first task on an executor that came later; None if none ran."""
        late = [
            launched
            for executor, launched in self.first_task.items()
            if self.added.get(executor, 0.0) > moment
        ]
        return min(late) - moment if late else None


def read(folder: Path) -> Tasks:
    """Read the event log under a folder; what a killed application left is read as far as it goes.

    Raises:
        JobError: it is compressed.
    """
    tasks, log = Tasks(), EventLog(folder)
    add(tasks, log)
    if log.packed:
        raise JobError(
            f"the event log {log.packed[0]} is compressed, so nobody can count its tasks; leave out spark.eventLog.compress"
        )
    return tasks


def add(tasks: Tasks, events: Iterable[Mapping[str, Any]]) -> None:
    """Add the events of one application."""
    ended = False
    for event in events:
        kind = str(event.get("Event", "")).removeprefix("SparkListener")
        if kind == "TaskEnd":
            _end(tasks, event)
        elif kind == "TaskStart":
            info = event.get("Task Info") or {}
            launched = float(info.get("Launch Time", 0)) / 1e3
            name = str(info.get("Executor ID"))
            tasks.first_task[name] = min(launched, tasks.first_task.get(name, launched))
        elif kind == "ExecutorAdded":
            tasks.added[str(event.get("Executor ID"))] = float(event.get("Timestamp", 0)) / 1e3
        elif kind == "ExecutorRemoved" and not ended:
            tasks.lost.append(f"{event.get('Executor ID')}: {event.get('Removed Reason', '')}")
        elif kind == "ApplicationEnd":
            ended = True


def _end(tasks: Tasks, event: Mapping[str, Any]) -> None:
    if (event.get("Task End Reason") or {}).get("Reason") == "Success":
        tasks.succeeded += 1
    else:
        tasks.failed += 1
