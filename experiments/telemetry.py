"""Reads Spark's event log and adds up what its tasks cost, for each phase of each pass."""

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OUTSIDE = "outside"
_GROUP = "spark.jobGroup.id"


@dataclass
class Totals:
    """What the tasks of one job group cost together; times in seconds, sizes in bytes."""

    tasks: int = 0
    failed_tasks: int = 0
    run_s: float = 0.0
    cpu_s: float = 0.0
    gc_s: float = 0.0
    shuffle_read: int = 0
    shuffle_write: int = 0
    spill: int = 0
    input_rows: int = 0
    task_s: list[float] = field(default_factory=list)

    @property
    def summary(self) -> dict[str, float]:
        """As flat numbers, with the longest and the median task in place of all."""
        values = {key: value for key, value in asdict(self).items() if key != "task_s"}
        values["task_max_s"] = max(self.task_s, default=0.0)
        values["task_median_s"] = statistics.median(self.task_s) if self.task_s else 0.0
        return values


@dataclass
class Telemetry:
    """One application: totals by job group ("phase#pass", "outside" for jobs of no phase), executors come and gone."""

    groups: dict[str, Totals] = field(default_factory=dict)
    executors_added: int = 0
    executors_lost: list[str] = field(default_factory=list)
    truncated: bool = False

    @property
    def digest(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "groups": {name: totals.summary for name, totals in sorted(self.groups.items())},
            "executors_added": self.executors_added,
            "executors_lost": self.executors_lost,
            "truncated": self.truncated,
        }


def read(folder: Path) -> Telemetry:
    """Read the event log (or logs) that Spark wrote under `folder`; an absent one gives empty telemetry."""
    telemetry = Telemetry()
    for path in sorted(
        item for item in folder.rglob("*") if item.is_file() and not item.name.startswith(".")
    ):
        if not path.name.startswith("appstatus_"):
            add(telemetry, _events(path, telemetry))
    return telemetry


def add(telemetry: Telemetry, events: Iterable[Mapping[str, Any]]) -> None:
    """Add the events of one application."""
    groups: dict[tuple[int, int | None], str] = {}
    ended = False
    for event in events:
        kind = event.get("Event")
        if kind == "SparkListenerJobStart":
            name = (event.get("Properties") or {}).get(_GROUP, OUTSIDE)
            groups |= {(stage, None): name for stage in event.get("Stage IDs", ())}
        elif kind == "SparkListenerStageSubmitted":
            info = event["Stage Info"]
            stage = (info["Stage ID"], info.get("Stage Attempt ID", 0))
            groups[stage] = (event.get("Properties") or {}).get(_GROUP, OUTSIDE)
        elif kind == "SparkListenerTaskEnd":
            number = event["Stage ID"]
            name = groups.get((number, event.get("Stage Attempt ID", 0))) or groups.get(
                (number, None), OUTSIDE
            )
            _task(telemetry.groups.setdefault(name, Totals()), event)
        elif kind == "SparkListenerExecutorAdded":
            telemetry.executors_added += 1
        elif kind == "SparkListenerExecutorRemoved" and not ended:
            telemetry.executors_lost.append(f"{event.get('Executor ID')}: {event.get('Removed Reason', '')}")
        elif kind == "SparkListenerApplicationEnd":
            ended = True


def _task(totals: Totals, event: Mapping[str, Any]) -> None:
    info = event.get("Task Info") or {}
    totals.tasks += 1
    totals.failed_tasks += bool(info.get("Failed"))
    totals.task_s.append(max(0, info.get("Finish Time", 0) - info.get("Launch Time", 0)) / 1e3)
    metrics = event.get("Task Metrics") or {}
    read_metrics = metrics.get("Shuffle Read Metrics") or {}
    totals.run_s += metrics.get("Executor Run Time", 0) / 1e3
    totals.cpu_s += metrics.get("Executor CPU Time", 0) / 1e9
    totals.gc_s += metrics.get("JVM GC Time", 0) / 1e3
    totals.shuffle_read += read_metrics.get("Remote Bytes Read", 0) + read_metrics.get("Local Bytes Read", 0)
    totals.shuffle_write += (metrics.get("Shuffle Write Metrics") or {}).get("Shuffle Bytes Written", 0)
    totals.spill += metrics.get("Disk Bytes Spilled", 0)
    totals.input_rows += (metrics.get("Input Metrics") or {}).get("Records Read", 0)


def _events(path: Path, telemetry: Telemetry) -> Iterator[dict[str, Any]]:
    """Yield one event a line; a last line that a dying JVM left unfinished is noted, not an error."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                event = json.loads(line)
            except ValueError:
                telemetry.truncated = True
                continue
            if isinstance(event, dict):
                yield event
