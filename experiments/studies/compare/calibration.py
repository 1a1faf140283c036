"""Error rate of the verdict on time, from comparisons of two equal sides (A/A).

False alarms: in an A/A pair nothing but chance says which half is the contender, so its sign may be flipped; each of
1,000 flips of all pairs is one more A/A comparison, and the share that is called different should be the 5% that the
interval promises. Power: pairs are drawn with replacement, their signs flipped, the contender's seconds multiplied, and
the share counted that is called slower.

Flipping hides what it flips: of pairs in which one side is always slower as many flips are called different as of any
others. So the pairs as they were measured are tested for three things, too: that the sides do not differ, that neighbouring
pairs have nothing to do with each other, and that it does not matter which half runs first.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from core.errors import UsageError
from experiments.page.finding import Finding
from experiments.page.tables import Table
from experiments.page.wording import counted, sentence
from experiments.stats.intervals import ALPHA, POWER
from experiments.stats.ratios import LEAST_PAIRS, Ratio, called, log_ratios, of_pairs
from experiments.studies.compare.ledger import Pair
from experiments.studies.compare.sides import NAMES

LEAST_RECORDED = 20
LEAST_COMPARISONS = 3
"""From how many independent comparisons on this is a claim and not a look."""

DRAWS = 1_000
PLANTED = 1.3
ALARMS = (0.03, 0.07)
SIZES = (5, 6, 8, 10, 15, 20)
_EACH = ALPHA / 2  # neighbours and order share the 5%
_SEED = 20_262

Comparison = Sequence[Pair]
"""The pairs of one A/A comparison, in the order in which they ran."""


@dataclass(frozen=True)
class Calibration:
    """Results of the recorded comparisons about the method.

    Attributes:
        comparisons: of equal sides, independent of each other.
        alarms: share of the label permutations of all pairs that is called different.
        alarms_of: the same for so many of the pairs, drawn without replacement.
        power_of: share of resamplings of so many pairs in which the planted slowdown is found.
        equal: chance that equal sides differ as much in some of the comparisons as these do.
        neighbours: correlation of each pair's ratio with the next one's; the interval takes pairs as independent.
        independent: chance that independent pairs correlate as much.
    """

    comparisons: Sequence[Comparison]
    alarms: float
    alarms_of: dict[int, float]
    power_of: dict[int, float]
    equal: float
    neighbours: float
    independent: float

    @property
    def pairs(self) -> list[tuple[float, float]]:
        """Seconds of the pairs of all comparisons."""
        return [pair for found in self.comparisons for pair in _seconds(found)]

    @property
    def different(self) -> int:
        """Number of comparisons that are called different as they were labelled."""
        return sum(_ratio(found).verdict != "indistinguishable" for found in self.comparisons)

    @property
    def first_is_slower(self) -> Ratio:
        """Ratio of the seconds of the half that runs first to those of the other."""
        return of_pairs(self._second_first)

    @property
    def unordered(self) -> float:
        """Chance that halves differ as much by their order if it does not matter."""
        return _equal([np.asarray(log_ratios(self._second_first))])

    @property
    def recommended(self) -> int | None:
        """The fewest pairs that find the planted slowdown often enough; None if none of those tried does."""
        return next((size for size, power in self.power_of.items() if power >= POWER), None)

    @property
    def problems(self) -> list[str]:
        """Return the reasons not to trust verdicts on this host; none if they hold."""
        return list(self._problems())

    @property
    def holds(self) -> bool:
        """Whether verdicts on this host can be trusted."""
        return not self.problems

    @property
    def claim(self) -> bool:
        """Whether there are enough independent comparisons for a claim."""
        return len(self.comparisons) >= LEAST_COMPARISONS

    @property
    def _second_first(self) -> list[tuple[float, float]]:
        return [
            (pair.contender, pair.baseline) if pair.first == NAMES[0] else (pair.baseline, pair.contender)
            for found in self.comparisons
            for pair in found
        ]

    def _problems(self) -> Iterator[str]:
        if not ALARMS[0] <= self.alarms <= ALARMS[1]:
            yield f"{self.alarms:.1%} of label permutations are called different"
        if self.recommended is None:
            yield f"no number of pairs finds a slowdown of {PLANTED - 1:.0%} often enough"
        if self.equal < ALPHA:
            yield f"equal sides differ (chance {self.equal:.1%})"
        if self.independent < _EACH:
            yield f"neighbouring pairs correlate by {self.neighbours:.2f} (chance {self.independent:.1%})"
        if self.unordered < _EACH:
            yield f"it matters which half runs first (chance {self.unordered:.1%})"


def calibrate(comparisons: Sequence[Comparison], draws: int = DRAWS, seed: int = _SEED) -> Calibration:
    """Count false alarms and detections, and test the comparisons as they were measured.

    Args:
        comparisons: of equal sides, independent of each other.
        draws: of permutations and resamplings.
        seed: of them.

    Raises:
        UsageError: fewer than 20 pairs, or fewer than five in one comparison.
    """
    count = sum(map(len, comparisons))
    if count < LEAST_RECORDED or min(map(len, comparisons)) < LEAST_PAIRS:
        raise UsageError(
            f"{count} pairs in which both sides are the same ({len(comparisons)} comparison(s)) are too few to calibrate on; "
            f"{LEAST_RECORDED} are needed, and {LEAST_PAIRS} of each comparison: measure more with python -m experiments "
            "compare SPEC --pairs 20 --series 1, 2, ..."
        )
    parts = [np.asarray(log_ratios(_seconds(found))) for found in comparisons]
    random = np.random.default_rng(seed)
    alarms, alarms_of, power_of = _rates(np.concatenate(parts), draws, random)
    neighbours = float(_correlation(parts)[0])
    return Calibration(
        comparisons,
        alarms,
        alarms_of,
        power_of,
        equal=_equal(parts),
        neighbours=neighbours,
        independent=_independent(parts, neighbours, draws, random),
    )


def findings(found: Calibration, left_out: int = 0) -> list[Finding]:
    """Return the sections; `left_out` is how many recorded comparisons are not among those of the calibration."""
    own = Finding(
        "Calibration",
        answer(found),
        tables=(comparison_table(found), table(found)),
        notes=tuple(details(found)),
    )
    said = f"left out: {left_out} comparison(s) of other code, parameters or host, or of too few pairs"
    return [own, *([Finding("Left out", notes=(said,))] if left_out else [])]


def answer(found: Calibration) -> str:
    """Say whether the verdicts hold on this host, and from how many comparisons."""
    count = len(found.problems)
    against = f"the verdicts of compare do not hold on this host, for {counted(count, 'reason')} (below)"
    return f"{sentence('nothing speaks against the verdicts of compare on this host' if found.holds else against)} {sentence(_weight(found))}"


def details(found: Calibration) -> Iterator[str]:
    """Yield the numbers behind the answer."""
    logs, size = log_ratios(found.pairs), found.recommended
    first = _changes(found.first_is_slower)
    yield from (f"against the verdicts: {problem}" for problem in found.problems)
    yield f"a pair's ratio strays by {statistics.stdev(logs):.1%} (standard deviation of its logarithm)"
    yield (
        f"as they were labelled {found.different} of the comparisons are called different "
        f"(chance that equal sides differ as much: {found.equal:.0%})"
    )
    yield f"of {DRAWS:,} label permutations {found.alarms:.1%} are called different ({ALARMS[0]:.0%} to {ALARMS[1]:.0%} wanted)"
    if size:
        yield f"with {size} pairs a slowdown of {PLANTED - 1:.0%} is found in {found.power_of[size]:.0%} of resamplings"
    else:
        yield f"none of these numbers of pairs finds a slowdown of {PLANTED - 1:.0%} in {POWER:.0%} of resamplings"
    yield (
        f"the half that runs first takes {first[0]} ({first[1]}; chance {found.unordered:.0%}); "
        f"the ratios of neighbouring pairs correlate by {found.neighbours:.2f} (chance {found.independent:.0%})"
    )


def table(found: Calibration) -> Table:
    """Return false alarms and detections by the number of pairs."""
    rows = [
        [str(size), f"{found.alarms_of[size]:.1%}", f"{found.power_of[size]:.1%}"] for size in found.alarms_of
    ]
    return Table(["pairs", "called different (A/A)", f"slowdown of {PLANTED - 1:.0%} found"], rows)


def comparison_table(found: Calibration) -> Table:
    """Return each comparison as it was labelled."""
    rows = []
    for number, pairs in enumerate(found.comparisons, start=1):
        own = _ratio(pairs)
        rows.append([str(number), str(len(pairs)), *_changes(own), own.verdict])
    return Table(["comparison", "pairs", "contender's time", "95%", "verdict"], rows)


def _weight(found: Calibration) -> str:
    count = len(found.comparisons)
    one = f"{count} independent comparison{'s' * (count != 1)} of equal sides, {len(found.pairs)} pairs"
    return one if found.claim else f"{one} (a look: a claim takes {LEAST_COMPARISONS} comparisons)"


def _rates(
    logs: Any, draws: int, random: np.random.Generator
) -> tuple[float, dict[int, float], dict[int, float]]:
    sizes = [size for size in SIZES if size <= len(logs)]

    def flipped(sample: Any) -> Any:
        return sample * random.choice((-1.0, 1.0), sample.shape)

    every = flipped(np.tile(logs, (draws, 1)))
    parts = {
        size: flipped(np.array([random.choice(logs, size, replace=False) for _ in range(draws)]))
        for size in sizes
    }
    drawn = {size: flipped(random.choice(logs, (draws, size))) + np.log(PLANTED) for size in sizes}
    return (
        float(np.mean(called(every) != 0)),
        {size: float(np.mean(called(part) != 0)) for size, part in parts.items()},
        {size: float(np.mean(called(part) == 1)) for size, part in drawn.items()},
    )


def _equal(parts: Sequence[Any]) -> float:
    """Test that the mean of every comparison is 0: F test, of one comparison the t test of its verdict."""
    inside = sum(float(((part - part.mean()) ** 2).sum()) for part in parts)
    free = sum(map(len, parts)) - len(parts)
    between = sum(len(part) * float(part.mean()) ** 2 for part in parts) / len(parts)
    if inside == 0:
        return float(between == 0)
    return float(stats.f.sf(between / (inside / free), len(parts), free))


def _correlation(parts: Sequence[Any]) -> Any:
    """Correlate neighbours within comparisons, each around its own mean; pairs along the last axis."""
    own = [np.atleast_2d(part) - np.mean(part, axis=-1, keepdims=True) for part in parts]
    products = np.sum([(part[:, :-1] * part[:, 1:]).sum(axis=1) for part in own], axis=0)
    squares = np.sum([(part**2).sum(axis=1) for part in own], axis=0)
    return products / np.where(squares > 0, squares, 1.0)


def _independent(parts: Sequence[Any], found: float, draws: int, random: np.random.Generator) -> float:
    """Return how often pairs in a random order correlate as far from what such orders do on average."""
    shuffled = [random.permuted(np.tile(part, (draws, 1)), axis=1) for part in parts]
    chance = _correlation(shuffled)
    usual = float(chance.mean())
    return float((1 + (np.abs(chance - usual) >= abs(found - usual) - 1e-12).sum()) / (1 + draws))


def _ratio(pairs: Comparison) -> Ratio:
    return of_pairs(_seconds(pairs))


def _changes(found: Ratio) -> tuple[str, str]:
    """Write by how much the time differs, and the interval of that."""
    assert found.ratio is not None
    assert found.interval is not None
    return f"{found.ratio - 1:+.1%}", " to ".join(f"{end - 1:+.1%}" for end in found.interval)


def _seconds(pairs: Comparison) -> list[tuple[float, float]]:
    return [(pair.baseline, pair.contender) for pair in pairs]
