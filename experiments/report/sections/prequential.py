"""Lists that learn from each like at once, beside those that wait for the next training, or never learn."""

from collections.abc import Sequence
from typing import Any

from experiments.metric_table import PREQUENTIAL
from experiments.page.figure import COLOURS, Plot
from experiments.page.finding import Finding
from experiments.page.tables import NONE, Table
from experiments.results.metrics import quality, series
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment

_POLICIES = {"frozen": "frozen", "fold_in": "fold-in", "retrained": "retrained", "both": "both"}
_SHARES = {"kept": "of retraining's gain kept", "kept_of_both": "of the gain of both kept"}
_WHAT = {"recall": "recall", "ndcg": "nDCG"}

_NOTES = (
    (
        "each like of the later part of the data is looked for in the list made just before it, then learnt from. frozen: first model, and what was known "
        "of the person when it was fitted; fold-in: first model, all that the person did until then; retrained: latest model, what was known when "
        "that was fitted; both: latest model, all until then. No list has items that the person had by then"
    ),
    "kept: (fold-in \u2212 frozen) / (retrained \u2212 frozen), or both in place of retrained; 95% limits by resampling users",
)


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    del experiment
    found = [(outcome, known) for outcome in outcomes if _of("recall_fold_in") in (known := quality(outcome))]
    if not found:
        return None
    rows = [_row(outcome, known, what) for outcome, known in found for what in _WHAT]
    header = ["trial", "metric", *_POLICIES.values(), "retrained \u2212 frozen", *_SHARES.values()]
    plots = tuple(_plot(number, outcome) for number, (outcome, _) in enumerate(found))
    return Finding(
        "Lists that learn",
        answer=_answer(*found[0]),
        tables=(Table(header, rows),),
        plots=plots,
        notes=_NOTES,
        data={"prequential": [{"trial": outcome.label, **_told(known)} for outcome, known in found]},
    )


def _of(name: str) -> str:
    return PREQUENTIAL.key.format(name=name)


def _told(known: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in known.items() if PREQUENTIAL.word_of(name) is not None}


def _row(outcome: Outcome, known: dict[str, float], what: str) -> list[str]:
    values = [f"{known[_of(f'{what}_{policy}')]:.4f}" for policy in _POLICIES]
    return [
        outcome.label,
        _WHAT[what],
        *values,
        *(_limited(known, f"{what}_{one}") for one in ("gain", *_SHARES)),
    ]


def _limited(known: dict[str, float], name: str) -> str:
    if _of(name) not in known:
        return NONE
    value, low, high = (known[_of(f"{name}{end}")] for end in ("", "_low", "_high"))
    return (
        f"{value:.4f} [{low:.4f}, {high:.4f}]"
        if name.endswith("gain")
        else f"{value:.2f} [{low:.2f}, {high:.2f}]"
    )


def _answer(outcome: Outcome, known: dict[str, float]) -> str:
    gain, low = known[_of("recall_gain")], known[_of("recall_gain_low")]
    if low <= 0:
        return f"Training again gains no recall that is clear of 0 in {outcome.label} ({gain:+.4f}), so nothing can be kept of it."
    if _of("recall_kept") not in known:
        return ""
    share, least = known[_of("recall_kept")], known[_of("recall_kept_low")]
    return (
        f"Fold-in keeps {share:.0%} of the recall that training again gains in {outcome.label}. "
        f"With 95% confidence it is at least {least:.0%}."
    )


def _plot(number: int, outcome: Outcome) -> Plot:
    caption = f"Recall by part of the time after the first training, {outcome.label}: the first model ages from left to right."
    return Plot(
        f"prequential-{number}", caption, lambda axes: _courses(axes, outcome), (6.4, 3.8), narrow=(4.4, 3.4)
    )


def _courses(axes: Any, outcome: Outcome) -> None:
    for (policy, name), colour in zip(_POLICIES.items(), COLOURS, strict=False):
        points = series(outcome).get(_of(f"recall_course_{policy}"), [])
        axes.plot(
            [at for at, _ in points],
            [value for _, value in points],
            "o-",
            color=colour,
            label=name,
            markersize=3,
            linewidth=1.2,
        )
    axes.set_xlabel("part of the time")
    axes.set_ylabel("recall")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=4)


FIND = _find
