"""What was measured of a comparison, on disk after every application, so that an interrupted one goes on."""

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.metrics import repeats
from experiments.outcome import FILE, Application, Outcome, load
from experiments.pairs.sides import NAMES
from jobs.request import write_json

STATE = "comparison.json"
PILOT = "pilot"
PER_USER = "per_user.npz"


@dataclass
class Ledger:
    """The applications of both sides.

    Attributes:
        folder: of this comparison alone.
        sides: an outcome each, whose applications are those of the pairs, in order.
        pilots: an outcome each of the one application that is not counted.
        looks: after how many pairs a verdict was given so far.
        about: what it compares, as plain JSON.
    """

    folder: Path
    sides: dict[str, Outcome]
    pilots: dict[str, Outcome]
    looks: list[int] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, fresh: dict[str, Outcome], about: dict[str, Any]) -> "Ledger":
        """Go on with what lies in the folder, or begin with the outcomes `fresh`, which hold no application."""
        sides = {name: _read(folder / name / FILE) or fresh[name] for name in NAMES}
        pilots = {name: _read(folder / name / PILOT / FILE) or fresh[name] for name in NAMES}
        ledger = cls(folder, sides, pilots, list(_state(folder).get("looks", [])), about)
        # Half a pair has no neighbour any more: both halves are measured again.
        ledger._keep(list(range(ledger.pairs)))
        ledger.drop_disturbed()
        return ledger

    @classmethod
    def load(cls, folder: Path) -> "Ledger | None":
        """Read a comparison; None if there is nothing that reads."""
        state = _state(folder)
        sides = {name: _read(folder / name / FILE) for name in NAMES}
        if not state or None in sides.values():
            return None
        known = {name: side for name, side in sides.items() if side is not None}
        return cls.open(folder, known, state.get("about", {}))

    @property
    def pairs(self) -> int:
        """How many pairs are whole."""
        return min(len(side.measured) for side in self.sides.values())

    def add(self, name: str, application: Application) -> None:
        """Keep one application of a pair."""
        side = self.sides[name]
        self.sides[name] = side.plus(application)
        self.save()

    def drop_disturbed(self) -> bool:
        """Forget the pairs in which a side lost executors; whether there were any."""
        rows = zip(*(side.measured for side in self.sides.values()), strict=False)
        whole = [number for number, pair in enumerate(rows) if not any(item.executors_lost for item in pair)]
        found = len(whole) < self.pairs
        if found:
            self._keep(whole)
        return found

    def _keep(self, numbers: Sequence[int]) -> None:
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
        write_json(self.folder / STATE, {"looks": self.looks, "about": self.about})

    def place(self, name: str, number: int | None) -> Path:
        """Return the folder of one application; None is the pilot."""
        return self.folder / name / (PILOT if number is None else f"app-{number}")

    def seconds(self, phase: str) -> list[tuple[float, float]]:
        """Return the median seconds of the baseline's and the contender's application of each whole pair."""
        typical = {
            name: [_median(item, phase) for item in side.measured] for name, side in self.sides.items()
        }
        rows = zip(typical["baseline"], typical["contender"], strict=False)
        return [(first, second) for first, second in rows if first is not None and second is not None]


def order(pair: int) -> Sequence[str]:
    """Which side of a pair runs first: A B, B A, A B, ... so that a drift of the host meets both alike."""
    return NAMES if pair % 2 == 0 else NAMES[::-1]


def _median(application: Application, phase: str) -> float | None:
    values = repeats(application, phase)
    return statistics.median(values) if values else None


def _read(path: Path) -> Outcome | None:
    try:
        return load(path)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _state(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
