"""Bottleneck of each trial, from Spark's event log."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from core.units import mb
from experiments.metric_table import TOTAL
from experiments.page.finding import Finding
from experiments.page.merged_notes import TrialNames, with_ranges
from experiments.page.plots import Plot
from experiments.page.tables import NONE, Table
from experiments.page.timeline_plot import picture
from experiments.results.metrics import medians
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment
from experiments.telemetry.bottleneck.causes import GC, MATTERS, OVERHEAD, SHUFFLE, SPILL
from experiments.telemetry.bottleneck.inflation import Inflation, inflation
from experiments.telemetry.bottleneck.verdict import PhaseVerdict, Verdict, verdict

_MOST_ROWS = 40
_HEADER = [
    "trial", "phase", "of a pass", "held back by", "busy", "driver only", "max/median task", "GC", "shipping",
    "shuffle wait", "shuffle MB", "spill MB", "lost and rerun",
]  # fmt: skip

_NOTES = (
    "busy: share of core-time with a task; driver only: share of time without one; GC, shipping, shuffle wait: of core-time",
    f"held back by: causes that cost {MATTERS:.0%} or more (\u2264: at most so many times as fast without it); causes overlap",
    "numbers are of the measured passes; how they are computed: docs/adr/0006-why-it-did-not-scale.md",
)


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    names = TrialNames(outcomes)
    found = [(outcome, judged) for outcome in outcomes if (judged := verdict(outcome))]
    if not found:
        packed = _packed(outcomes, names)
        return Finding("Why not faster", notes=(packed,)) if packed else None
    grown = {outcome.key: inflation(outcome, outcomes) for outcome, _ in found}
    sentences = {outcome.key: _sentence(judged, grown[outcome.key]) for outcome, judged in found}
    largest = max(found, key=lambda item: (item[0].size.capacity, _seconds(item[0])))[0]
    lines = _said([(outcome, sentences[outcome.key]) for outcome, _ in found], names, largest)
    return Finding(
        "Why not faster",
        # A search asks which settings are best; the bottleneck of one of its trials does not answer that.
        why="" if experiment.search else f"{lines[0]}.",
        tables=(Table(_HEADER, _rows(found)),),
        plots=tuple(_plots([outcome for outcome, _ in found], largest)),
        notes=(*(lines if experiment.search else lines[1:]), *_notes(found, names)),
        data={"bottlenecks": [_plain(o, judged, grown[o.key], sentences[o.key]) for o, judged in found]},
    )


def _said(found: Sequence[tuple[Outcome, str]], names: TrialNames, largest: Outcome) -> list[str]:
    """Say what held the trials back, once for those of the same cause; the largest shape's comes first."""
    groups = [(names.of(some), text, largest in some) for text, some in with_ranges(found).items()]
    return [f"{who}: {text}" for who, text, _ in sorted(groups, key=lambda group: not group[2])]


def _sentence(judged: Verdict, grown: Inflation | None) -> str:
    return judged.sentence + (f"; {grown.sentence}" if grown and grown.matters else "")


def _rows(found: Sequence[tuple[Outcome, Verdict]]) -> list[list[str]]:
    """Return one row a phase or, where these are too many, the most important phase of each trial."""
    every = [(outcome, phase) for outcome, judged in found for phase in judged.phases]
    if len(every) > _MOST_ROWS:
        every = [(outcome, _main(judged)) for outcome, judged in found]
    return [[outcome.label, *_cells(phase)] for outcome, phase in every]


def _main(judged: Verdict) -> PhaseVerdict:
    named = [phase for phase in judged.phases if phase.phase == judged.phase]
    return named[0] if named else max(judged.phases, key=lambda phase: phase.share)


def _cells(phase: PhaseVerdict) -> list[str]:
    totals = phase.totals
    again = totals.get("failed_tasks", 0) + totals.get("recomputed_tasks", 0)
    moved = totals.get("shuffle_read", 0) + totals.get("shuffle_write", 0)
    return [
        phase.phase,
        f"{phase.share:.0%}",
        ", ".join(f"{cause} (\u2264{phase.at_most(cause):.1f}\u00d7)" for cause in phase.causes) or NONE,
        f"{phase.occupancy:.0%}",
        f"{phase.driver_only:.0%}",
        f"{phase.skew:.1f}" if phase.skew else NONE,
        f"{phase.lost[GC]:.0%}",
        f"{phase.lost[OVERHEAD]:.0%}",
        f"{phase.lost[SHUFFLE]:.0%}",
        mb(moved, 1),
        mb(totals.get("spill", 0), 1) + (f" ({phase.lost[SPILL]:.0%})" if phase.lost[SPILL] else ""),
        f"{again:,.0f}",
    ]


def _plots(outcomes: Sequence[Outcome], largest: Outcome) -> list[Plot]:
    """Return timelines of the largest shape and of the slowest trial."""
    slowest = max(outcomes, key=_seconds)
    chosen = {largest.key: ("timeline-largest", largest), slowest.key: ("timeline-slowest", slowest)}
    shown = [
        picture(name, outcome.label, (outcome.measured or outcome.applications)[0])
        for name, outcome in chosen.values()
    ]
    return [plot for plot in shown if plot]


def _seconds(outcome: Outcome) -> float:
    return max(medians(outcome, TOTAL), default=0.0)


def _notes(found: Sequence[tuple[Outcome, Verdict]], names: TrialNames) -> list[str]:
    notes = [*_NOTES]
    if len([phase for _, judged in found for phase in judged.phases]) > _MOST_ROWS:
        notes.append(
            "only the most important phase of each trial is shown; the other phases are in the JSON file"
        )
    broken = [o for o, _ in found if any(item.telemetry.get("truncated") for item in o.applications)]
    if broken:
        notes.append(f"the event log ends in the middle of a line: {names.of(broken)}")
    packed = _packed([outcome for outcome, _ in found], names)
    return [*notes, packed] if packed else notes


def _packed(outcomes: Sequence[Outcome], names: TrialNames) -> str:
    packed = [o for o in outcomes if any(item.telemetry.get("packed") for item in o.applications)]
    if not packed:
        return ""
    return f"the event logs of {names.of(packed)} were not read because they are compressed; set spark.eventLog.compress to false"


def _plain(outcome: Outcome, judged: Verdict, grown: Inflation | None, sentence: str) -> dict[str, Any]:
    phases = [
        {
            **dataclasses.asdict(phase),
            "causes": {cause: round(phase.at_most(cause), 3) for cause in phase.causes},
        }
        for phase in judged.phases
    ]
    return {
        "trial": outcome.label,
        "key": outcome.key,
        "verdict": sentence,
        "phase": judged.phase,
        "cause": judged.cause,
        "task_time_ratio": grown.ratio if grown else None,
        "phases": phases,
    }


FIND = _find
