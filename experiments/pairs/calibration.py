"""How often the verdict on time is wrong, asked of pairs in which both sides were the same (A/A).

False alarms: in an A/A pair nothing but chance says which half is the contender, so its sign may be flipped; each of
1,000 flips of all pairs is one more A/A comparison, and the share that is called different should be the 5% that the
interval promises. Power: pairs are drawn with replacement, their signs flipped, the contender's seconds multiplied, and
the share counted that is called slower.
"""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets.errors import UsageError
from experiments.pairs.ledger import Ledger, order
from experiments.pairs.paired import called, log_ratios, timing
from experiments.pairs.runner import place_of
from experiments.tables import Table

LEAST_RECORDED = 20
DRAWS = 1_000
PLANTED = 1.3
WANTED_POWER = 0.8
ALARMS = (0.03, 0.07)
SIZES = (5, 6, 8, 10, 15, 20)
_SEED = 20_262


@dataclass(frozen=True)
class Calibration:
    """What the recorded pairs say of the method.

    Attributes:
        pairs: seconds of both halves of each pair.
        alarms: share of the label permutations of all pairs that is called different.
        alarms_of: the same for so many of the pairs, drawn without replacement.
        power_of: share of resamplings of so many pairs in which the planted slowdown is found.
    """

    pairs: Sequence[tuple[float, float]]
    alarms: float
    alarms_of: dict[int, float]
    power_of: dict[int, float]

    @property
    def first_is_slower(self) -> tuple[float, float, float]:
        """How many times as long the half that runs first takes, with its 95% interval; sides take turns at being it."""
        second_first = [
            pair[::-1] if order(number)[0] == "baseline" else pair for number, pair in enumerate(self.pairs)
        ]
        found = timing(second_first)
        assert found.low is not None
        assert found.high is not None
        return found.ratio, found.low, found.high

    @property
    def neighbours(self) -> float:
        """Correlation of each pair's ratio with the next one's; the interval takes pairs as independent."""
        logs = log_ratios(self.pairs)
        return statistics.correlation(logs[:-1], logs[1:])

    @property
    def recommended(self) -> int | None:
        """The fewest pairs that find the planted slowdown often enough; None if none of those tried does."""
        return next((size for size, power in self.power_of.items() if power >= WANTED_POWER), None)

    @property
    def holds(self) -> bool:
        """Whether false alarms are as many as promised, and the planted slowdown is found."""
        return ALARMS[0] <= self.alarms <= ALARMS[1] and self.recommended is not None


def calibrate(pairs: Sequence[tuple[float, float]], draws: int = DRAWS, seed: int = _SEED) -> Calibration:
    """Count false alarms and finds.

    Raises:
        UsageError: fewer than 20 pairs.
    """
    if len(pairs) < LEAST_RECORDED:
        raise UsageError(
            f"{len(pairs)} pairs in which both sides are the same are too few to calibrate on; {LEAST_RECORDED} are needed"
        )
    logs = np.asarray(log_ratios(pairs))
    random = np.random.default_rng(seed)
    sizes = [size for size in SIZES if size <= len(logs)]

    def flipped(sample: Any) -> Any:
        return sample * random.choice((-1.0, 1.0), sample.shape)

    every = flipped(np.tile(logs, (draws, 1)))
    parts = {
        size: flipped(np.array([random.choice(logs, size, replace=False) for _ in range(draws)]))
        for size in sizes
    }
    drawn = {size: flipped(random.choice(logs, (draws, size))) + np.log(PLANTED) for size in sizes}
    return Calibration(
        pairs,
        alarms=float(np.mean(called(every) != 0)),
        alarms_of={size: float(np.mean(called(part) != 0)) for size, part in parts.items()},
        power_of={size: float(np.mean(called(part) == 1)) for size, part in drawn.items()},
    )


def recorded(name: str, run_dir: Path, phase: str) -> list[tuple[float, float]]:
    """Return the pairs of a spec's A/A comparison with the most of them, or those of a JSON file.

    Args:
        name: of a spec, or a file that holds {"pairs": [[seconds, seconds], ...]}.
        run_dir: where comparisons lie.
        phase: whose seconds.

    Raises:
        UsageError: there are none.
    """
    if name.endswith(".json"):
        try:
            return [
                (float(first), float(second)) for first, second in json.loads(Path(name).read_text())["pairs"]
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{name} holds no pairs: {error}") from error
    found = [Ledger.load(folder) for folder in sorted(place_of(run_dir, name).glob("*"))]
    same = [ledger.seconds(phase) for ledger in found if ledger is not None and ledger.about.get("same")]
    if not same:
        raise UsageError(
            f"no comparison of {name} with itself is recorded; make one: python -m experiments compare {name} "
            f"--pairs {LEAST_RECORDED}"
        )
    return max(same, key=len)


def answer(found: Calibration) -> str:
    """Say what it comes to."""
    logs = log_ratios(found.pairs)
    own = timing(found.pairs)
    size = found.recommended
    first, low, high = found.first_is_slower
    advice = (
        f"With {size} pairs a slowdown of {PLANTED - 1:.0%} is found in {found.power_of[size]:.0%} of resamplings."
        if size
        else f"None of these numbers of pairs finds a slowdown of {PLANTED - 1:.0%} in {WANTED_POWER:.0%} of resamplings."
    )
    return (
        f"{len(logs)} pairs of equal sides; a pair's ratio strays by {statistics.stdev(logs):.1%} (standard deviation of "
        f"its logarithm). As they were labelled: {own.verdict}. Of {DRAWS:,} label permutations {found.alarms:.1%} are "
        f"called different ({ALARMS[0]:.0%} to {ALARMS[1]:.0%} wanted). {advice} The half that runs first takes "
        f"{first - 1:+.1%} ({low - 1:+.1%} to {high - 1:+.1%}); the ratios of neighbouring pairs correlate by {found.neighbours:.2f} "
        f"(within \u00b1{2 / math.sqrt(len(logs)):.2f} by chance)."
    )


def table(found: Calibration) -> Table:
    """Return false alarms and finds by the number of pairs."""
    rows = [
        [str(size), f"{found.alarms_of[size]:.1%}", f"{found.power_of[size]:.1%}"] for size in found.alarms_of
    ]
    return Table(["pairs", "called different (A/A)", f"slowdown of {PLANTED - 1:.0%} found"], rows)
