"""Tells a person what drills came to: a table, sentences, and a page."""

import dataclasses
from collections.abc import Mapping, Sequence

from experiments.drills.drill import Drill, Drilled
from experiments.finding import Finding
from experiments.outcome import Outcome
from experiments.report import Report
from experiments.spec import Experiment
from experiments.tables import NONE, Table

QUESTION = "What happens to a trial when a part of the cluster is killed in the middle of it?"


def report_of(
    experiment: Experiment, outcome: Outcome, found: Sequence[Drilled], drills: Mapping[str, Drill]
) -> Report:
    """Return a report of its own: a page of the trials' report would mix their times with disturbed ones."""
    named = dataclasses.replace(
        experiment, name=f"{experiment.name}-drills", question=QUESTION, comparisons=(), means=()
    )
    return Report(named, [outcome], [finding_of(found, drills)])


def finding_of(found: Sequence[Drilled], drills: Mapping[str, Drill]) -> Finding:
    """Sum up drills, one a kind."""
    return Finding(
        "Drills",
        answer(found),
        tables=(results(found), faults(found)),
        notes=tuple(notes(found, drills)),
        data={"drills": [{**dataclasses.asdict(item), "verdict": item.verdict} for item in found]},
    )


def answer(found: Sequence[Drilled]) -> str:
    """Say in a sentence what they come to."""
    bad = [item for item in found if not item.good]
    if bad:
        return (
            f"{len(found) - len(bad)} of {len(found)} drills ended with the undisturbed result; not: "
            + "; ".join(f"{item.kind} ({item.verdict})" for item in bad)
        )
    survived = [item.kind for item in found if item.status == "ok"]
    repeated = [item.kind for item in found if item.status != "ok"]
    words = [f"the trial survives the loss of: {', '.join(survived)}"] if survived else []
    words += [f"it has to be run again after the loss of: {', '.join(repeated)}"] if repeated else []
    return f"Every drill ended with the same model and the same rows: {'; '.join(words)}."


def results(found: Sequence[Drilled]) -> Table:
    """One row a drill: what came of it."""
    header = ["drill", "verdict", "recovery s", "recomputed tasks", "failed tasks", "executors lost"]
    rows = [
        [
            item.kind,
            item.verdict,
            "not seen" if item.recovery_s is None else f"{item.recovery_s:.1f}",
            str(item.recomputed_tasks),
            str(item.failed_tasks),
            str(item.executors_lost),
        ]
        for item in found
    ]
    return Table(header, rows)


def faults(found: Sequence[Drilled]) -> Table:
    """One row a drill: what was killed, what that cost the phase, and how the result compares."""
    header = ["drill", "killed", "in", "phase undisturbed s", "disturbed s", "model differs by", "rows"]
    rows = [
        [
            item.kind,
            item.victim,
            f"{item.phase}, {item.after_s:.1f} s",
            f"{item.undisturbed_s:.1f}",
            NONE if item.disturbed_s is None else f"{item.disturbed_s:.1f}",
            NONE if item.largest_difference is None else f"{item.largest_difference:.1g}",
            f"{item.rows:,}",
        ]
        for item in found
    ]
    return Table(header, rows)


def notes(found: Sequence[Drilled], drills: Mapping[str, Drill]) -> list[str]:
    """Say what the columns mean, and what else was seen."""
    lines = [
        f"recovery of {item.kind}: from the kill to: {drills[item.kind].recovered}"
        for item in found
        if item.kind in drills
    ]
    lines.append(
        "recomputed tasks: tasks that ended well beyond those of the undisturbed run, or, where the application was "
        "run again, all that it had done until then; work that is repeated within a task (a lost cached block) is no task more"
    )
    lines.append(
        "phase: the struck one, undisturbed and disturbed; one run of each, so their difference is a look, not a claim"
    )
    for item in found:
        lines += [f"{item.kind}: {text}" for text in (*item.differences, *item.left, *item.notes)]
        if item.error:
            lines.append(
                f"{item.kind}: {item.ended_s:.1f} s after the fault the application had ended: {item.error.splitlines()[0].partition('; the end of ')[0]}"
            )
        if item.rerun_s is not None:
            lines.append(f"{item.kind}: run again in {item.rerun_s:.1f} s: {item.rerun_status}")
    return lines
