"""Iterations of fits on our own engine: their parts, what they ship, and how near the kernel is to the processor's limit."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.metric_table import ENGINE
from experiments.page.finding import Finding
from experiments.page.plots import COLOURS, Plot
from experiments.page.tables import Table
from experiments.results.metrics import quality
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment

_PARTS = ("solve", "gather", "ship", "wait")
_HEADER = [
    "trial",
    "build s",
    "iteration s",
    *(f"{part} s" for part in _PARTS),
    "shipped MB",
    "GFLOP/s a core",
    "of its product",
]
_NOTES = (
    (
        "of an iteration, which is two half-steps; parts are core-seconds over the number of cores: solve: normal equations and Cholesky "
        "factors; gather: the other side's factors; ship: broadcast, loading and results; wait: cores without a task of ours"
    ),
    (
        "shipped: factors that went to the Python workers and came back; of its product: the kernel's share of the float32 matrix product "
        "that the same cores reach at the same time"
    ),
)


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    del experiment
    found = [(outcome, known) for outcome in outcomes if (known := _known(outcome))]
    if not found:
        return None
    height = 1.3 + 0.42 * len(found)
    caption = "Seconds of an iteration on the engine by part, as if all cores did the same at the same time."
    return Finding(
        "Iterations of the engine",
        tables=(Table(_HEADER, [[outcome.label, *_cells(known)] for outcome, known in found]),),
        plots=(
            Plot(
                "engine", caption, lambda axes: _bars(axes, found), (7.5, height), narrow=(4.4, height + 0.6)
            ),
        ),
        notes=_NOTES,
        data={"engine": [{"trial": outcome.label, **known} for outcome, known in found]},
    )


def _known(outcome: Outcome) -> dict[str, float]:
    """Return the engine's numbers of a trial by their short names."""
    values = quality(outcome)
    named = {ENGINE.word_of(name): value for name, value in values.items()}
    return {str(name): value for name, value in named.items() if name is not None}


def _cells(known: Mapping[str, float]) -> list[str]:
    seconds = [f"{known[f'{part}_s']:.2f}" for part in ("build", "iteration", *_PARTS)]
    return [*seconds, f"{known['shipped_mb']:.1f}", f"{known['gflops']:.1f}", f"{known['product_share']:.0%}"]


def _bars(axes: Any, found: Sequence[tuple[Outcome, Mapping[str, float]]]) -> None:
    left = [0.0] * len(found)
    for part, colour in zip(_PARTS, COLOURS, strict=False):
        widths = [known[f"{part}_s"] for _, known in found]
        axes.barh(range(len(found)), widths, left=left, height=0.62, label=part, color=colour)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    axes.set_yticks(range(len(found)), [outcome.label for outcome, _ in found])
    axes.invert_yaxis()
    axes.set_xlabel("seconds of an iteration")
    axes.legend(ncols=len(_PARTS), loc="upper center", bbox_to_anchor=(0.5, 1.25), frameon=False)


FIND = _find
