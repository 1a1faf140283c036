"""Content of a stored table, read without Spark, and comparison of two tables."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.versioned import Kind, unchanged
from experiments.results.model_equality import SAME_MODEL
from jobs.runtime.request import Request
from jobs.stores import STORAGES

_SCORES = "scores"  # floats that a repeated sum may change in the last digit: compared, not hashed
_WIDTH = 2**256
MOST_EXCHANGED = 1e-3
ROWS = Kind("the rows that a trial stored", (unchanged,), "The trial is run once more to have them again")


@dataclass(frozen=True)
class Rows:
    """The content of one table.

    Attributes:
        count: of its rows.
        digest: of its rows, whatever their order; without the scores of ranked lists.
        version: names the physical table: each write makes another one.
        users, items, scores: ranked lists with whose they are, where the table has any.
    """

    count: int
    digest: str
    version: str
    users: list[int] = field(default_factory=list)
    items: list[list[int]] = field(default_factory=list)
    scores: list[list[float]] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], version: str) -> "Rows":
        """Sum up rows in whatever order they come."""
        total, count = 0, 0
        ranked: list[tuple[int, list[int], list[float]]] = []
        for row in rows:
            count += 1
            kept = {key: value for key, value in row.items() if key != _SCORES}
            text = json.dumps(kept, sort_keys=True, default=_plain)
            total = (total + int(hashlib.sha256(text.encode()).hexdigest(), 16)) % _WIDTH
            if _SCORES in row:
                ranked.append((row["user"], list(row["items"] or ()), [float(x) for x in row[_SCORES] or ()]))
        ranked.sort()
        users, items, scores = (list(column) for column in zip(*ranked, strict=True)) if ranked else ([],) * 3
        return cls(count, f"{total:064x}", version, users, items, scores)

    @classmethod
    def load(cls, path: Path) -> "Rows | None":
        """Read what `save` wrote; None if there is nothing, or nothing that reads, which is said."""
        return ROWS.read_if(path, lambda values: cls(**values))

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        ROWS.write(path, asdict(self))


def read(request: Request, table: str) -> Rows | None:
    """Return what a table of an application's store holds; None if there is no such table.

    Raises:
        JobError: the store does not answer.
    """
    return STORAGES[request.store].table(request.store_root, request.spark, table, Rows.of)


def differences(first: Rows | None, second: Rows | None, table: str) -> list[str]:
    """Say how the second table differs from the first; nothing if they hold the same.

    Lists are the same if at every place the scores agree within 1e-4: a sum of floats that is repeated in another
    order moves them by 1e-7 or so, and two items with almost one score may change places.
    """
    if first is None or second is None:
        return [f"{table}: it is not there {'undisturbed' if first is None else 'after the drill'}"]
    if first.count != second.count:
        return [f"{table}: {first.count:,} rows undisturbed, {second.count:,} after the drill"]
    if not first.scores and not second.scores:
        return [] if first.digest == second.digest else [f"{table}: the rows have another digest"]
    return _lists_differ(first, second, table)


def exchanged(first: Rows, second: Rows) -> int:
    """Number of places of ranked lists that hold another item."""
    pairs = zip(first.items, second.items, strict=True)
    return sum(one != other for left, right in pairs for one, other in zip(left, right, strict=True))


def _lists_differ(first: Rows, second: Rows, table: str) -> list[str]:
    if first.users != second.users:
        return [f"{table}: the lists are of other users"]
    if _lengths(first) != _lengths(second):
        return [f"{table}: lists have other lengths"]
    left, right = _flat(first.scores), _flat(second.scores)
    largest = float(np.max(np.abs(left - right), initial=0.0))
    if not largest <= SAME_MODEL:
        return [f"{table}: scores differ by up to {largest:.2g}"]
    places = exchanged(first, second)
    if places > MOST_EXCHANGED * len(left):
        return [f"{table}: {places:,} of {len(left):,} places in lists hold another item"]
    return []


def _lengths(found: Rows) -> list[tuple[int, int]]:
    pairs = zip(found.items, found.scores, strict=True)
    return [(len(items), len(scores)) for items, scores in pairs]


def _flat(lists: Sequence[Sequence[float]]) -> Any:
    return np.asarray([value for item in lists for value in item], dtype=float)


def _plain(value: Any) -> Any:
    """Write what JSON has no type for: maps of a client's own, times, bytes."""
    return dict(value) if isinstance(value, Mapping) else str(value)
