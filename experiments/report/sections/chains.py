"""Markov chains of Bayesian models: whether they agree, their course, and whether the intervals hold what they say."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

from experiments.metric_table import CALIBRATION, CHAIN, INTERVALS, RMSE
from experiments.page.figure import COLOURS, GREY, Plot
from experiments.page.finding import Finding
from experiments.page.tables import Table
from experiments.results.metrics import quality, series
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment

_PAIRS = "pairs"
_TRACED = {"noise": "noise's precision", RMSE.key: "training RMSE", _PAIRS: "predictions"}
_LEVELS = (50, 80, 95)
_MOST_NAMED = 4
"""Trials that a picture names; of more it shows how they lie together, and the table which is which."""

_AGREED, _AGREED_PAIRS = 1.05, 1.1
"""R-hat above which the chains are not said to agree; of predictions there are as many draws as samples are kept, and the worst of twenty is told."""

_NOTES = (
    (
        "R-hat: how much wider the draws of all chains together are than those of half a chain, 1 if they tell the same; size: independent draws "
        "that the draws are worth. Both are of the sweeps after the burn-in; of predictions, of the kept samples on the fixed pairs, what 95% of the "
        "pairs reach"
    ),
    (
        "intervals: the share of test ratings within the prediction's normal distribution of that level. Ratings are whole or half steps and "
        "distributions are not: an interval narrower than a step holds all of a step or nothing"
    ),
)


def _chain(word: str) -> str:
    return CHAIN.key.format(name=word)


def _interval(level: int) -> str:
    return INTERVALS.key.format(name=level)


_RMSE = _chain(f"{RMSE.key}_")


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    del experiment
    found = [(outcome, quality(outcome)) for outcome in outcomes if _chain("noise") in quality(outcome)]
    if not found:
        return None
    header = ["trial", *(f"{what}: {told}" for what in _TRACED.values() for told in ("R-hat", "size"))]
    header += ["noise", *(f"{level}% hold" for level in _LEVELS)]
    plots = []
    if any(series(outcome).get(CALIBRATION.key) for outcome, _ in found):
        caption = "Share of test ratings in the intervals of each level; on the grey line intervals hold what they say. Below it they are too narrow."
        plots.append(
            Plot(
                CALIBRATION.key,
                caption,
                lambda axes: _calibration(axes, found),
                (5.2, 4.6),
                narrow=(4.2, 4.2),
            )
        )
    if any(name.startswith(_RMSE) for outcome, _ in found for name in series(outcome)):
        caption = "RMSE on the training rows at each sweep, a line a chain."
        plots.append(
            Plot("chains", caption, lambda axes: _courses(axes, found), (7.5, 4.0), narrow=(4.4, 3.6))
        )
    return Finding(
        "Chains and intervals",
        tables=(Table(header, [[outcome.label, *_cells(known)] for outcome, known in found]),),
        plots=tuple(plots),
        notes=(*_notes(found), *_NOTES),
        data={"chains": [{"trial": outcome.label, **_told(known)} for outcome, known in found]},
    )


def _told(known: dict[str, float]) -> dict[str, float]:
    return {
        name: value
        for name, value in known.items()
        if (CHAIN.word_of(name) or INTERVALS.word_of(name)) is not None
    }


def _notes(found: Sequence[tuple[Outcome, dict[str, float]]]) -> list[str]:
    """Name the trials whose chains do not agree."""
    apart = []
    for outcome, known in found:
        wide = {what: known.get(_chain(f"{what}_r_hat"), 1.0) for what in _TRACED}
        told = ", ".join(
            f"{_TRACED[what]} {r_hat:.2f}"
            for what, r_hat in wide.items()
            if not r_hat <= (_AGREED_PAIRS if what == _PAIRS else _AGREED)  # NaN: too few draws
        )
        if told:
            apart.append(f"{outcome.label} ({told})")
    if not apart:
        return []
    return [
        (
            f"the chains do not agree yet (R-hat above {_AGREED:g}, of predictions {_AGREED_PAIRS:g}; nan: too few draws) of {'; '.join(apart)}: raise burn or "
            "samples, and kept where it is the predictions"
        )
    ]


def _cells(known: dict[str, float]) -> list[str]:
    cells = []
    for what in _TRACED:
        r_hat, size = known.get(_chain(f"{what}_r_hat")), known.get(_chain(f"{what}_size"))
        cells += ["" if r_hat is None else f"{r_hat:.3f}", "" if size is None else f"{size:,.0f}"]
    cells.append(f"{known[_chain('noise')]:.3f}")
    return cells + [
        f"{known[_interval(level)]:.1%}" if _interval(level) in known else "" for level in _LEVELS
    ]


def _named(found: Sequence[tuple[Outcome, dict[str, float]]]) -> Iterator[tuple[Outcome, str, str]]:
    """Yield the trials with their colours and names in a legend; of many, all have one colour and none a name."""
    for (outcome, _), colour in zip(found, cycle(COLOURS), strict=False):
        yield (outcome, colour, outcome.label) if len(found) <= _MOST_NAMED else (outcome, COLOURS[0], "_")


def _calibration(axes: Any, found: Sequence[tuple[Outcome, dict[str, float]]]) -> None:
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1)
    for outcome, colour, label in _named(found):
        points = series(outcome).get(CALIBRATION.key, [])
        levels, shares = [level for level, _ in points], [100 * share for _, share in points]
        axes.plot(levels, shares, "o-", color=colour, label=label, markersize=3, linewidth=1)
    axes.set_xlabel("% that the interval should hold")
    axes.set_ylabel("% of the test ratings that it holds")
    if len(found) <= _MOST_NAMED:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _courses(axes: Any, found: Sequence[tuple[Outcome, dict[str, float]]]) -> None:
    for outcome, colour, label in _named(found):
        own = label
        for name, points in series(outcome).items():
            if name.startswith(_RMSE):
                sweeps, values = [sweep for sweep, _ in points], [value for _, value in points]
                axes.plot(sweeps, values, color=colour, linewidth=1, label=own)
                own = "_"  # one line of the legend for all chains
    axes.set_xlabel("sweep")
    axes.set_ylabel("RMSE on training rows")
    if len(found) <= _MOST_NAMED:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))


FIND = _find
