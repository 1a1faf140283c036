"""The parameters of the train job, and those of its model, which lie in a mapping of their own."""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import UsageError
from core.options import nearest, parse
from jobs.modelling.model import Model
from jobs.models import MODELS
from jobs.runtime.request import NAME


@dataclass(frozen=True)
class TrainParams:
    """Parameters of training and evaluation.

    Attributes:
        model: key in `jobs.models.MODELS`.
        split: random, leave_last, time, fold, cold_items or cold_users (see jobs.prepare.split).
        test: share for the test part: of rows (random, time), of items (cold_items) or of users (cold_users).
        split_seed: which random split, or which items or users are cold.
        n: rows a user gives to the test part (leave_last).
        fold: name of a published fold (fold).
        k: length of the ranking that is judged.
        relevant: a test row with at least this rating is relevant to its user; one without a rating always is. None
            follows the scale of the ratings (see jobs.prepare.relevance).
        top_n: how many items are recommended to every user and stored; 0 recommends none.
        seen: whether items that a user has in training may be recommended to them again.
        select: hyper-parameter -> values to choose from, on a part of training.
        validation: share of training on which `select` chooses.
        part: what the model is judged on: "test", or "validation", a part of training on which a search may look as
            often as it likes; the test part is then left alone, and the model is fitted on the rest of training.
        deliver: keep the recommendations with keys and titles as CSV and Parquet beside the result (see
            jobs.modelling.delivery).
        export: keep the fitted model as NumPy arrays beside the result (see jobs.modelling.export).
    """

    model: str
    split: str = "random"
    test: float = 0.1
    split_seed: int = 0
    n: int = 1
    fold: str | None = None
    k: int = 10
    relevant: float | None = None
    top_n: int = 10
    seen: bool = False
    select: Mapping[str, Any] = field(default_factory=dict)
    validation: float = 0.1
    part: str = "test"
    deliver: bool = False
    export: bool = False


OWN = frozenset(item.name for item in dataclasses.fields(TrainParams)) - {"model"}
"""Names of the job's own parameters."""


def hyper_parameters(model: type[Model]) -> frozenset[str]:
    """Names of a model's fields."""
    return frozenset(item.name for item in dataclasses.fields(model))  # type: ignore[arg-type]


def read(params: Mapping[str, Any], model: Mapping[str, Any]) -> tuple[TrainParams, Model]:
    """Parse the job's own parameters and the model's.

    Args:
        params: the job's own, by their names.
        model: the model's `name`, and its fields.

    Raises:
        UsageError: an unknown model or key (names the nearest known one), or a value that does not fit.
    """
    fitted = model_of(model)
    if unknown := set(params) - OWN:
        raise UsageError(f"unknown key {min(unknown)!r} in parameters of train: {nearest(min(unknown), OWN)}")
    own = parse(TrainParams, {**_with_select(params), "model": str(model[NAME])}, "parameters of train")
    _check(own, hyper_parameters(type(fitted)))
    _check_part(own)
    return own, fitted


def model_of(given: Mapping[str, Any]) -> Model:
    """Parse a model: its `name`, and its fields.

    Raises:
        UsageError: an unknown model or key (names the nearest known one), or a value that does not fit.
    """
    name = str(given.get(NAME))
    if name not in MODELS:
        raise UsageError(f"unknown model {given.get(NAME)!r}: {nearest(name, MODELS)}")
    known = hyper_parameters(MODELS[name])
    fields = {key: value for key, value in given.items() if key != NAME}
    if unknown := set(fields) - known:
        raise _unknown(min(unknown), name, known)
    fitted: Model = parse(MODELS[name], fields, f"parameters of model {name}")
    return fitted


def _unknown(key: str, model: str, known: frozenset[str]) -> UsageError:
    """Return the error for a key that a model lacks: who has it, or which of the model's own keys is most similar."""
    others = sorted(name for name, other in MODELS.items() if key in hyper_parameters(other))
    if not others:
        return UsageError(f"unknown key {key!r} in parameters of model {model}: {nearest(key, known)}")
    return UsageError(
        f"model {model} has no parameter {key!r}, which belongs to {', '.join(others)}: leave it out, choose one of these "
        f"models, or give it to one of them alone (in a spec, {key} in the table [model.{others[0]}], or "
        f"model.{others[0]}.{key} in its grid); {model} has {', '.join(sorted(known)) or 'no parameters'}"
    )


def candidates(model: Model, select: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Model]]:
    """Yield every combination of the values to choose from, with the model that has them."""
    names = sorted(select)
    for values in itertools.product(*(select[name] for name in names)):
        chosen = dict(zip(names, values, strict=True))
        known = {item.name: getattr(model, item.name) for item in dataclasses.fields(model)}  # type: ignore[arg-type]
        yield chosen, parse(type(model), {**known, **chosen}, "select")


def _with_select(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job's own parameters; `select` may be JSON text, as a command line gives it."""
    own = dict(params)
    if isinstance(own.get("select"), str):
        try:
            own["select"] = json.loads(own["select"] or "{}")
        except json.JSONDecodeError:
            raise UsageError(
                f"select={own['select']!r} is not JSON; write it as " + '{"reg": [0.05, 0.1]}'
            ) from None
    return own


def _check_part(own: TrainParams) -> None:
    if own.part not in ("test", "validation"):
        raise UsageError(f"part must be test or validation, got {own.part!r}")
    able = sorted(name for name, model in MODELS.items() if getattr(model, "exportable", False))
    if own.export and own.model not in able:
        raise UsageError(
            f"model {own.model} cannot be exported, because it is more than factors and means; models that can: {', '.join(able)}"
        )


def _check(own: TrainParams, fields: frozenset[str]) -> None:
    if not isinstance(own.select, Mapping):
        raise UsageError(
            f'select must map names of hyper-parameters to lists of values, for example {{"reg": [0.05, 0.1]}}, got {own.select!r}'
        )
    for name, values in own.select.items():
        if name not in fields:
            raise UsageError(f"unknown hyper-parameter {name!r} in select: {nearest(name, fields)}")
        if not isinstance(values, list | tuple) or not values:
            raise UsageError(f"select: {name} needs a list of values to choose from, got {values!r}")
    if own.k < 1 or own.top_n < 0 or 0 < own.top_n < own.k:
        raise UsageError(
            f"top_n={own.top_n}, k={own.k}: k must be 1 or more, and top_n at least k, because the first k "
            "recommendations are judged (or job.top_n=0, to recommend nothing)"
        )
    if own.deliver and not own.top_n:
        raise UsageError(
            "deliver needs recommendations, and top_n=0 makes none: set job.top_n=10, or leave job.deliver out"
        )
    if own.split == "fold" and not own.fold:
        raise UsageError("split=fold needs the name of a published fold, for example job.fold=u1")
    if not 0 < own.validation < 1:
        raise UsageError(f"validation must lie between 0 and 1, got {own.validation}")
