"""Comparison of models with their baselines: user and item means for ratings, popularity for rankings."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.metric_table import BIAS, NDCG, RMSE, metric_name
from experiments.page.finding import Finding
from experiments.page.merged_notes import without_settings
from experiments.page.wording import answered, how_sure, named, values_apart
from experiments.report.answer import protocol, unshaped
from experiments.results.metrics import counts, quality
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment
from experiments.spec.tables import MODEL
from experiments.studies.cost.rivals import SINGLE

_BIAS, _POPULARITY = "bias", "popularity"
_MOST_NAMED = 6
"""Settings that a sentence names one by one."""


@dataclass(frozen=True)
class _Contest:
    """The best of some models against a baseline on the same rows.

    Attributes:
        does, than: what the models do, and what the baseline is, in words; metric: of both, as people write it.
        best, model, baseline: the best value, whose it is, and the baseline's.
        better: whether the best beats the baseline.
        models: all that were tried; these names hold only the settings that tell the experiment's models apart.
        short: the best model's name in plain words.
    """

    does: str
    than: str
    metric: str
    best: float
    model: str
    baseline: float
    better: bool
    models: list[str]
    short: str

    def sentence(self, size: str) -> str:
        """Say who beats the baseline, or that none does and on how much data."""
        values = f"{self.metric} {self.best:.4f} against {self.baseline:.4f}"
        if self.better:
            return f"{self.model} {self.does} better than {self.than}: {values}"
        tried = ", ".join(self.models)
        if len(self.models) > _MOST_NAMED:
            tried = f"{len(self.models)} settings, of which {self.model} is the best,"
        return (
            f"none of {tried} {self.does} better than {self.than} ({values}): {size} teach little beyond what is "
            "true of all users and items alike"
        )

    @property
    def verdict(self) -> str:
        """The same in a few words, without parameters."""
        best, baseline = values_apart(self.best, self.baseline)
        if self.better:
            return (
                f"{self.short} {self.does} better than {self.than} ({self.metric} {best} against {baseline})"
            )
        return f"no model {self.does} better than {self.than} ({self.short}: {self.metric} {best} against {baseline})"


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    measured = [outcome for outcome in outcomes if outcome.measured]
    if len({protocol(outcome) for outcome in measured}) != 1:
        return None
    contests = [found for found in (_guessing(measured, outcomes), _ranking(measured, outcomes)) if found]
    if not contests:
        return None
    notes = tuple(found.sentence(_size(measured[0])) for found in contests)
    return Finding(
        "Against the baselines",
        answer=_answer(contests, measured) if _asked(experiment, measured) else "",
        notes=notes,
        data={"baselines": [vars(found) for found in contests]},
    )


def _asked(experiment: Experiment, measured: Sequence[Outcome]) -> bool:
    """Whether the question is which model is good: several were tried, and nothing else was asked of them."""
    models = {str(item.values.get(MODEL)) for item in measured} - {_BIAS, _POPULARITY}
    otherwise = experiment.search or experiment.held_out or len(experiment.comparisons) == 1
    return len(models) > 1 and not otherwise and not models & {*SINGLE}


def _answer(contests: Sequence[_Contest], measured: Sequence[Outcome]) -> str:
    plain = [dataclasses.replace(found, short=found.short.partition(" with ")[0]) for found in contests]
    wordings = [contests, plain, plain[:1]]
    return answered(map(_joined, wordings), how_sure(measured))


def _joined(contests: Sequence[_Contest]) -> str:
    """Say all verdicts in one sentence, and a model that wins them all once."""
    first, *rest = (found.verdict for found in contests)
    if all(found.better and found.short == contests[0].short for found in contests):
        return " and ".join([first, *(text.removeprefix(contests[0].short + " ") for text in rest)])
    return "; ".join([first, *(text.replace("no model", "none", 1) for text in rest)])


def _guessing(measured: Sequence[Outcome], every: Sequence[Outcome]) -> _Contest | None:
    """Every model of ratings has the bias baseline's error beside its own."""
    tried = [
        item
        for item in measured
        if item.values.get(MODEL) != _BIAS and {RMSE.key, BIAS.key} <= {*quality(item)}
    ]
    if not tried:
        return None
    baseline = quality(tried[0])[BIAS.key]
    return _contest(
        ("guesses ratings", "user and item means", RMSE.titled()),
        _named(tried, every),
        RMSE.key,
        baseline,
        min,
    )


def _ranking(measured: Sequence[Outcome], every: Sequence[Outcome]) -> _Contest | None:
    """Popularity is a trial like the others, if there is one."""
    metrics = NDCG.among(name for item in measured for name in quality(item))
    ranked = [item for item in measured if metrics and metrics[0] in quality(item)]
    baselines = [item for item in ranked if item.values.get(MODEL) == _POPULARITY]
    tried = [item for item in ranked if item.values.get(MODEL) not in (_POPULARITY, _BIAS)]
    if not tried or not baselines:
        return None
    metric, baseline = metrics[0], quality(baselines[0])[metrics[0]]
    words = ("ranks", "popularity", metric_name(metric))
    return _contest(words, _named(tried, every), metric, baseline, max)


def _named(tried: Sequence[Outcome], every: Sequence[Outcome]) -> list[tuple[Outcome, str]]:
    """Name trials without their shape and without the settings that all trials of these models share."""
    models = {item.values.get(MODEL) for item in tried}
    labels = list(dict.fromkeys(unshaped(item) for item in every if item.values.get(MODEL) in models))
    names = dict(zip(labels, without_settings(labels)[1], strict=True))
    return [(item, names[unshaped(item)]) for item in tried]


def _contest(
    words: tuple[str, str, str],
    tried: Sequence[tuple[Outcome, str]],
    metric: str,
    baseline: float,
    choose: Callable[..., Any],
) -> _Contest:
    best, name = choose(tried, key=lambda found: quality(found[0])[metric])
    value = quality(best)[metric]
    better = value != baseline and choose(value, baseline) == value
    models = list(dict.fromkeys(name for _, name in tried))
    short = named(best, [item for item, _ in tried])
    return _Contest(*words, value, name, baseline, better, models, short)


def _size(outcome: Outcome) -> str:
    """Say how much there was to learn from."""
    rows, data = counts(outcome).get("train_rows", outcome.data.get("rows", 0)), outcome.data
    each = [
        f"{rows / data[side]:.3g} a{'n' * (side == 'items')} {side[:-1]}"
        for side in ("users", "items")
        if data.get(side)
    ]
    return f"{rows:,.0f} training rows" + (f" ({', '.join(each)})" if each else "")


FIND = _find
