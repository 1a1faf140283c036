"""Use of the cores in one phase of one pass, and the cost of each cause."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from experiments.results.events import Event
from experiments.telemetry.bottleneck.causes import (
    CAUSES,
    DRIVER,
    GC,
    LOST,
    OVERHEAD,
    SHUFFLE,
    SKEW,
    SPILL,
    SPILL_BYTES_PER_S,
    STARVED,
)
from experiments.telemetry.bottleneck.timeline import Cores, Levels, levels
from experiments.telemetry.bottleneck.whatif import Block, blocks, imbalance, seconds_saved
from jobs.runtime.request import PhasePass

_DIGITS = 4


@dataclass(frozen=True)
class Window:
    """Begin and end of a timed phase, in seconds since 1970; `complete` is False if its end is unknown."""

    phase: str
    pass_: int
    kind: str
    start: float
    end: float
    complete: bool = True

    @property
    def group(self) -> str:
        """The job group of its jobs."""
        return str(PhasePass(self.phase, self.pass_))

    @classmethod
    def of_group(cls, group: str, start: float, end: float) -> "Window":
        """Return windows from the phases' jobs, for logs without events of the application."""
        phase, pass_ = PhasePass.of(group)
        return cls(phase, pass_, "repeat" if pass_ else "cold", start, end)


@dataclass
class Use:
    """One phase of one pass.

    Attributes:
        core_s: core-seconds that it could have had: the cores asked for, or more if there were more.
        busy_s: core-seconds in which a task held a core.
        driver_only_s: seconds in which no task ran anywhere.
        lost: core-seconds that each cause cost; no second is counted twice.
        saved: seconds by which the phase would be shorter without one cause, at most.
        worst: the stage with the longest wait for its longest task: name, tasks, longest and median seconds.
        fewest: the stage that left most core-time unused because it had too few tasks: name, tasks.
    """

    window: Window
    core_s: float = 0.0
    busy_s: float = 0.0
    driver_only_s: float = 0.0
    slots: int = 1
    lost: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0.0))
    saved: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0.0))
    worst: dict[str, Any] = field(default_factory=dict)
    fewest: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> dict[str, Any]:
        """As plain JSON, times rounded to a tenth of a millisecond."""
        window = self.window
        return {
            "phase": window.phase, "pass": window.pass_, "kind": window.kind, "complete": window.complete,
            "start": round(window.start, 3), "seconds": round(window.end - window.start, _DIGITS),
            "slots": self.slots, "core_s": round(self.core_s, _DIGITS), "busy_s": round(self.busy_s, _DIGITS),
            "driver_only_s": round(self.driver_only_s, _DIGITS), "worst": self.worst, "fewest": self.fewest,
            "lost": {cause: round(value, _DIGITS) for cause, value in self.lost.items() if value > 0},
            "saved": {cause: round(value, _DIGITS) for cause, value in self.saved.items() if value > 0},
        }  # fmt: skip


def windows(events: Sequence[Event], last: float, *, ended: bool = True) -> list[Window]:
    """Return the window of each phase, as far as the event log covers it.

    Args:
        events: progress events of the application (`events.jsonl`).
        last: the last time in the log.
        ended: whether the log has the application's end; time after a log broke off is not counted as the driver's.
    """
    found: list[Window] = []
    open_: Event | None = None
    for event in events:
        if event["event"] == "phase_start" and "clock" in event:
            open_ = event
        elif event["event"] == "phase_end" and open_ is not None and "clock" in event:
            found.append(_window(open_, event["clock"], complete=True))
            open_ = None
    if open_ is not None:
        found.append(_window(open_, last, complete=False))
    if not ended:
        found = [replace(one, end=last, complete=False) if one.end > last else one for one in found]
    return [one for one in found if one.end > one.start]


def _window(start: Event, end: float, *, complete: bool) -> Window:
    return Window(start["phase"], start["pass_"], start["kind"], start["clock"], end, complete)


def use_of(window: Window, every: Any, cores: Cores, stages: Sequence[tuple[str, int]]) -> Use:
    """Compute the use of the cores in one phase.

    Args:
        window: of the phase.
        every: the application's table of tasks; tasks of other groups hold cores, too.
        cores: the executors, with the times at which they came and went.
        stages: name and number of tasks of each stage attempt.
    """
    use = Use(window)
    tasks = every[(every["finish"] > window.start) & (every["launch"] < window.end)]
    ran = levels(tasks, cores, window.start, window.end)
    wanted = np.maximum(ran.slots, cores.wanted_slots)
    use.core_s, use.busy_s = ran.area(wanted), ran.area(ran.busy)
    use.driver_only_s = ran.area(ran.busy == 0)
    use.slots = max(1, round(use.core_s / (window.end - window.start)))
    use.lost[DRIVER], use.saved[DRIVER] = ran.area(ran.slots * (ran.busy == 0)), use.driver_only_s
    _missing(use, ran, wanted, executors_went=cores.lost_one)
    costs = _Costs.of(tasks, window)
    for cause, core_s in costs.by_cause.items():
        use.lost[cause] += float(core_s.sum())
    waiting = (ran.slots - ran.busy) * (ran.busy > 0) * (ran.waiting > 0)
    slack = (ran.slots - ran.busy) * (ran.busy > 0) * (ran.waiting == 0)
    for block in blocks(costs.launch, costs.finish, tasks["stage"]):
        gap, rest = (float(ran.between(height, block.start, block.end)) for height in (waiting, slack))
        _block(use, block, costs, tasks["stage"], (gap, rest))
    use.worst, use.fewest = _stages(costs.seconds, tasks["stage"], use.slots, stages)
    return use


@dataclass(frozen=True)
class _Costs:
    """Of each task of a phase: its interval inside the phase, and the seconds of it that each cause took."""

    launch: Any
    finish: Any
    by_cause: dict[str, Any]

    @property
    def seconds(self) -> Any:
        return self.finish - self.launch

    @classmethod
    def of(cls, tasks: Any, window: Window) -> "_Costs":
        launch, finish = np.maximum(tasks["launch"], window.start), np.minimum(tasks["finish"], window.end)
        whole = tasks["finish"] - tasks["launch"]
        inside = np.divide(finish - launch, whole, out=np.zeros_like(whole), where=whole > 0)
        useful = 1.0 - np.maximum(tasks["wasted"], tasks["again"])
        running = {
            GC: tasks["gc_s"],
            SHUFFLE: tasks["fetch_wait_s"] + tasks["shuffle_write_s"],
            SPILL: _spilling(tasks),
        }
        total = sum(running.values())
        fits = np.divide(tasks["run_s"], total, out=np.ones_like(whole), where=total > tasks["run_s"])
        causes = {cause: seconds * fits * inside * useful for cause, seconds in running.items()}
        outside = tasks["scheduler_s"] + tasks["deserialise_s"] + tasks["serialise_s"]
        causes[OVERHEAD] = np.minimum(outside, whole) * inside * useful
        causes[LOST] = (finish - launch) * (1 - useful)
        return cls(launch, finish, causes)


def _spilling(tasks: Any) -> Any:
    """Estimate the seconds that each task spilled; the log has only bytes.

    Bytes are divided by `SPILL_BYTES_PER_S`. A task that got half a core, because others used it or a disk was
    slow, took twice as long for these as for all else; that shows in its run time against its CPU time, unless it waited
    for a Python worker, whose CPU time is not in the log.
    """
    waited = tasks["gc_s"] + tasks["fetch_wait_s"] + tasks["shuffle_write_s"]
    stretched = np.maximum(tasks["run_s"] - waited, 0.0)
    told = (tasks["cpu_s"] > 0) & (tasks["python"] == 0)
    slower = np.divide(stretched, tasks["cpu_s"], out=np.ones_like(stretched), where=told)
    return tasks["spill_memory"] / SPILL_BYTES_PER_S * np.maximum(slower, 1.0)


def _missing(use: Use, ran: Levels, wanted: Any, *, executors_went: bool) -> None:
    """Cores that were asked for and not there: lost with their executor, or never given."""
    cause = LOST if executors_went else STARVED
    use.lost[cause] += ran.area(wanted - ran.slots)
    short = np.divide(wanted - ran.slots, wanted, out=np.zeros(len(wanted)), where=wanted > 0)
    use.saved[cause] += ran.area(short * (ran.busy > 0))


def _block(use: Use, block: Block, costs: _Costs, stage: Any, idle: tuple[float, float]) -> None:
    """Add what a block lost: idle cores though tasks waited, idle cores at its end, and its tasks' own costs."""
    gap, rest = idle
    seconds, of_stage = costs.seconds[block.rows], stage[block.rows]
    unequal, few = imbalance(seconds, of_stage, use.slots)
    to_skew = rest * unequal / (unequal + few) if unequal + few > 0 else 0.0
    for cause, core_s in ((OVERHEAD, gap), (SKEW, to_skew), (STARVED, rest - to_skew)):
        use.lost[cause] += core_s
        use.saved[cause] += core_s / use.slots
    for cause, cost in costs.by_cause.items():
        use.saved[cause] += seconds_saved(block, seconds, cost[block.rows], use.slots)


def _stages(
    seconds: Any, stage: Any, slots: int, stages: Sequence[tuple[str, int]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Name the stage with the longest wait for its longest task, and the one whose number of tasks fits the slots least."""
    most_unequal, most_unused = 0.0, 0.0
    worst: dict[str, Any] = {}
    fewest: dict[str, Any] = {}
    order = np.argsort(stage, kind="stable")
    numbers, starts = np.unique(stage[order], return_index=True)
    for number, own in zip(numbers, np.split(seconds[order], starts[1:]), strict=False):
        name, tasks = stages[int(number)][0], len(own)
        longest, median = float(own.max()), float(np.median(own))
        unused = -tasks % slots * float(own.mean())
        if longest - median > most_unequal:
            most_unequal = longest - median
            worst = {"stage": name, "tasks": tasks, "max_s": round(longest, 3), "median_s": round(median, 3)}
        if unused > most_unused:
            most_unused = unused
            fewest = {"stage": name, "tasks": tasks}
    return worst, fewest
