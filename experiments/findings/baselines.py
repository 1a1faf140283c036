"""Whether a model guesses ratings better than user and item means, and ranks better than popularity."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.answer import protocol, unshaped
from experiments.finding import Finding
from experiments.metrics import counts, quality
from experiments.outcome import Outcome
from experiments.spec import Experiment

_BIAS, _POPULARITY = "bias", "popularity"


@dataclass(frozen=True)
class _Contest:
    """The best of some models against a baseline on the same rows.

    Attributes:
        does, than: what the models do, and what the baseline is, in words; metric: of both, as people write it.
        best, model, baseline: the best value, whose it is, and the baseline's.
        better: whether the best beats the baseline.
        models: all that were tried.
    """

    does: str
    than: str
    metric: str
    best: float
    model: str
    baseline: float
    better: bool
    models: list[str]

    def sentence(self, size: str) -> str:
        """Say who beats the baseline, or that none does and on how much data."""
        values = f"{self.metric} {self.best:.4f} against {self.baseline:.4f}"
        if self.better:
            return f"{self.model} {self.does} better than {self.than}: {values}"
        tried = ", ".join(self.models)
        return (
            f"none of {tried} {self.does} better than {self.than} ({values}): {size} teach little beyond what is "
            "true of all users and items alike"
        )


def _find(_experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    measured = [outcome for outcome in outcomes if outcome.measured]
    if len({protocol(outcome) for outcome in measured}) != 1:
        return None
    contests = [found for found in (_guessing(measured), _ranking(measured)) if found]
    if not contests:
        return None
    notes = tuple(found.sentence(_size(measured[0])) for found in contests)
    return Finding(
        "Against the baselines", notes=notes, data={"baselines": [vars(found) for found in contests]}
    )


def _guessing(measured: Sequence[Outcome]) -> _Contest | None:
    """Every model of ratings has the bias baseline's error beside its own."""
    tried = [
        item
        for item in measured
        if item.values.get("model") != _BIAS and {"rmse", "rmse_bias"} <= {*quality(item)}
    ]
    if not tried:
        return None
    baseline = quality(tried[0])["rmse_bias"]
    return _contest(("guesses ratings", "user and item means", "RMSE"), tried, "rmse", baseline, min)


def _ranking(measured: Sequence[Outcome]) -> _Contest | None:
    """Popularity is a trial like the others, if there is one."""
    names = sorted(name for item in measured for name in quality(item) if name.startswith("ndcg_at_"))
    baselines = [item for item in measured if item.values.get("model") == _POPULARITY and names]
    tried = [item for item in measured if item.values.get("model") not in (_POPULARITY, _BIAS)]
    tried = [item for item in tried if names and names[0] in quality(item)]
    if not tried or not baselines:
        return None
    shown = names[0].replace("ndcg_at_", "nDCG@")
    return _contest(("ranks", "popularity", shown), tried, names[0], quality(baselines[0])[names[0]], max)


def _contest(
    words: tuple[str, str, str],
    tried: Sequence[Outcome],
    metric: str,
    baseline: float,
    choose: Callable[..., Any],
) -> _Contest:
    best = choose(tried, key=lambda item: quality(item)[metric])
    value = quality(best)[metric]
    better = value != baseline and choose(value, baseline) == value
    return _Contest(
        *words, value, unshaped(best), baseline, better, list(dict.fromkeys(map(unshaped, tried)))
    )


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
