"""Measurements of a comparison, on disk after every application, so that an interrupted one can continue."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from core.versioned import Kind
from experiments.results.metrics import typical
from experiments.results.outcome import FILE, Application, Outcome, load
from experiments.run.turns import balanced
from experiments.studies.compare.sides import NAMES

STATE = "comparison.json"
PILOT = "pilot"
PER_USER = "per_user.npz"


class Pair(NamedTuple):
    """Seconds of both sides of a pair, and which of them ran first."""

    baseline: float
    contender: float
    first: str


class _State(NamedTuple):
    """Stored state of a comparison besides its sides; attributes as in `Ledger`, `first` is None if unknown."""

    looks: list[int]
    about: dict[str, Any]
    first: list[str] | None
    alternated: int


@dataclass
class Ledger:
    """The applications of both sides.

    Attributes:
        folder: of this comparison alone.
        sides: an outcome each, whose applications are those of the pairs, in order.
        pilots: an outcome each of the one application that is not counted.
        looks: after how many pairs a verdict was given so far.
        about: what it compares, as plain JSON.
        first: which side runs first in each pair, those that are planned included; kept on disk, so that a comparison that
            goes on keeps its order.
        alternated: how many of the first pairs took turns A B, B A, A B, ..., as an older version had it.
    """

    folder: Path
    sides: dict[str, Outcome]
    pilots: dict[str, Outcome]
    looks: list[int] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)
    alternated: int = 0

    @classmethod
    def open(cls, folder: Path, fresh: dict[str, Outcome], about: dict[str, Any]) -> "Ledger":
        """Continue the comparison in the folder, or begin one with the outcomes `fresh`, which hold no application.

        Raises:
            UnreadableError: the stored comparison is damaged or of a newer version; nothing of it is replaced.
        """
        sides = {name: _read(folder / name / FILE) or fresh[name] for name in NAMES}
        pilots = {name: _read(folder / name / PILOT / FILE) or fresh[name] for name in NAMES}
        state = _state(folder)
        ledger = cls(folder, sides, pilots, list(state.looks) if state else [], about)
        if state and state.first is not None:
            ledger.first, ledger.alternated = list(state.first), state.alternated
        else:
            ledger.first, ledger.alternated = [NAMES[pair % 2] for pair in range(ledger.pairs)], ledger.pairs
        # Half a pair has no neighbour any more: both halves are measured again.
        ledger._keep(list(range(ledger.pairs)))
        ledger.drop_disturbed()
        return ledger

    @classmethod
    def load(cls, folder: Path) -> "Ledger | None":
        """Read a comparison; None if there is none.

        Raises:
            UnreadableError: it is damaged or of a newer version.
        """
        state = _state(folder)
        sides = {name: _read(folder / name / FILE) for name in NAMES}
        if state is None or None in sides.values():
            return None
        known = {name: side for name, side in sides.items() if side is not None}
        return cls.open(folder, known, state.about)

    @property
    def pairs(self) -> int:
        """Number of complete pairs."""
        return min(len(side.measured) for side in self.sides.values())

    def add(self, name: str, application: Application) -> None:
        """Keep one application of a pair."""
        side = self.sides[name]
        self.sides[name] = side.plus(application)
        self.save()

    def drop_disturbed(self) -> bool:
        """Remove the pairs in which a side lost executors; return whether there were any."""
        rows = zip(*(side.measured for side in self.sides.values()), strict=False)
        whole = [number for number, pair in enumerate(rows) if not any(item.executors_lost for item in pair)]
        found = len(whole) < self.pairs
        if found:
            self._keep(whole)
        return found

    def plan(self, pairs: int) -> None:
        """Draw which side runs first for pairs that are not planned yet, as often the one as the other, and keep it.

        The seed is the comparison's key, so that independent comparisons have orders of their own.
        """
        more = pairs - len(self.first)
        if more > 0:
            seed = f"{self.about['key']} from pair {len(self.first)}"
            orders = balanced(more, seed, lambda random: [NAMES[place] for place in random.permutation(2)])
            self.first += [order[0] for order in orders]
            self.save()

    def order(self, pair: int) -> Sequence[str]:
        """Return the sides of a planned pair in the order in which they run."""
        return NAMES if self.first[pair] == NAMES[0] else NAMES[::-1]

    def _keep(self, numbers: Sequence[int]) -> None:
        """Keep these pairs only; those that go are the next ones to be measured, in their own order."""
        gone = [number for number in range(self.pairs) if number not in numbers]
        measured, ahead = self.first[: self.pairs], self.first[self.pairs :]
        self.first = [*(measured[number] for number in (*numbers, *gone)), *ahead]
        self.alternated = sum(number < self.alternated for number in numbers)
        self.sides = {
            name: dataclasses.replace(side, applications=[side.measured[number] for number in numbers])
            for name, side in self.sides.items()
        }

    def add_pilot(self, name: str, application: Application) -> None:
        """Keep the application that is not counted."""
        self.pilots[name] = dataclasses.replace(self.pilots[name], applications=[application])
        self.save()

    def save(self) -> None:
        """Write all of it."""
        for name in NAMES:
            self.sides[name].save(self.folder / name)
            self.pilots[name].save(self.folder / name / PILOT)
        state = {
            "looks": self.looks,
            "about": self.about,
            "first": self.first,
            "alternated": self.alternated,
        }
        COMPARISON.write(self.folder / STATE, state)

    def place(self, name: str, number: int | None) -> Path:
        """Return the folder of one application; None is the pilot."""
        return self.folder / name / (PILOT if number is None else f"app-{number}")

    def timed(self, phase: str) -> list[Pair]:
        """Return the median seconds of both applications of each whole pair, without pairs that lack the phase."""
        times = {name: [typical(item, phase) for item in side.measured] for name, side in self.sides.items()}
        rows = ((times["baseline"][n], times["contender"][n], self.first[n]) for n in range(self.pairs))
        return [
            Pair(one, other, first) for one, other, first in rows if one is not None and other is not None
        ]

    def seconds(self, phase: str) -> list[tuple[float, float]]:
        """Return the seconds of the baseline and the contender of these pairs."""
        return [(pair.baseline, pair.contender) for pair in self.timed(phase)]


def _read(path: Path) -> Outcome | None:
    try:
        return load(path)
    except FileNotFoundError:
        return None


def _state(folder: Path) -> _State | None:
    try:
        return COMPARISON.read(folder / STATE, lambda values: _State(**values))
    except FileNotFoundError:
        return None


def _with_order(values: dict[str, Any]) -> dict[str, Any]:
    """Add the order of the pairs to a state without a format, whose pairs alternated."""
    return {"looks": [], "about": {}, "first": None, "alternated": 0, **values}


COMPARISON = Kind(
    "the state of a comparison",
    (_with_order,),
    "Move that folder away, and run the comparison again to measure it anew",
)
