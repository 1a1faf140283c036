"""Proposes settings, one set at a time, from what earlier ones reached."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol

import optuna

from experiments.spec.search_space import Range, Search

optuna.logging.set_verbosity(optuna.logging.WARNING)
_OVER = "seconds above the limit"


class Sampler(Protocol):
    """Asked for settings, told what came of them."""

    def ask(self) -> dict[str, Any] | None:
        """Return the next settings, None when there are no more."""

    def tell(self, score: float | None, over_s: float) -> None:
        """Take what the last settings reached; None for a trial that failed. `over_s`: seconds above the limit."""


class Grid:
    """Every combination, the last written key turning fastest."""

    def __init__(self, search: Search) -> None:
        self._rows = _product(search.space)

    def ask(self) -> dict[str, Any] | None:
        return next(self._rows, None)

    def tell(self, score: float | None, over_s: float) -> None:
        del score, over_s


class Parzen:
    """Optuna's tree-structured Parzen estimator; trials above the time limit count as infeasible, not as bad."""

    def __init__(self, search: Search) -> None:
        self._ranges = search.ranges
        sampler = optuna.samplers.TPESampler(seed=search.seed)
        direction: Literal["minimize", "maximize"] = "minimize" if search.lowest else "maximize"
        self._study = optuna.create_study(direction=direction, sampler=sampler)
        self._last: Any = None

    def ask(self) -> dict[str, Any] | None:
        self._last = self._study.ask()
        return {key: self._suggest(key, found) for key, found in self._ranges.items()}

    def tell(self, score: float | None, over_s: float) -> None:
        self._last.set_constraint(_OVER, over_s)
        if score is None:
            self._study.tell(self._last, state=optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(self._last, score)

    def _suggest(self, key: str, found: list[Any] | Range) -> Any:
        if not isinstance(found, Range):
            return self._last.suggest_categorical(key, found)
        if found.whole:
            return self._last.suggest_int(key, int(found.low), int(found.high), log=found.log)
        # four digits: a shorter label, and settings that a person can type again
        return float(f"{self._last.suggest_float(key, found.low, found.high, log=found.log):.4g}")


def sampler_of(search: Search) -> Sampler:
    """Return the sampler that a search asks for."""
    return Grid(search) if search.sampler == "grid" else Parzen(search)


def _product(space: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*space.values()):
        yield dict(zip(space, values, strict=True))
