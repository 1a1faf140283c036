"""Report of drills: an answer, tables, notes, and a page."""

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cluster.lifecycle import Cluster
from experiments.metric_table import (
    APART,
    DISTURBED,
    FAILED,
    LOST,
    RECOMPUTED,
    RECOVERY,
    STORED,
    UNDISTURBED,
)
from experiments.page.finding import Finding
from experiments.page.merged_notes import by_statement
from experiments.page.tables import NONE, Table
from experiments.page.wording import counted, number_word, sentence
from experiments.report.report import Report
from experiments.report.show import added
from experiments.results.outcome import Outcome
from experiments.run.runner import open_recorder
from experiments.spec.experiment import Experiment
from experiments.studies.drills.drill import Drill, Drilled
from experiments.studies.drills.kinds import DRILLS
from experiments.studies.drills.session import Session

logger = logging.getLogger(__name__)

_MOST_LISTED = 3
_COLUMNS = (
    f"{RECOMPUTED.titled()}: more than in the undisturbed run; of an application that ran again, all that it had done before",
    "work that is repeated inside a task (a lost cached block) is not counted as recomputed",
    f"{UNDISTURBED.titled()}, {DISTURBED.titled()}: of one run each, so their difference has no interval",
)
QUESTION = "What happens to a trial when a part of the cluster is killed in the middle of it?"


def show(session: Session) -> None:
    """Print the drills of a session and write the page, which shows the newest of each kind; add it to the record."""
    experiment, outcome = session.experiment, session.outcome
    print(f"\n{report_of(experiment, outcome, session.done, DRILLS).text()}\n")
    report = report_of(experiment, outcome, session.newest(), DRILLS)
    written = report.write(session.settings.run_dir / "reports")
    with added():
        recorder = open_recorder(session.settings, Cluster(session.settings).address("mlflow"))
        parent = recorder.open(experiment.name, outcome.basis, [], {})
        recorder.attach(parent.run_id, written, "drills")
    print(f"page: {written[0]}\nnumbers: {written[1]}")


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
    header = ["drill", "verdict", *(metric.titled() for metric in (RECOVERY, RECOMPUTED, FAILED, LOST))]
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
    header = [
        "drill",
        "killed",
        "in",
        *(metric.titled() for metric in (UNDISTURBED, DISTURBED, APART, STORED)),
    ]
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
    lines = _named((item.kind, item.verdict) for item in found if not item.good)
    lines += [
        f"{RECOVERY.titled()}, after the loss of {', '.join(kinds)}: from the kill to: {until}"
        for until, kinds in by_statement(
            (item.kind, drills[item.kind].recovered) for item in found if item.kind in drills
        ).items()
    ]
    lines += _COLUMNS
    for texts in (_differences, _ends, _reruns):
        lines += _named((item.kind, text) for item in found for text in texts(item))
    return lines


def _named(said: Iterable[tuple[str, str]]) -> list[str]:
    """Say once for all drills of the same observation what it is."""
    return [f"{', '.join(dict.fromkeys(kinds))}: {text}" for text, kinds in by_statement(said).items()]


def _differences(item: Drilled) -> Iterator[str]:
    yield from (*item.differences, *item.left, *item.notes)


def _ends(item: Drilled) -> Iterator[str]:
    if item.error:
        why = item.error.splitlines()[0].partition("; the end of ")[0]
        yield f"{item.ended_s:.1f} s after the fault the application had ended: {why}"


def _reruns(item: Drilled) -> Iterator[str]:
    if item.rerun_s is not None:
        yield f"run again in {item.rerun_s:.1f} s: {item.rerun_status}"
