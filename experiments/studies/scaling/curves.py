"""One curve: the trials of a family with their speed-ups, what is missing, and the laws that fit them.

Strong scaling keeps the data and adds workers (Amdahl 1967); weak scaling lets both grow together, and the scaled
speed-up is the work done in the time of the smallest shape (Gustafson, Reevaluating Amdahl's law, CACM 31(5), 1988).
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from experiments.metric_table import TOTAL
from experiments.page.merged_notes import by_statement
from experiments.results.metrics import by_round, medians
from experiments.results.model_equality import Change, allowed, changes
from experiments.results.outcome import Outcome
from experiments.spec.tables import MODEL, short
from experiments.stats.families import growth, strong, untimed, weak
from experiments.stats.faster import faster
from experiments.stats.fits import Fit, Law, Sample, fit, karp_flatt, why_not
from experiments.stats.ratios import Ratio, between
from experiments.stats.summaries import Spread, spread

_PROPORTIONAL = 0.10  # how far the data may be from growing as the cores do


@dataclass(frozen=True)
class Point:
    """One shape of a curve.

    Attributes:
        size: its cores' worth of CPU time over that of the smallest shape.
        seconds: of one pass, all phases together.
        ratio: how many times as fast it is as the smallest shape; of a weak curve how many times the smallest shape's
            work it does in the same time.
        serial: Karp and Flatt's fraction with its interval, None where the smallest shape is not one core.
        left_out: why no law is fitted to it, None if one may be.
    """

    outcome: Outcome
    size: float
    seconds: Spread
    ratio: Ratio
    serial: tuple[float, float | None, float | None] | None
    left_out: str | None

    @property
    def efficiency(self) -> float | None:
        """The share of an ideal speed-up that it reaches."""
        return None if self.ratio.ratio is None else self.ratio.ratio / self.size

    @property
    def efficiency_interval(self) -> tuple[float, float] | None:
        """Its 95% interval; None with fewer than five applications."""
        ends = self.ratio.interval
        return None if ends is None else (ends[0] / self.size, ends[1] / self.size)

    @property
    def drawn(self) -> bool:
        """Whether it may be shown as a claim about scaling."""
        return self.ratio.ratio is not None and self.outcome.shape_tag != "oversubscribed"


@dataclass(frozen=True)
class Curve:
    """A family of trials.

    Attributes:
        name: what its trials have in common.
        points: those with times, smallest shape first.
        gaps: what is missing or different from what a reader would expect, a sentence each.
        changes: how the model changed along it; speed-ups are refused then, unless `allowed`.
        unproportional: why it is no weak scaling though the data grows.
        fits: laws that could be fitted; refusals: why the others were not.
    """

    name: str
    kind: Literal["strong", "weak"]
    points: tuple[Point, ...]
    gaps: tuple[str, ...]
    changes: tuple[Change, ...]
    allowed: bool
    unproportional: str | None
    fits: tuple[Fit, ...]
    refusals: tuple[str, ...]

    @property
    def claimed(self) -> bool:
        """Whether anything may be said of its speed-ups."""
        return not self.unproportional and (self.allowed or not self.changes)

    @property
    def law(self) -> Fit | None:
        """The fit to speak of: the simplest that describes the times, unless a richer one shows that it lacks something."""
        good = [item for item in self.fits if item.described == "yes"]
        shown = [item for item in good if all(parameter.shown for parameter in item.parameters)]
        if shown:
            return shown[-1]
        return good[0] if good else None


def curves(outcomes: Sequence[Outcome]) -> list[Curve]:
    """Return every curve that the outcomes make, those of fixed data first; looks in shared applications make none."""
    outcomes = [item for item in outcomes if not item.shared]
    found = [_curve("strong", group, outcomes) for group in strong(outcomes)]
    growing = [_curve("weak", group, outcomes) for group in weak(outcomes) if _grows(group)]
    return [item for item in [*found, *growing] if len(item.points) > 1 or item.gaps]


def _curve(kind: Literal["strong", "weak"], group: Sequence[Outcome], outcomes: Sequence[Outcome]) -> Curve:
    timed = [item for item in group if medians(item, TOTAL)]
    points = tuple(_points(kind, timed))
    found = tuple(changes(timed)) if kind == "strong" else tuple(c for item in timed for c in changes([item]))
    free = any(allowed(item) for item in group)
    crooked = _unproportional(timed) if kind == "weak" else None
    fits, refusals = ((), ()) if crooked or (found and not free) else _fitted(kind, points)
    return Curve(
        name=_name(group, outcomes),
        kind=kind,
        points=points,
        gaps=tuple(_gaps(group, timed)),
        changes=found,
        allowed=free,
        unproportional=crooked,
        fits=fits,
        refusals=refusals,
    )


def _points(kind: Literal["strong", "weak"], timed: Sequence[Outcome]) -> Iterator[Point]:
    for outcome in timed:
        size = outcome.size.capacity / timed[0].size.capacity
        seconds = spread(outcome, TOTAL)
        assert seconds is not None
        ratio = _ratio(kind, timed, outcome, size)
        yield Point(
            outcome, size, seconds, ratio, _serial(kind, timed[0], outcome, ratio), _left_out(outcome)
        )


def _ratio(kind: Literal["strong", "weak"], timed: Sequence[Outcome], outcome: Outcome, size: float) -> Ratio:
    first = timed[0]
    if outcome is first:
        return Ratio(1.0, tag=outcome.shape_tag)
    if kind == "strong":
        return faster(first, outcome, sweep=timed)
    if (why := untimed(first, outcome)) is not None:
        return Ratio(refused=why, tag=outcome.shape_tag)
    return dataclasses.replace(between(first, outcome).scaled(size), tag=outcome.shape_tag)


def _serial(
    kind: str, first: Outcome, outcome: Outcome, ratio: Ratio
) -> tuple[float, float | None, float | None] | None:
    cores = outcome.size.capacity
    one_core = first.size.total_cores == 1 and first.size.capacity == 1
    if kind != "strong" or ratio.ratio is None or cores <= 1 or not one_core:
        return None
    low, high = (None if end is None else karp_flatt(end, cores) for end in (ratio.high, ratio.low))
    return karp_flatt(ratio.ratio, cores), low, high


def _left_out(outcome: Outcome) -> str | None:
    if outcome.shape_tag == "oversubscribed":
        return "oversubscribed"
    if outcome.status == "failed":
        return f"failed after {len(outcome.measured)} application(s)"
    return "executors were lost while it ran" if outcome.executors_lost else None


def _fitted(kind: str, points: Sequence[Point]) -> tuple[tuple[Fit, ...], tuple[str, ...]]:
    """Fit what may be fitted to the points that may be, and say why the rest is not."""
    if kind == "weak":
        return (), (
            "Amdahl's law and the Universal Scalability Law are of fixed data and are not fitted here",
        )
    samples = [
        Sample(str(item.outcome.size), item.size, item.seconds.applications, by_round(item.outcome, TOTAL))
        for item in points
        if item.left_out is None and item.ratio.ratio is not None
    ]
    laws: tuple[tuple[Law, str], ...] = (("amdahl", "Amdahl's law"), ("usl", "the Universal Scalability Law"))
    whys = {law: why_not(law, samples) for law, _ in laws}
    fits = tuple(fit(law, samples) for law, why in whys.items() if why is None)
    refused = by_statement((name, why) for law, name in laws if (why := whys[law]) is not None)
    told = "; ".join(f"{' and '.join(names)} ({why})" for why, names in refused.items())
    return fits, (f"not fitted: {told}",) if told else ()


def _gaps(group: Sequence[Outcome], timed: Sequence[Outcome]) -> Iterator[str]:
    for outcome in group:
        if outcome not in timed:
            why = f"{outcome.status}: {(outcome.error or 'no reason given').splitlines()[0]}"
            why = why if outcome.status != "ok" else "it has no measured pass, only warm-ups"
            yield f"{outcome.label} has no times ({why}); the curve goes on without it"
        elif reason := _left_out(outcome):
            yield f"no law is fitted to {outcome.label}: {reason}"
    if timed and timed[0] is not group[0]:
        yield f"the smallest shape, {group[0].size}, has no times: speed-ups are against {timed[0].size}"


def _grows(group: Sequence[Outcome]) -> bool:
    amounts = {tuple(growth(item).items()) for item in group}
    return len(amounts) > 1


def _unproportional(timed: Sequence[Outcome]) -> str | None:
    """Say what does not grow as the cores do; weak scaling means as much work for each core."""
    if not timed:
        return None
    first = growth(timed[0])
    for outcome in timed[1:]:
        size = outcome.size.capacity / timed[0].size.capacity
        for key, value in growth(outcome).items():
            if first.get(key) and abs(value / first[key] / size - 1) > _PROPORTIONAL:
                return (
                    f"{outcome.size} has {size:.3g} times the cores of {timed[0].size} but {value / first[key]:.3g} times "
                    f"its {key}: rows, users and items must grow together with the cores"
                )
    return None


def _name(group: Sequence[Outcome], outcomes: Sequence[Outcome]) -> str:
    """Return the values that a curve's trials share and that tell them from the experiment's others."""
    first = group[0]
    shared = [key for key in first.values if all(item.values.get(key) == first.values[key] for item in group)]
    telling = [
        key
        for key in shared
        if key != MODEL and any(item.values.get(key) != first.values[key] for item in outcomes)
    ]
    words = [
        str(first.values.get(MODEL, first.job)),
        *(f"{short(key, telling)}={first.values[key]}" for key in telling),
    ]
    return " ".join(words)
