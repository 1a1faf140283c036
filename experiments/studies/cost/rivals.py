"""Pairing of an experiment's trials: each single-threaded model with the trials of each of its counterparts on Spark."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.metric_table import NDCG, RMSE
from experiments.page.tables import NONE
from experiments.results.metrics import quality
from experiments.results.outcome import Outcome
from experiments.spec.tables import MODEL, SHAPE, of, short, under
from jobs import params
from jobs.models import MODELS

SINGLE: Mapping[str, tuple[str, ...]] = {
    name: vars(model)["counterparts"] for name, model in MODELS.items() if "counterparts" in vars(model)
}
"""Single-threaded models, each with the models on Spark that it is compared with."""

_HOW = {"seed", "blocks", "parts", "resume", "checkpoint"}  # these change how a model is computed, not which


@dataclass(frozen=True)
class Rivals:
    """Trials on the same data with the same objective or, for rankings, the same purpose.

    Attributes:
        model, counterpart: the single-threaded model, and Spark's.
        where: values that tell this comparison from the experiment's others.
        metric: the quality in which they must be equal: "rmse", or "ndcg_at_<k>".
        singles, sparks: trials of each side; with RMSE all have the same iterations, else they are a grid of iterations.
    """

    model: str
    counterpart: str
    where: str
    metric: str
    singles: list[Outcome]
    sparks: list[Outcome]


def rivals(outcomes: Sequence[Outcome]) -> Iterator[Rivals]:
    """Yield one comparison for each group of trials that do the same work; shared applications are in none."""
    outcomes = [item for item in outcomes if not item.shared and item.measured]
    singles = [item for item in outcomes if item.values.get(MODEL) in SINGLE]
    groups: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in singles:
        model = outcome.values[MODEL]
        for counterpart in SINGLE[model]:
            groups.setdefault((model, counterpart, _key(outcome, model, counterpart)), []).append(outcome)
    for (model, counterpart, key), group in groups.items():
        same = [
            item
            for item in outcomes
            if item.values.get(MODEL) == counterpart and _key(item, model, counterpart) == key
        ]
        if same:
            yield Rivals(model, counterpart, _where(group[0], singles), _metric(group[0]), group, same)


def iterations(outcome: Outcome) -> int:
    """Return the number of iterations of a trial."""
    return int(_hyper(outcome)["iterations"])


def _key(outcome: Outcome, model: str, counterpart: str) -> str:
    """Return a text that is equal for comparable trials; parameters that only Spark's model has must have their defaults."""
    ours, theirs = (params.hyper_parameters(MODELS[name]) for name in (model, counterpart))
    usual = MODELS[counterpart]()
    found = _hyper(outcome)
    shared = (ours & theirs) - _HOW
    if not usual.predicts_rating:  # other penalties, so that only the quality can be equal
        shared -= {"iterations", "reg"}
    unusual = {
        name: found[name]
        for name in theirs - ours - _HOW
        if name in found and found[name] != getattr(usual, name)
    }
    fields = under("model", dict.fromkeys(ours | theirs))
    rest = {name: value for name, value in outcome.values.items() if name not in {*SHAPE, MODEL, *fields}}
    what = [outcome.data.get("digest"), rest, {name: found.get(name) for name in shared}, unusual]
    return json.dumps(what, sort_keys=True, default=str)


def _hyper(outcome: Outcome) -> dict[str, Any]:
    """Return the values of the model's fields, defaults included."""
    model = MODELS[outcome.values[MODEL]]()
    known = {name: getattr(model, name) for name in params.hyper_parameters(type(model))}
    given = {name: value for name, value in of(outcome.values, "model").items() if name in known}
    return {**known, **given, **json.loads(outcome.measured[0].info.get("hyper_parameters", "{}"))}


def _metric(outcome: Outcome) -> str:
    found = quality(outcome)
    return next(iter([*RMSE.among(found), *NDCG.among(found)]), NDCG.of("k"))


def _where(outcome: Outcome, others: Sequence[Outcome]) -> str:
    names = [
        name
        for name in outcome.values
        if name not in {*SHAPE, MODEL, "model.iterations"}
        and any(item.values.get(name) != outcome.values[name] for item in others)
    ]
    return " ".join(f"{short(name, names)}={outcome.values[name]}" for name in names) or NONE
