"""Verdict on the pairs and the users, in numbers and in sentences."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import JobError
from experiments.metric_table import COVERAGE, RMSE, SECONDS, TOTAL, phase_of, seconds_name
from experiments.page.wording import counted, number_word, percent, sentence, values_apart
from experiments.results.metrics import quality as quality_numbers
from experiments.results.model_equality import SAME_MODEL, distance
from experiments.results.outcome import Outcome
from experiments.stats.ratios import LEAST_PAIRS, Ratio, of_pairs
from experiments.studies.compare.ledger import PER_USER, Ledger
from experiments.studies.compare.sides import NAMES
from experiments.studies.compare.users import LEAST_USERS, Quality, qualities, same_rows
from jobs.judge.per_user import read

_SAME = "fit the same model (predictions equal within 1e-4)"
_TITLES = {RMSE.key: RMSE.titled(), "ndcg": "nDCG", COVERAGE.key: COVERAGE.titled()}


@dataclass(frozen=True)
class Verdict:
    """Both sides beside one another.

    Attributes:
        metric: what was timed: `total_s`, or a phase as in `fit_s`.
        timing: how many times as long the contender takes.
        qualities: of each metric that is paired over users; empty where none can be.
        unpaired: why a metric, or all of them, is not paired.
        change: how far the fitted models differ; None if they are the same within 1e-4 or nobody can tell.
        told: whether both sides left a fingerprint of their model.
    """

    metric: str
    timing: Ratio
    qualities: Sequence[Quality]
    unpaired: Sequence[str]
    change: str | None
    told: bool

    @property
    def same_model(self) -> bool:
        """Whether both sides predict the same. Their rankings may differ all the same."""
        return self.told and self.change is None

    @property
    def quality(self) -> str:
        """One word for all metrics: worse as soon as one is."""
        return self.quality_beyond(0.0)

    def quality_beyond(self, tolerance: float) -> str:
        """As `quality`, but a difference must be more than this share of the baseline's value."""
        if not self.qualities and self.same_model:
            return "indistinguishable"
        found = [item.beyond(tolerance) for item in self.qualities]
        for word in ("worse", "too few", "better", "indistinguishable"):
            if word in found:
                return word
        return "not judged"

    def failures(self, tolerance: float, quality_tolerance: float) -> list[str]:
        """Say what a gate refuses; nothing if it lets the contender pass."""
        found = []
        if self.timing.beyond(tolerance) == "slower":
            found.append(f"slower: {change_of(self.timing)} time ({self.metric}, {interval_of(self.timing)})")
        if self.quality_beyond(quality_tolerance) == "worse":
            worse = [item for item in self.qualities if item.beyond(quality_tolerance) == "worse"]
            found += [
                f"worse: {title(item)} {item.baseline:.4f} -> {item.contender:.4f} ({difference_of(item)})"
                for item in worse
            ]
        return found


def verdict_of(ledger: Ledger, metric: str) -> Verdict:
    """Judge what was measured.

    Raises:
        JobError: no pair has this metric.
    """
    pairs = ledger.seconds(phase_of(metric))
    if not pairs:
        known = sorted(
            {time.phase for side in ledger.sides.values() for item in side.measured for time in item.phases}
        )
        names = ", ".join([SECONDS.of(phase) for phase in (TOTAL, *known)])
        raise JobError(f"no pair has {metric}; what was timed: {names} (choose by --metric)")
    found, unpaired = _qualities(ledger)
    change, told = _model_change(ledger)
    return Verdict(seconds_name(metric), of_pairs(pairs), found, unpaired, change, told)


def time_answer(verdict: Verdict) -> str:
    """Say which side takes longer, or that it cannot be told, and the smallest slowdown that would have been found."""
    found, count = verdict.timing, verdict.timing.count
    if (ends := found.interval) is None or found.slower_detectable is None:
        pairs = counted(count, "pair")
        return f"{sentence(f'{pairs} cannot tell which side is faster')} A verdict takes {number_word(LEAST_PAIRS)} pairs; the notes have each ratio."
    missed = f"A slowdown of {percent(found.slower_detectable - 1)} would have been found in 80 of 100 such comparisons"
    interval = f"95% interval of {counted(count, 'pair')}: {signed(ends[0] - 1)} to {signed(ends[1] - 1)}"
    if found.verdict == "indistinguishable":
        return f"No difference in time can be told ({interval}). {missed}, a smaller one may be there."
    return f"The contender is {found.verdict}: it takes {change_of(found)} time ({interval}). {missed}."


def quality_answer(verdict: Verdict) -> str:
    """Say whose model is better, or why it cannot be told."""
    if not verdict.qualities and verdict.same_model:
        return f"No difference in quality. Both sides {_SAME}."
    if not verdict.qualities:
        return "Quality is not judged. The notes below say why."
    word = verdict.quality
    told = [item for item in verdict.qualities if item.verdict == word] or list(verdict.qualities)
    values = ", ".join(_short(item) for item in told)
    users = f"{told[0].users:,} users"
    if word == "too few":
        return f"{sentence(f'{users} are too few to tell whose model is better: {values}')} A verdict takes {LEAST_USERS}."
    if word == "indistinguishable" and verdict.same_model:
        return f"No difference in quality can be told: {values}. Both sides {_SAME}."
    if word == "indistinguishable":
        finest = told[0].detectable or 0.0
        return (
            f"No difference in quality can be told: {values}. A difference in {title(told[0])} of {finest:.2g} would have been "
            "found in 80 of 100 such comparisons."
        )
    return f"The contender is {word}: {values}. The 95% intervals, paired over {users}, are below."


def quality_notes(verdict: Verdict) -> Iterator[str]:
    """Yield the verdict on each metric in full, and why there is none."""
    yield from map(_of_metric, verdict.qualities)
    if verdict.same_model:
        yield f"both sides {_SAME}"
    if not verdict.qualities and not verdict.same_model:
        yield from verdict.unpaired or ["the job reports no quality"]


def _short(found: Quality) -> str:
    contender, baseline = values_apart(found.contender, found.baseline)
    return f"{title(found)} {contender} against {baseline}"


def time_notes(verdict: Verdict) -> Iterator[str]:
    """Yield what was timed and, where the pairs are too few for a verdict, each of their ratios."""
    yield f"time is {verdict.metric}, the median pass of each application"
    if verdict.timing.verdict == "too few":
        ratios = ", ".join(f"{contender / baseline:.3f}" for baseline, contender in verdict.timing.pairs)
        yield f"the contender's time over the baseline's in each pair: {ratios}"


def notes(ledger: Ledger, verdict: Verdict) -> Iterator[str]:
    """Yield what a reader must know of these numbers."""
    if ledger.about.get("same"):
        yield "both sides are the same code, packages and parameters: what differs is noise (A/A)"
    if verdict.change:
        yield f"{verdict.change}: their times are of different work"
    yield from verdict.unpaired
    for name, side in ledger.sides.items():
        if side.shape_tag == "external":
            yield f"{name}: its workers are an external master's; what else their machines do is not seen from here"
        elif side.shape_tag != "clean":
            yield f"{name}: {side.shape_tag}, its workers have as many cores as the host or more, which driver and servers need too"
        if _unsteady(side):
            yield f"{name}: the fitted model is not the same in all of its applications; give it a seed"
    earlier = [count for count in ledger.looks if count < verdict.timing.count]
    if earlier:
        looks = ", ".join(map(str, earlier))
        yield (
            f"a verdict was already given after {looks} pairs: adding pairs until a difference appears raises the "
            "false-alarm rate above 5%"
        )
    if ledger.alternated:
        yield (
            f"{ledger.alternated} of the pairs took turns in a fixed order (A B, B A), as an older version had it: what the host "
            "does every four applications would look like a difference between the sides"
        )
    yield (
        "the interval is Student's t over the logarithms of the pairs' ratios; it holds for this host and this load only; "
        "the slowdown that would have been found is computed with the upper 95% bound of the pairs' spread"
    )
    if verdict.qualities:
        level = verdict.qualities[0].level
        both = f" ({100 * level:g}% each, because two metrics are judged)" if level > 0.951 else ""
        yield (
            f"quality is paired over users of one test part{both}; another split or seed would give other users, and "
            "differences up to 0.0001 count as none"
        )


def change_of(found: Ratio) -> str:
    """Write how many times as long it takes as "4.2% more" or "3.0% less"."""
    assert found.ratio is not None
    return f"{abs(found.ratio - 1):.1%} {'more' if found.ratio >= 1 else 'less'}"


def signed(share: float) -> str:
    """Write a change with its sign: +4.2%, -31%."""
    return f"{'-' if share < 0 else '+'}{percent(abs(share))}"


def interval_of(found: Ratio) -> str:
    """Write the interval of the change."""
    if (ends := found.interval) is None:
        return "no interval"
    return f"95% interval {ends[0] - 1:+.1%} to {ends[1] - 1:+.1%}"


def difference_of(found: Quality) -> str:
    """Write a difference with its interval."""
    if found.low is None or found.high is None:
        return f"{found.difference:+.4f}, no interval"
    return f"{found.difference:+.4f}, {100 * found.level:g}% interval {found.low:+.4f} to {found.high:+.4f}"


def title(found: Quality) -> str:
    """Write the name of a metric."""
    return _TITLES[found.metric]


def spread_of(pairs: Sequence[tuple[float, float]], at: int) -> str:
    """Write one side's median seconds with least and most."""
    values = [pair[at] for pair in pairs]
    return f"{statistics.median(values):.2f} ({min(values):.2f}\u2013{max(values):.2f})"


def _of_metric(found: Quality) -> str:
    values = f"{title(found)} {found.baseline:.4f} \u2192 {found.contender:.4f} ({difference_of(found)}) over {found.users:,} users"
    if found.verdict == "too few":
        return f"too few users for a verdict on quality ({LEAST_USERS} are needed): {values}"
    if found.verdict == "indistinguishable":
        return f"indistinguishable: {values}; a difference of {found.detectable:.4f} would have been found in at least 80 of 100"
    return f"{found.verdict}: {values}"


def _qualities(ledger: Ledger) -> tuple[list[Quality], list[str]]:
    files = {name: ledger.place(name, None) / PER_USER for name in NAMES}
    missing = [name for name in NAMES if not files[name].exists()]
    if not missing:
        same_rows(files)
        return qualities(*(read(files[name]) for name in NAMES))
    values = {name: quality_numbers(ledger.pilots[name]) for name in NAMES}
    shared = [key for key in values["baseline"] if key in values["contender"]]
    if not shared:
        return [], []
    words = ", ".join(
        f"{key} {values['baseline'][key]:.4g} and {values['contender'][key]:.4g}" for key in shared[:4]
    )
    who = " and ".join(missing)
    return [], [f"the code of the {who} is older and writes no quality per user; over all rows: {words}"]


def _model_change(ledger: Ledger) -> tuple[str | None, bool]:
    first, second = (_fingerprint(ledger.pilots[name]) for name in NAMES)
    if not first or not second:
        return None, False
    difference = distance(first, second)
    if difference <= SAME_MODEL:
        return None, True
    if math.isinf(difference):
        return "the fitted models cannot be compared (other pairs were predicted)", True
    return f"the two sides fit different models (predictions differ by up to {difference:.2g})", True


def _fingerprint(outcome: Outcome) -> list[float]:
    return outcome.measured[0].fingerprint if outcome.measured else []


def _unsteady(outcome: Outcome) -> bool:
    prints = [item.fingerprint for item in outcome.measured if item.fingerprint]
    return any(not distance(prints[0], item) <= SAME_MODEL for item in prints[1:])
