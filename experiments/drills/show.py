"""Report of drills: an answer, tables, notes, and a page."""

import dataclasses
from collections.abc import Mapping, Sequence

from experiments.drills.drill import Drill, Drilled
from experiments.finding import Finding
from experiments.outcome import Outcome
from experiments.report import Report
from experiments.spec import Experiment
from experiments.tables import NONE, Table
from experiments.wording import counted, number_word, sentence

_MOST_LISTED = 3
QUESTION = "What happens to a trial when a part of the cluster is killed in the middle of it?"


def report_of(
    experiment: Experiment, outcome: Outcome, found: Sequence[Drilled], drills: Mapping[str, Drill]
) -> Report:
    """Return a separate report, because a page with the trials would mix their times with disturbed ones."""
    named = dataclasses.replace(
        experiment, name=f"{experiment.name}-drills", question=QUESTION, comparisons=(), means=()
    )
    return Report(named, [outcome], [finding_of(found, drills)])


def finding_of(found: Sequence[Drilled], drills: Mapping[str, Drill]) -> Finding:
    """Return the section of some drills, one of each kind."""
    return Finding(
        "Drills",
        answer(found),
        tables=(results(found), faults(found)),
        notes=tuple(notes(found, drills)),
        data={"drills": [{**dataclasses.asdict(item), "verdict": item.verdict} for item in found]},
    )


def answer(found: Sequence[Drilled]) -> str:
    """Say whether the drills ended with the undisturbed result, and what has to be run again."""
    bad = [item.kind for item in found if not item.good]
    if bad:
        good = f"{number_word(len(found) - len(bad))} of {counted(len(found), 'drill')}"
        return f"{sentence(good + ' ended with the undisturbed result')} Not so after the loss of: {_listed(bad)}."
    survived = [item.kind for item in found if item.status == "ok"]
    repeated = [item.kind for item in found if item.status != "ok"]
    words = [f"the trial survives the loss of: {_listed(survived)}"] if survived else []
    words += [f"it has to be run again after the loss of: {_listed(repeated)}"] if repeated else []
    return f"Every drill ended with the same model and the same rows. {sentence('; '.join(words))}"


def _listed(kinds: Sequence[str]) -> str:
    more = f" and {len(kinds) - _MOST_LISTED} more" if len(kinds) > _MOST_LISTED else ""
    return ", ".join(kind.replace("_", " ") for kind in kinds[:_MOST_LISTED]) + more


def results(found: Sequence[Drilled]) -> Table:
    """Return one row a drill: verdict, recovery and repeated work."""
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
    """Return one row a drill: what was killed, the phase's seconds without and with it, and the difference of the results."""
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
    """Return the meanings of the columns, and further observations."""
    lines = [f"{item.kind}: {item.verdict}" for item in found if not item.good]
    lines += [
        f"recovery of {item.kind}: from the kill to: {drills[item.kind].recovered}"
        for item in found
        if item.kind in drills
    ]
    lines.append(
        "recomputed tasks: successful tasks in addition to those of the undisturbed run or, where the application was run "
        "again, all of its tasks before that; work that is repeated inside a task (a lost cached block) is not counted"
    )
    lines.append(
        "phase: the one in which the part was killed, undisturbed and disturbed. There is one run of each, so their difference "
        "has no interval"
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
