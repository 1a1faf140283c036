"""Search section of a spec: its target, the values that may vary, and its time limit."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.errors import UsageError
from core.options import nearest, parse
from experiments.metric_table import MAE, RANKINGS, RMSE, SECONDS, seconds_name
from experiments.spec.dotted_names import flatten

ALIAS = "best"
"""Of the registered model."""

_RANGE = ("low", "high", "log")
_LOWEST = (RMSE.key, MAE.key)


def registered_name(experiment: str) -> str:
    """Return the name in MLflow's registry of what a search finds."""
    return f"recscale-{experiment}"


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones if both are. `log` spreads them evenly by ratio."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True)
class Search:
    """A search in place of a grid. Every trial is judged on the validation part of training; the best settings are then
    fitted on all of training, judged on the test part once, and registered.

    Attributes:
        metric: rmse or mae (lowest is best), or ndcg_at_K, map_at_K, precision_at_K, recall_at_K (highest is best).
        space: dotted name -> list of choices, or {low, high, log}.
        sampler: "grid" tries every combination of choices; "optuna" (a tree-structured Parzen estimator: Bergstra et
            al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011) needs `trials` or `minutes`.
        trials: at most so many.
        minutes: none is begun after so many.
        time_limit_s: settings that take longer are not chosen, however good they are.
        time_metric: what `time_limit_s` is about: total_s, or a phase, as fit_s.
        seed: of the sampler. The same seed and results give the same trials, so that an interrupted search goes on.
    """

    metric: str
    space: Mapping[str, Any] = field(default_factory=dict)
    sampler: Literal["optuna", "grid"] = "optuna"
    trials: int | None = None
    minutes: float | None = None
    time_limit_s: float | None = None
    time_metric: str = SECONDS.of("fit")
    seed: int = 0

    @property
    def lowest(self) -> bool:
        """Whether the lowest value is the best."""
        return self.metric in _LOWEST

    @property
    def ranges(self) -> dict[str, list[Any] | Range]:
        """The space, parsed."""
        return {key: _choices(key, value) for key, value in self.space.items()}


def _judges_lists(metric: str) -> bool:
    """Whether it is a metric of lists of so many items."""
    return any((found.word_of(metric) or "").isdecimal() for found in RANKINGS)


def read(values: Any, what: str) -> Search:
    """Parse and check a spec's table `search`.

    Raises:
        UsageError: names the wrong key or value.
    """
    if not isinstance(values, Mapping):
        raise UsageError(f"{what}: search must be a table, got {values!r}; write [search] and its keys below")
    search = parse(Search, values, f"search of {what}")
    search = dataclasses.replace(search, space=flatten(search.space, f"search.space of {what}"))
    search = dataclasses.replace(search, time_metric=seconds_name(search.time_metric))
    if not search.lowest and not _judges_lists(search.metric):
        raise UsageError(
            f"{what}: search.metric must be rmse, mae, ndcg_at_K, map_at_K, precision_at_K or recall_at_K, "
            f"got {search.metric!r}"
        )
    if not search.space:
        raise UsageError(
            f"{what}: search.space is missing; add for example [search.space] with model.rank = [8, 16, 32]"
        )
    for name, value in (
        ("trials", search.trials),
        ("minutes", search.minutes),
        ("time_limit_s", search.time_limit_s),
    ):
        if value is not None and not value > 0:
            raise UsageError(f"{what}: search.{name} must be greater than 0, got {value}")
    ranges = search.ranges
    if search.sampler == "grid":
        for key, choices in ranges.items():
            if isinstance(choices, Range):
                raise UsageError(
                    f'{what}: search.space.{key} must be a list of choices for sampler = "grid", got a range; write a '
                    'list, or set sampler = "optuna"'
                )
    elif search.trials is None and search.minutes is None:
        raise UsageError(f"{what}: search has no budget; add trials = 40 or minutes = 30")
    return search


def _choices(key: str, value: Any) -> list[Any] | Range:
    if isinstance(value, list):
        if not value:
            raise UsageError(f"search.space.{key} must be a list of one or more choices, got []")
        return value
    if not isinstance(value, Mapping):
        raise UsageError(f"search.space.{key} must be a list of choices or {{low, high}}, got {value!r}")
    given = dict(value)
    for name in given:
        if name not in _RANGE:
            raise UsageError(f"search.space.{key}: unknown key {name!r}: {nearest(name, _RANGE)}")
    found = Range(**given) if {"low", "high"} <= set(given) else None
    numbers = found is not None and all(
        isinstance(end, int | float) and not isinstance(end, bool) and math.isfinite(end)
        for end in (found.low, found.high)
    )
    if found is None or not numbers or not found.low < found.high or (found.log and found.low <= 0):
        raise UsageError(
            f"search.space.{key} must have low below high (and above 0 if log), got {given}; write for example "
            "{low = 0.01, high = 0.3, log = true}"
        )
    return found
