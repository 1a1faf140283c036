"""The pairs that a spec sets side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.page.figure import Plot
from experiments.page.finding import Finding
from experiments.page.plots import MOST_BARS, ratios
from experiments.page.tables import comparison_table, side
from experiments.page.wording import clipped, counted, model_name, plain, sentence, setting, times
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment
from experiments.spec.tables import MODEL
from experiments.stats.families import SCALED
from experiments.stats.faster import Compared, compare
from experiments.stats.ratios import notes


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
        answer=_answer(compared[0], outcomes) if len(compared) == 1 else "",
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


def _answer(item: Compared, outcomes: Sequence[Outcome]) -> str:
    """Answer an experiment that asks for one comparison; nothing where there is no claim, or a curve answers."""
    if {*item.contender, *item.baseline} & {*SCALED}:
        return ""
    result, ours, theirs = item.result, _words(item.contender), _words(item.baseline)
    told = result.turned if result.verdict == "slower" else result
    if told.ratio is None or (ends := told.interval) is None:
        return ""
    verb = "takes" if told.verdict == "slower" else "is"
    text = f"{ours} {verb} {times(told.ratio)} times {told.direction} as {theirs}"
    if told.verdict == "indistinguishable":
        text = (
            f"{ours} cannot be told from {theirs} in time ({times(told.ratio)} times {told.direction} as it)"
        )
    fewest = min(len(outcome.measured) for outcome in outcomes if outcome.measured)
    return f"{sentence(text)} The 95% interval of {counted(fewest, 'run')} each is {times(ends[0])} to {times(ends[1])}."


def _words(selection: Mapping[str, Any]) -> str:
    """Name one side by its values: docker, ALS, rank 16, the fit."""
    words = [
        f"the {value}" if key == "phase"
        else model_name(value) if key == MODEL
        else clipped(plain(value), 40) if isinstance(value, str)
        else setting(key, value)
        for key, value in selection.items()
    ]  # fmt: skip
    return " and ".join(words[:2])


def _plain(item: Compared) -> dict[str, Any]:
    named = {"baseline": dict(item.baseline), "contender": dict(item.contender)}
    return {**named, "metric": item.metric, "where": item.where, **item.result.as_json()}


FIND = _find
