"""Trials at given rates, in rounds, and what the repeats of a rate say together."""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import JobError
from core.units import time_text
from core.versioned import Kind, unchanged
from experiments.run.turns import balanced
from experiments.stats.summaries import Spread, spread_of
from experiments.studies.rates.rig import Rig, Tried
from experiments.studies.rates.verdict import Limits, lateness, slope

logger = logging.getLogger(__name__)

FILE = "latency.json"
LIMITS = Limits(latency_s=float("inf"))
"""What a generator must keep to. A latency is measured here, not judged."""

_KEPT = Kind("latencies of a stream", (unchanged, unchanged), "They are measured anew")


@dataclass(frozen=True)
class Effort:
    """Size of an experiment.

    Attributes:
        repeats: trials of each rate.
        warmup_s, measured_s: of each trial.
    """

    repeats: int = 3
    warmup_s: float = 60.0
    measured_s: float = 120.0


@dataclass(frozen=True)
class Repeat:
    """One trial.

    Attributes:
        rate: messages a second that were asked for.
        round: in which it was measured, from 1.
        late: why the generator was not able to send at that rate, so that the trial says nothing; empty if it was.
    """

    rate: float
    round: int
    tried: Tried
    late: tuple[str, ...]

    @property
    def cold(self) -> bool:
        """Whether the stream's first batch had not ended when the measured part began, so that the trial says nothing either."""
        return not self.tried.seen.warm

    @property
    def counts(self) -> bool:
        """Whether it says something of the stream at that rate."""
        return not self.late and not self.cold

    @property
    def void(self) -> list[str]:
        """Reasons why it says nothing; empty if it does."""
        reasons = [f"the generator was late: {'; '.join(self.late)}"] if self.late else []
        cold = "the first batch, in which everything is cold, had not ended when the measured part began (--warmup gives it longer)"
        return reasons + [cold] * self.cold


@dataclass(frozen=True)
class AtRate:
    """All trials of a rate, in the order of their rounds."""

    rate: float
    repeats: tuple[Repeat, ...]

    @property
    def counted(self) -> tuple[Repeat, ...]:
        """Those that say something of the stream."""
        return tuple(one for one in self.repeats if one.counts)

    @property
    def behind(self) -> int:
        """Number of those that count in which the stream fell behind, so that their latencies grow with their length."""
        return sum(falling_behind(one) is not None for one in self.counted)

    @property
    def reconciled(self) -> bool:
        """Whether each of them left everything where it belongs."""
        return not any(one.tried.differences for one in self.repeats)

    def latency(self, share: float) -> Spread | None:
        """Return the seconds that this share of the messages took at most; None if no trial says anything."""
        return spread_of([[one.tried.seen.latencies[share]] for one in self.counted])

    @property
    def delay(self) -> Spread | None:
        """Seconds from the intended sending to the handing over, of 99% of the messages, of all trials."""
        delays = [one.tried.generated.delay_p99_s for one in self.repeats]
        return spread_of([[one] for one in delays if one is not None])


@dataclass(frozen=True)
class Found:
    """Results of an experiment.

    Attributes:
        name: of the query that was measured.
        asked: subject, rates and effort, as plain values.
        trials: in their order.
        environment: tags of host and versions.
        ended_at: seconds since 1970.
        broken: why the last trial failed; empty if none did.
    """

    name: str
    asked: Mapping[str, Any]
    trials: tuple[Repeat, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ended_at: float = 0.0
    broken: str = ""

    @property
    def rates(self) -> list[AtRate]:
        """Trials by rate, the lowest rate first."""
        every = sorted({one.rate for one in self.trials})
        ordered = sorted(self.trials, key=lambda one: one.round)
        return [AtRate(rate, tuple(one for one in ordered if one.rate == rate)) for rate in every]

    @property
    def good(self) -> bool:
        """Whether every rate has a trial that says something, and everything was found where it belongs."""
        return not self.broken and all(one.counted and one.reconciled for one in self.rates)

    @property
    def notes(self) -> list[str]:
        """Return what a reader must know of these numbers."""
        return list(_notes(self))


def measure(rig: Rig, rates: Sequence[float], effort: Effort, note: Callable[[Found], object]) -> Found:
    """Measure the latency of the rig's stream at each rate.

    Args:
        rig: place of the trials.
        rates: messages a second.
        effort: size of the experiment.
        note: is given what was found so far, after each trial.

    Raises:
        JobError: the stream or the generator failed in the first trial; a later one ends the experiment with those before it.
    """
    rig.fastest(1)  # what the generator prepares once would take up a trial's warm-up
    name, total = rig.subject.name, len(rates) * effort.repeats
    asked = {
        "subject": dataclasses.asdict(rig.subject),
        "rates": list(rates),
        "effort": dataclasses.asdict(effort),
    }
    found = Found(name, asked, ())
    orders = balanced(
        effort.repeats, name, lambda random: [rates[place] for place in random.permutation(len(rates))]
    )
    for number, order in enumerate(orders, start=1):
        for rate in order:
            told = f"{rate:,.0f} messages a second"
            logger.info("trial %d of %d: %s, round %d", len(found.trials) + 1, total, told, number)
            try:
                tried = rig.trial(rate, effort.warmup_s, effort.measured_s, f"{rate:g}-{number}")
            except JobError as error:
                if not found.trials:
                    raise
                logger.error("the trial failed, and the experiment ends with those before it: %s", error)
                return dataclasses.replace(found, broken=str(error))
            one = judged(rate, number, tried)
            logger.info("%s: %s", told, said(one))
            found = dataclasses.replace(found, trials=(*found.trials, one))
            note(found)
    return found


def judged(rate: float, number: int, tried: Tried) -> Repeat:
    """Return a trial with whether its generator was late."""
    late = lateness(rate, tried.generated.per_s, tried.generated.delay_p99_s or 0.0, LIMITS)
    return Repeat(rate, number, tried, late)


def said(one: Repeat) -> str:
    """Return a trial's result as words."""
    if not one.counts:
        return f"says nothing: {'; '.join(one.void)}"
    found = one.tried.seen.latencies
    return f"rows visible after {time_text(found[0.5])} (median), 99% within {time_text(found[0.99])}"


def keep(found: Found, place: Path) -> Path:
    """Write what was found, whole or not at all; return the file."""
    place.mkdir(parents=True, exist_ok=True)
    _KEPT.write(place / FILE, dataclasses.asdict(found))
    return place / FILE


def falling_behind(one: Repeat) -> float | None:
    """Return by how many messages a second a trial's lag grew at least; None if it stayed, as far as its batches tell."""
    try:
        grows = slope(one.tried.seen.times, one.tried.seen.lags)
    except JobError:  # too few batches to tell
        return None
    lower = 2 * grows.value - grows.upper
    return lower if lower > LIMITS.slope * one.rate else None


def _notes(found: Found) -> Iterable[str]:
    subject, effort = found.asked["subject"], found.asked["effort"]
    yield (
        "latency counts from the moment at which a message was to be sent, which is in its header, also of messages that were sent "
        "late (no coordinated omission)"
    )
    yield from _moment(found, subject["visible"])
    if found.broken:
        yield f"a further trial failed, and ended the experiment: {found.broken.splitlines()[0]}"
    yield (
        f"{effort['repeats']} repeat(s) of each rate in rounds, each an application of its own with {time_text(effort['warmup_s'])} of "
        f"warm-up and {time_text(effort['measured_s'])} measured; trigger {time_text(subject['trigger_s'])}, {subject['cores']} core(s). "
        "Values are the median of the repeats, in brackets the least and the most"
    )
    for one in found.trials:
        told = f"{one.rate:,.0f}/s, round {one.round}"
        if not one.counts:
            yield f"{told} says nothing: {'; '.join(one.void)}"
        elif (growth := falling_behind(one)) is not None:
            yield (
                f"{told}: the stream fell behind, by {growth:,.0f} messages a second at least, so that its latencies grow with the length "
                "of the trial"
            )
        wanted = round(one.rate * (effort["warmup_s"] + effort["measured_s"]))
        if one.tried.generated.acknowledged < wanted:
            yield (
                f"{told}: {one.tried.generated.acknowledged:,} of {wanted:,} messages were sent, as the data set has no more "
                "(--dataset names a larger one)"
            )
        yield from (f"{told}: messages are not where they belong: {two}" for two in one.tried.differences)


def _moment(found: Found, visible: str) -> Iterable[str]:
    """Yield which moment counts, and how far the ends of batches are from it."""
    after = [one.tried.seen.after_s for one in found.trials]
    told = [seconds for seconds in after if seconds is not None]
    if told:
        middle = spread_of([[seconds] for seconds in told])
        assert middle is not None
        yield (
            f"a row is visible when {visible}; its batch ended {time_text(middle.median)} after that (median of the trials, "
            f"{time_text(middle.least)} to {time_text(middle.most)})"
        )
    if len(told) < len(after):
        yield (
            f"{len(after) - len(told)} trial(s) have batches of which it is not known since when their rows were visible: there latency "
            "goes to the end of the batch, an upper bound"
        )
