"""Memory that executors took in each phase, as the host saw it."""

from collections.abc import Sequence

from experiments.metric_table import RESIDENT
from experiments.page.finding import Finding
from experiments.page.tables import Table
from experiments.results.metrics import phases, resident
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment

_OWN, _PSS = RESIDENT
_NOTES = (
    (
        "the most anonymous and shared memory of all executors together, JVM and Python workers, in half-second samples; median of the measured "
        "passes. It has what a JVM once took and does not give back, up to its -Xmx, and counts twice what a forked Python worker shares with its parent. In "
        "brackets PSS, in samples of three seconds, which counts shared pages once, and mapped files, too"
    ),
)


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    del experiment
    found = [
        (outcome, known)
        for outcome in outcomes
        if (known := {phase: text for phase in phases(outcome) if (text := _text(outcome, phase))})
    ]
    if not found:
        return None
    named = list(dict.fromkeys(phase for _, known in found for phase in known))
    rows = [[outcome.label, *(known.get(phase, "") for phase in named)] for outcome, known in found]
    return Finding(
        "Memory of the executors",
        tables=(Table(["trial", *(f"{phase} MB" for phase in named)], rows),),
        notes=_NOTES,
        data={"memory": [{"trial": outcome.label, **known} for outcome, known in found]},
    )


def _text(outcome: Outcome, phase: str) -> str:
    own = resident(outcome, phase, _OWN.key)
    if own is None:
        return ""
    pss = resident(outcome, phase, _PSS.key)
    beside = "" if pss is None else f" ({pss * _PSS.factor:,.0f})"
    return f"{own * _OWN.factor:,.0f}{beside}"


FIND = _find
