"""Comparisons of equal sides for a calibration, from disk or from a JSON file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UnreadableError, UsageError
from core.versioned import Kind, left_out
from experiments.metric_table import phase_of
from experiments.run.environment import host
from experiments.stats.ratios import LEAST_PAIRS
from experiments.studies.compare.calibration import LEAST_COMPARISONS, LEAST_RECORDED, Comparison
from experiments.studies.compare.ledger import Ledger, Pair
from experiments.studies.compare.runner import place_of
from experiments.studies.compare.sides import NAMES


@dataclass(frozen=True)
class Found:
    """Recorded run that a name stands for.

    Attributes:
        comparisons: of equal sides.
        left_out: comparisons of the same spec with other code, parameters or host, or with fewer than five pairs.
    """

    comparisons: list[Comparison]
    left_out: int = 0


def recorded(names: Sequence[str], run_dir: Path, metric: str) -> Found:
    """Return the comparisons of all these names together.

    Args:
        names: of specs, or of JSON files as `write` makes them.
        run_dir: where comparisons lie.
        metric: whose seconds, as "total_s"; a file holds those of one metric.

    Raises:
        UsageError: a name stands for none.
    """
    found = [
        _of_file(Path(name)) if name.endswith(".json") else _of_spec(name, run_dir, metric) for name in names
    ]
    return Found(
        [comparison for item in found for comparison in item.comparisons],
        sum(item.left_out for item in found),
    )


def write(path: Path, names: Sequence[str], metric: str, comparisons: Sequence[Comparison]) -> None:
    """Write comparisons of this host to a file that can be calibrated on anywhere."""
    rows = [
        {
            "pairs": [[round(pair.baseline, 4), round(pair.contender, 4)] for pair in found],
            "first": [pair.first for pair in found],
        }
        for found in comparisons
    ]
    PAIRS.write(path, {"of": list(names), "metric": metric, "host": dict(host()), "comparisons": rows})


def _of_file(path: Path) -> Found:
    try:
        return PAIRS.read(path, lambda values: Found([_comparison(row) for row in values["comparisons"]]))
    except (FileNotFoundError, UnreadableError) as error:
        raise UsageError(f"{path} has no pairs to read: {error}") from error


def _comparisons(values: dict[str, Any]) -> dict[str, Any]:
    """Upgrade a file without a format: one comparison alone, or sides in fixed turns where nobody noted which ran first."""
    rows = values.get("comparisons", [values])
    turns = [[NAMES[number % 2] for number in range(len(row["pairs"]))] for row in rows]
    filled = [{**row, "first": row.get("first") or own} for row, own in zip(rows, turns, strict=True)]
    return {**values, "comparisons": filled}


PAIRS = Kind("a file of pairs", (_comparisons,), "Make it again with --save")


def _comparison(row: Mapping[str, Any]) -> Comparison:
    pairs, first = row["pairs"], row["first"]
    return [
        Pair(float(baseline), float(contender), side)
        for (baseline, contender), side in zip(pairs, first, strict=True)
    ]


def _of_spec(name: str, run_dir: Path, metric: str) -> Found:
    """Return the comparisons of a spec with itself that have the code, parameters and host of most pairs."""
    groups: dict[str, list[Comparison]] = {}
    count = 0
    for folder in sorted(place_of(run_dir, name).glob("*")):
        try:
            ledger = Ledger.load(folder)
        except UnreadableError as error:
            left_out(error)
            continue
        if ledger is None or not ledger.about.get("same"):
            continue
        count += 1
        pairs = ledger.timed(phase_of(metric))
        if len(pairs) >= LEAST_PAIRS:
            groups.setdefault(ledger.sides[NAMES[0]].key, []).append(pairs)
    if not groups:
        raise UsageError(
            f"no comparison of {name} with itself is recorded; make {LEAST_COMPARISONS}: python -m experiments compare {name} "
            f"--pairs {LEAST_RECORDED} --series 1, then --series 2, and so on"
        )
    chosen = max(groups.values(), key=lambda found: sum(map(len, found)))
    return Found(chosen, count - len(chosen))
