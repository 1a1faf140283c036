"""The pairs that a spec sets side by side."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from experiments.analysis import Compared, compare
from experiments.finding import Finding
from experiments.outcome import Outcome
from experiments.picture import Plot
from experiments.plots import MOST_BARS, ratios
from experiments.spec import Experiment
from experiments.tables import comparison_table


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
        tables=(comparison_table(compared),),
        plots=(plot,) if claimed and len(claimed) <= MOST_BARS else (),
        data={"comparisons": [_plain(item) for item in compared]},
    )


def _plain(item: Compared) -> dict[str, Any]:
    named = {"baseline": dict(item.baseline), "contender": dict(item.contender)}
    result = dataclasses.asdict(item.result)
    return {**named, "metric": item.metric, "where": item.where} | {
        key: result[key] for key in ("ratio", "low", "high", "refused")
    }


FIND = _find
