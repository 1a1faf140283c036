"""Verdict on what held a trial back, with its numbers, from the telemetry of all its applications."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.units import mb
from experiments.results.outcome import Application, Outcome
from experiments.telemetry.bottleneck.causes import (
    CAUSES,
    DRIVER,
    GC,
    LOST,
    MATTERS,
    MATTERS_TO_TRIAL,
    OVERHEAD,
    SHUFFLE,
    SKEW,
    SPILL,
    STARVED,
)

_MOST_SAVED = 0.99  # what would be left is then too little to divide by


@dataclass(frozen=True)
class PhaseVerdict:
    """One phase over all measured passes of a trial.

    Attributes:
        passes: number of passes, taken together; `kind` is "repeat", or "cold" where none was measured.
        seconds: of one pass, on average; share: of all phases' time.
        occupancy: share of core-time in which a task held a core; driver_only: share of time in which none ran.
        lost: share of core-time that each cause cost; saved: share of time that would be saved without it, at most.
        skew: longest over median task of the stage that waited longest for one task; 0 where no stage had two.
        worst, fewest: as in `experiments.telemetry.bottleneck.phase.Use`, of the pass that shows it most.
        totals: means over passes of what the tasks of the phase cost (`experiments.telemetry.bottleneck.tasks.totals`).
        slots: how many tasks could run at a time.
    """

    phase: str
    kind: str
    passes: int
    seconds: float
    share: float
    occupancy: float
    driver_only: float
    lost: dict[str, float]
    saved: dict[str, float]
    skew: float
    slots: int
    worst: dict[str, Any] = field(default_factory=dict)
    fewest: dict[str, Any] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=dict)

    @property
    def causes(self) -> list[str]:
        """Causes that matter, the most costly first; empty for a healthy phase."""
        return sorted((c for c in CAUSES if self.saved[c] >= MATTERS), key=lambda c: -self.saved[c])

    def at_most(self, cause: str) -> float:
        """Return how many times as fast the phase could be without a cause, at most."""
        return 1 / (1 - min(self.saved[cause], _MOST_SAVED))

    def sentence(self, cause: str) -> str:
        """Say what a cause costs, and what the phase could be without it."""
        return f"{self.phase}: {_SENTENCES[cause](self)}; without that at most {self.at_most(cause):.1f}\u00d7 as fast"


@dataclass(frozen=True)
class Verdict:
    """Bottleneck of a trial.

    Attributes:
        phases: in the order in which they ran.
        phase, cause: what matters most; both empty where nothing does.
        sentence: the verdict in words.
    """

    phases: list[PhaseVerdict]
    phase: str
    cause: str
    sentence: str


def verdict(outcome: Outcome) -> Verdict | None:
    """Judge a trial by the applications that ended well, by all if none did; None without an event log."""
    shown = outcome.measured or outcome.applications
    phases = judged(shown)
    if not phases:
        return None
    most = max(
        ((item.saved[cause] * item.share, item, cause) for item in phases for cause in item.causes),
        key=lambda found: found[0],
        default=None,
    )
    if most is None or most[0] < MATTERS_TO_TRIAL:
        return Verdict(phases, "", "", _healthy(phases, outcome) + _caveats(outcome, shown))
    _, phase, cause = most
    others = [other for other in phase.causes if other != cause]
    also = f" (also {', '.join(others)})" if others else ""
    return Verdict(phases, phase.phase, cause, phase.sentence(cause) + also + _caveats(outcome, shown))


def judged(applications: Sequence[Application]) -> list[PhaseVerdict]:
    """Judge each phase over some applications; warm-ups count only if no pass was measured."""
    every = [(item, use) for item in applications for use in item.telemetry.get("phases", ())]
    chosen = [found for found in every if found[1]["kind"] == "repeat"]
    chosen = [found for found in chosen or every if found[1]["seconds"] > 0]
    names = list(dict.fromkeys(use["phase"] for _, use in chosen))
    total = sum(use["seconds"] for _, use in chosen)
    return [_phase(name, [found for found in chosen if found[1]["phase"] == name], total) for name in names]


def _phase(name: str, found: Sequence[tuple[Application, dict[str, Any]]], total: float) -> PhaseVerdict:
    """Judge one phase; shares are of sums, so that a long pass counts for more than a short one."""
    uses = [use for _, use in found]
    seconds = sum(use["seconds"] for use in uses)
    core_s = sum(use["core_s"] for use in uses) or 1.0
    worst: dict[str, Any] = max((use["worst"] for use in uses), key=_waited, default={})
    fewest: dict[str, Any] = next((use["fewest"] for use in uses if use["fewest"]), {})
    groups = [item.cost_of(name, use["pass"]) for item, use in found]
    keys = dict.fromkeys(key for group in groups for key in group)
    return PhaseVerdict(
        phase=name,
        kind=uses[0]["kind"],
        passes=len(uses),
        seconds=seconds / len(uses),
        share=seconds / total,
        occupancy=sum(use["busy_s"] for use in uses) / core_s,
        driver_only=sum(use["driver_only_s"] for use in uses) / seconds,
        lost={cause: sum(use["lost"].get(cause, 0.0) for use in uses) / core_s for cause in CAUSES},
        saved={cause: sum(use["saved"].get(cause, 0.0) for use in uses) / seconds for cause in CAUSES},
        skew=worst["max_s"] / max(worst["median_s"], 1e-3) if worst else 0.0,
        slots=round(statistics.median(use["slots"] for use in uses)),
        worst=worst,
        fewest=fewest,
        totals={key: statistics.fmean(group.get(key, 0.0) for group in groups) for key in keys},
    )


def _waited(stage: dict[str, Any]) -> float:
    return float(stage["max_s"] - stage["median_s"]) if stage else 0.0


def _healthy(phases: Sequence[PhaseVerdict], outcome: Outcome) -> str:
    longest = max(phases, key=lambda item: item.share)
    cause = max(CAUSES, key=lambda name: longest.saved[name])
    text = (
        f"no bottleneck found: {longest.phase} ({longest.share:.0%} of a pass) kept {longest.occupancy:.0%} of the "
        f"core-time busy, and without its largest loss, {_WORDS[cause]}, it would be at most {longest.at_most(cause):.2f}\u00d7 as fast"
    )
    if outcome.shape_tag != "clean":
        text += f"; what driver and workers take from one another ({outcome.shape_tag}) does not show in Spark's log"
    return text


def _caveats(outcome: Outcome, shown: Sequence[Application]) -> str:
    notes = []
    if not outcome.measured:
        notes.append("no application ended well")
    if any(not item.telemetry.get("ended", True) for item in shown):
        notes.append("an event log breaks off")
    if any(use["kind"] != "repeat" for use in _uses(shown)) and not any(
        use["kind"] == "repeat" for use in _uses(shown)
    ):
        notes.append("no pass was measured, so warm-ups are judged")
    if outcome.executors_lost:
        notes.append(f"{outcome.executors_lost} executor(s) lost")
    return f" [{'; '.join(notes)}]" if notes else ""


def _uses(shown: Sequence[Application]) -> list[dict[str, Any]]:
    return [use for item in shown for use in item.telemetry.get("phases", ())]


def _stage(found: dict[str, Any]) -> str:
    return f"{found['stage']!r}" if found.get("stage") else "its longest stage"


def _skewed(item: PhaseVerdict) -> str:
    worst = item.worst
    return (
        f"cores waited for the longest task during {item.lost[SKEW]:.0%} of the core-time: {worst['max_s']:.1f} s against a "
        f"median of {worst['median_s']:.2f} s in {_stage(worst)}"
    )


def _starved(item: PhaseVerdict) -> str:
    few = f": {item.fewest['tasks']} task(s) in {_stage(item.fewest)}" if item.fewest else ""
    return f"{item.lost[STARVED]:.0%} of the core-time had no task left to run on {item.slots} core(s){few}; more partitions, not more workers"


def _overhead(item: PhaseVerdict) -> str:
    tasks, median = item.totals.get("tasks", 0), item.totals.get("task_median_s", 0.0)
    return (
        f"{item.lost[OVERHEAD]:.0%} of the core-time went into shipping tasks, not into running them ({tasks:,.0f} tasks a "
        f"pass, half of them under {median:.2f} s); fewer and larger tasks, not more workers"
    )


_SENTENCES: dict[str, Callable[[PhaseVerdict], str]] = {
    DRIVER: lambda item: (
        f"{item.driver_only:.0%} of the time no core worked: the driver planned, set up or computed by itself; "
        "adding workers cannot help"
    ),
    SKEW: _skewed,
    STARVED: _starved,
    OVERHEAD: _overhead,
    GC: lambda item: (
        f"{item.lost[GC]:.0%} of the core-time went to garbage collection; more memory an executor, or less of it kept"
    ),
    SPILL: lambda item: (
        f"about {item.lost[SPILL]:.0%} of the core-time went into spilling ({mb(item.totals.get('spill_memory', 0))} MB of "
        f"memory, {mb(item.totals.get('spill', 0))} MB on disk a pass); more memory an executor, or more partitions"
    ),
    SHUFFLE: lambda item: (
        f"{item.lost[SHUFFLE]:.0%} of the core-time waited for shuffled data ({mb(item.totals.get('shuffle_read', 0))} MB read, "
        f"{mb(item.totals.get('shuffle_write', 0))} MB written a pass)"
    ),
    LOST: lambda item: (
        f"{item.lost[LOST]:.0%} of the core-time was lost with an executor or with tasks that failed: cores that were gone, and "
        f"{item.totals.get('failed_tasks', 0) + item.totals.get('recomputed_tasks', 0):.0f} task(s) a pass that failed or ran again"
    ),
}
_WORDS = {
    DRIVER: "time in which only the driver worked", SKEW: "waiting for the longest task", STARVED: "cores without a task",
    OVERHEAD: "shipping tasks", GC: "garbage collection", SPILL: "spilling", SHUFFLE: "waiting for shuffled data",
    LOST: "work lost with an executor",
}  # fmt: skip
