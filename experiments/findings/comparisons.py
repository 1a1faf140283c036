"""The pairs that a spec sets side by side."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from experiments.analysis import Compared, compare
from experiments.figure import Plot
from experiments.finding import Finding
from experiments.outcome import Outcome
from experiments.plots import MOST_BARS, ratios
from experiments.ratios import notes
from experiments.scaling.families import SCALED
from experiments.spec import Experiment
from experiments.tables import comparison_table, side


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    compared = list(compare(experiment.comparisons, [item for item in outcomes if item.measured]))
    if not compared:
        return None
    claimed = [item for item in compared if item.result.ratio is not None]
    caption = (
        "How many times as fast the contender is; with a 95% interval where there are five applications."
    )
    size = (7.5, 1.3 + 0.5 * len(claimed))
    narrow = (4.4, 1.3 + 0.8 * len(claimed))
    plot = Plot("comparisons", caption, lambda axes: ratios(axes, claimed), size, narrow=narrow)
    return Finding(
        "Comparisons",
        answer=_answer(compared[0]) if len(compared) == 1 else "",
        tables=(comparison_table(compared),),
        plots=(plot,) if claimed and len(claimed) <= MOST_BARS else (),
        notes=tuple(
            notes(
                (f"{side(item.contender)} over {side(item.baseline)} {item.where}".rstrip(), item.result)
                for item in compared
            )
        ),
        data={"comparisons": [_plain(item) for item in compared]},
    )


def _answer(item: Compared) -> str:
    """Answer an experiment that asks for one comparison; nothing where there is no claim, or a curve answers."""
    if {*item.contender, *item.baseline} & {*SCALED}:
        return ""
    result, ours, theirs = item.result, side(item.contender), side(item.baseline)
    if result.ratio is None or result.low is None or result.high is None:
        return ""
    interval = f"(95%: {result.low:.2f}\u2013{result.high:.2f})"
    if result.low <= 1 <= result.high:
        return f"{ours} cannot be told from {theirs}: {result.ratio:.2f} times as fast {interval}."
    return f"{ours} is {result.ratio:.2f} times as fast as {theirs} {interval}."


def _plain(item: Compared) -> dict[str, Any]:
    named = {"baseline": dict(item.baseline), "contender": dict(item.contender)}
    result = dataclasses.asdict(item.result)
    return {**named, "metric": item.metric, "where": item.where} | {
        key: result[key] for key in ("ratio", "low", "high", "refused", "unpaired", "left_out")
    }


FIND = _find
