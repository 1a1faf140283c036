"""Rates and lags of trials whose jobs run on, window by window."""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

from experiments.metric_table import LAG, RATE
from experiments.page.figure import COLOURS, Plot
from experiments.page.finding import Finding
from experiments.page.tables import Table, spread_text
from experiments.page.wording import how_sure, number_word
from experiments.results.outcome import Outcome
from experiments.results.windows import has_windows, lags, measured_windows, rates
from experiments.spec.experiment import Experiment
from experiments.stats.summaries import spread_of
from jobs.runtime.request import Window

_NOTES = (
    "median over applications of each application's median measured window; in brackets the least and the most window of all",
    "a rate is what was counted in a window over the window's length by a monotonic clock; lags are as the job tells them",
)


def _find(_experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    found = [outcome for outcome in outcomes if has_windows(outcome)]
    if not found:
        return None
    named_rates = list(dict.fromkeys(name for outcome in found for name in rates(outcome)))
    named_lags = list(dict.fromkeys(name for outcome in found for name in lags(outcome)))
    header = ["trial", "windows", *map(RATE.of, named_rates), *map(LAG.of, named_lags)]
    rows = [
        [
            outcome.label,
            str(sum(len(measured_windows(item)) for item in outcome.measured or outcome.applications)),
            *(_shown(rates(outcome).get(name, [])) for name in named_rates),
            *(_shown(lags(outcome).get(name, [])) for name in named_lags),
        ]
        for outcome in found
    ]
    plots = [_plot("rates", "a second", found, lambda window: window.rates)] if named_rates else []
    plots += [_plot("lags", "seconds", found, lambda window: window.lags)] if named_lags else []
    return Finding(
        "Windows",
        answer=_answer(found) if len(found) == len(outcomes) else "",
        tables=(Table(header, rows),),
        plots=tuple(plots),
        notes=_NOTES,
    )


def _answer(found: Sequence[Outcome]) -> str:
    """Name the trial through which most came; empty where the trials do not have just one rate that all of them have."""
    shared = set.intersection(*({*rates(outcome)} for outcome in found))
    if len(shared) != 1:
        return ""
    (name,) = shared
    best = max(found, key=lambda outcome: _median(rates(outcome)[name]))
    late = ", ".join(f"{lag} {_number(_median(each))} s late" for lag, each in lags(best).items())
    most = f", the most of {number_word(len(found))} trials" if len(found) > 1 else ""
    came = f"{_number(_median(rates(best)[name]))} {name} a second came through {best.label}{most}"
    return f"{came}{f', {late}' if late else ''}. {how_sure([best])}"


def _shown(by_application: Sequence[Sequence[float]]) -> str:
    return spread_text(spread_of(by_application), _number)


def _median(by_application: Sequence[Sequence[float]]) -> float:
    found = spread_of(by_application)
    assert found is not None  # who has a rate has measured it
    return found.median


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _plot(
    kind: str, unit: str, found: Sequence[Outcome], values: Callable[[Window], Mapping[str, float]]
) -> Plot:
    caption = (
        f"{kind.capitalize()} ({unit}) of every window, a line an application; the pale ones are warm-ups."
    )
    return Plot(
        f"window-{kind}",
        caption,
        lambda axes: _draw(axes, unit, found, values),
        (7.5, 4.0),
        narrow=(4.4, 3.6),
    )


def _draw(
    axes: Any, unit: str, found: Sequence[Outcome], values: Callable[[Window], Mapping[str, float]]
) -> None:
    colours = cycle(COLOURS)
    for outcome in found:
        names = dict.fromkeys(
            name for item in outcome.applications for window in item.windows for name in values(window)
        )
        for name in names:
            colour, label = next(colours), f"{outcome.label} {name}"
            for item in outcome.applications:
                points = [(w.number, values(w)[name], w.kind) for w in item.windows if name in values(w)]
                own = [point for point in points if point[2] == "repeat"]
                axes.plot([p[0] for p in points], [p[1] for p in points], "-", color=colour, alpha=0.35)
                axes.plot([p[0] for p in own], [p[1] for p in own], "o-", color=colour, label=label)
                label = "_"  # one line of the legend for all applications
    axes.set_ylim(bottom=0)
    axes.set_xlabel("window")
    axes.set_ylabel(unit)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


FIND = _find
