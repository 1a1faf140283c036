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
_GAINS = {
    "gain_retrained": "retrained \u2212 frozen",
    "gain_both": "both \u2212 frozen",
    "kept_of_retrained": "fold-in has of the first gain",
    "kept_of_both": "of the second",
}
_WHAT = {"recall": "recall", "ndcg": "nDCG"}

_NOTES = (
    (
        "each like of the later part of the data is looked for in the list made just before it, then learnt from. frozen: first model, and what was known "
        "of the person when it was fitted; fold-in: first model, all that the person did before; retrained: latest model, what was known when "
        "that was fitted; both: latest model, all before. No list has items that the person had by then. Where a fold is hidden (hidden), it is "
        "judged instead: the first model was fitted without those people, the latest one on what is not hidden of them, too"
    ),
    (
        "fold-in has: (fold-in \u2212 frozen) / (retrained \u2212 frozen), and with both in place of retrained; 95% limits by resampling users. Of a gain "
        "that is not clear of 0 there is no share: where people come once and do all they do within hours, a model that is trained again knows none of "
        "those who come next"
    ),
)


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    del experiment
    found = [(outcome, known) for outcome in outcomes if _of("recall_fold_in") in (known := quality(outcome))]
    if not found:
        return None
    rows = [_row(outcome, known, what) for outcome, known in found for what in _WHAT]
    header = ["trial", "metric", *_POLICIES.values(), *_GAINS.values()]
    parts = [outcome for outcome, _ in found if len(_course(outcome, "both")) > 1]
    return Finding(
        "Lists that learn",
        answer=_answer(*found[0]),
        tables=(Table(header, rows), *([_ages(parts)] if parts else [])),
        plots=tuple(_plot(number, outcome) for number, outcome in enumerate(parts)),
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
        *(_limited(known, f"{what}_{one}") for one in _GAINS),
    ]


def _limited(known: dict[str, float], name: str) -> str:
    if _of(name) not in known:
        return NONE
    value, low, high = (known[_of(f"{name}{end}")] for end in ("", "_low", "_high"))
    form = ".4f" if "gain" in name else ".2f"
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


def _answer(outcome: Outcome, known: dict[str, float]) -> str:
    told = [
        f"A list that learns at once finds {known[_of('recall_fold_in')]:.1%} of the likes, one that never does {known[_of('recall_frozen')]:.1%}."
    ]
    for name, what in (
        ("retrained", "that is trained again"),
        ("both", "that is trained again and learns at once"),
    ):
        gain, low = known[_of(f"recall_gain_{name}")], known[_of(f"recall_gain_{name}_low")]
        if low <= 0:
            told.append(f"One {what} gains nothing that is clear of 0 over the frozen one ({gain:+.4f}).")
            continue
        share, least = known[_of(f"recall_kept_of_{name}")], known[_of(f"recall_kept_of_{name}_low")]
        told.append(
            f"Fold-in has {share:.0%} of what one {what} gains, with 95% confidence at least {least:.0%}."
        )
    return " ".join([*told, f"({outcome.label})"])


def _course(outcome: Outcome, policy: str) -> list[tuple[int, float]]:
    return list(series(outcome).get(_of(f"recall_course_{policy}"), []))


def _ages(found: Sequence[Outcome]) -> Table:
    """Return the recall of the first and of the latest model, both with fold-in, by part of the time."""
    rows = []
    for outcome in found:
        first, latest = _course(outcome, "fold_in"), _course(outcome, "both")
        for (part, old), (_, new) in zip(first, latest, strict=True):
            rows.append(
                [
                    outcome.label,
                    str(part + 1),
                    f"{old:.4f}",
                    f"{new:.4f}",
                    f"{1 - old / new:.1%}" if new else NONE,
                ]
            )
    return Table(["trial", "part of the time", "first model", "latest model", "lost by age"], rows)


def _plot(number: int, outcome: Outcome) -> Plot:
    caption = f"Recall by part of the time after the first training, {outcome.label}: the first model ages from left to right."
    return Plot(
        f"prequential-{number}", caption, lambda axes: _courses(axes, outcome), (6.4, 3.8), narrow=(4.4, 3.4)
    )


def _courses(axes: Any, outcome: Outcome) -> None:
    for (policy, name), colour in zip(_POLICIES.items(), COLOURS, strict=False):
        points = _course(outcome, policy)
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
