"""Search for the rate that a stream keeps up with: the generator alone, a backlog, then trials at rates, each kept as it ends."""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import JobError
from core.units import time_text
from core.versioned import Kind, unchanged
from datasets.dataset import find
from experiments.studies.rates.generator import Generated
from experiments.studies.rates.rig import Drained, Rig, Tried
from experiments.studies.rates.search import STEPS, Bracket, bracket, next_rate
from experiments.studies.rates.verdict import Limits, Observed, Verdict, judge

logger = logging.getLogger(__name__)

FILE = "rates.json"
HEADROOM = 2.0
"""How many times as fast as the highest rate the generator must be by itself, so that it is not what is measured."""

_MOST_VOID = 2
"""Trials that say nothing after which a search ends: a third would say no more."""

_KEPT = Kind("what came of a search among rates", (unchanged, unchanged), "It is searched anew")


@dataclass(frozen=True)
class Effort:
    """Size of a search.

    Attributes:
        alone: messages of the generator alone; backlog: messages that are drained.
        warmup_s, measured_s: of each trial.
        steps: trials at most.
    """

    alone: int = 1_000_000
    backlog: int = 2_000_000
    warmup_s: float = 60.0
    measured_s: float = 120.0
    steps: int = STEPS


@dataclass(frozen=True)
class Rated:
    """A trial at a rate, with its verdict.

    Attributes:
        rate: messages a second that were asked for.
    """

    rate: float
    tried: Tried
    verdict: Verdict


@dataclass(frozen=True)
class Found:
    """Results of a search so far.

    Attributes:
        name: of the query that was measured.
        asked: subject, limits and effort, as plain values.
        alone: the generator by itself; drained: the backlog; trials: in their order.
        environment: tags of host and versions.
        ended_at: seconds since 1970.
        broken: why the last trial failed; empty if none did.
    """

    name: str
    asked: Mapping[str, Any]
    limits: Limits
    alone: Generated
    drained: Drained
    trials: tuple[Rated, ...] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ended_at: float = 0.0
    broken: str = ""

    @property
    def bracket(self) -> Bracket:
        """Highest rate that was kept up with, and the lowest that was not."""
        return bracket(self.kept_up)

    @property
    def kept_up(self) -> dict[float, bool]:
        """For each rate of which a trial says something, whether the stream kept up with it."""
        return {one.rate: one.verdict.sustained for one in self.trials if not one.verdict.void}

    @property
    def void(self) -> list[Rated]:
        """Trials that say nothing of the stream."""
        return [one for one in self.trials if one.verdict.void]

    @property
    def notes(self) -> list[str]:
        """Return what a reader must know of these numbers."""
        return list(_notes(self))


def search(rig: Rig, limits: Limits, effort: Effort, note: Callable[[Found], object]) -> Found:
    """Find the highest rate that the rig's stream keeps up with.

    A trial that fails ends the search with those before it.

    Args:
        rig: place of the trials.
        limits: of what counts as keeping up.
        effort: size of the search.
        note: is given what was found so far, after each trial.

    Raises:
        JobError: the stream or the generator failed before the first trial was over.
    """
    logger.info("the generator alone: %s messages as fast as it goes", f"{effort.alone:,}")
    alone = rig.fastest(effort.alone)
    logger.info(
        "%s messages a second; now a backlog of %s is drained", f"{alone.per_s:,.0f}", f"{effort.backlog:,}"
    )
    drained = rig.drain(effort.backlog)
    logger.info("drained at %s messages a second", f"{drained.per_s:,.0f}")
    asked = {"subject": dataclasses.asdict(rig.subject), "effort": dataclasses.asdict(effort)}
    found = Found(rig.subject.name, asked, limits, alone, drained)
    dataset = rig.subject.sending.dataset
    known = find(dataset).description.rows if dataset else None
    while (rate := _next(found, effort)) is not None:
        number = len(found.trials) + 1
        logger.info("trial %d of %d at %s messages a second", number, effort.steps, f"{rate:,.0f}")
        try:
            _refuse_few(known, rate, effort, f"{dataset} gives")
            tried = rig.trial(rate, effort.warmup_s, effort.measured_s, f"trial-{number}")
            _refuse_few(tried.generated.acknowledged, rate, effort, "Kafka has acknowledged")
            verdict = judge(_observed(rate, tried), limits)
        except JobError as error:
            if not found.trials:
                raise
            logger.error("trial %d failed, and the search ends with those before it: %s", number, error)
            return dataclasses.replace(found, broken=str(error))
        logger.info("%s", said(verdict))
        found = dataclasses.replace(found, trials=(*found.trials, Rated(rate, tried, verdict)))
        note(found)
    return found


def _refuse_few(messages: int | None, rate: float, effort: Effort, begin: str) -> None:
    """Refuse a trial whose messages end before it does: the stream would seem to have missed batches.

    Args:
        messages: that there are; None if that is not known.
        rate: of the trial.
        effort: how long it lasts.
        begin: words with which the error begins, up to the number of messages.

    Raises:
        JobError: they do.
    """
    needed = round(rate * (effort.warmup_s + effort.measured_s))
    if messages is not None and messages < needed:
        raise JobError(
            f"{begin} {messages:,} messages, and a trial at {rate:,.0f} a second needs {needed:,}: name a data "
            "set with more rows (DATASET=synthetic/ml-100m), or let the trials be shorter (--warmup, --measured)"
        )


def said(verdict: Verdict) -> str:
    """Return a verdict as words."""
    if verdict.void:
        return f"says nothing of the stream: {'; '.join(verdict.reasons)}"
    return "kept up" if verdict.sustained else f"did not keep up: {'; '.join(verdict.reasons)}"


def keep(found: Found, place: Path) -> Path:
    """Write what a search has found, whole or not at all; return the file."""
    place.mkdir(parents=True, exist_ok=True)
    _KEPT.write(place / FILE, dataclasses.asdict(found))
    return place / FILE


def _next(found: Found, effort: Effort) -> float | None:
    if len(found.trials) >= effort.steps or len(found.void) >= _MOST_VOID:
        return None
    return next_rate(found.drained.per_s, found.kept_up)


def _observed(rate: float, tried: Tried) -> Observed:
    return Observed(
        rate,
        tried.generated.per_s,
        tried.seen.times,
        tried.seen.lags,
        tried.seen.latencies[0.99],
        tried.generated.delay_p99_s or 0.0,
        tried.differences,
    )


def _notes(found: Found) -> Iterable[str]:
    top = max((one.rate for one in found.trials), default=found.drained.per_s)
    times = found.alone.per_s / top
    enough = "" if times >= HEADROOM else f", less than {HEADROOM:.0f} times: it may be what was measured"
    yield (
        f"the generator alone sent {found.alone.per_s:,.0f} messages a second, {times:.1f} times the highest rate that was tried{enough}"
    )
    yield from (f"the drained backlog: {one}" for one in found.drained.differences)
    if found.void:
        yield (
            f"{len(found.void)} of {len(found.trials)} trials say nothing of the stream (the table has why); such a rate is tried once more, and a "
            "second trial of that kind ends the search"
        )
    if found.broken:
        yield f"a further trial failed, and ended the search: {found.broken.splitlines()[0]}"
    yield (
        f"a rate counts if the lag grows by at most {found.limits.slope:.0%} of it (upper 95% bound), 99% of the rows are there within "
        f"{time_text(found.limits.latency_s)}, 99% of the messages were handed over within {time_text(found.limits.delay_s)}, and "
        "everything was found where it belongs"
    )
    yield (
        f"{time_text(found.asked['effort']['warmup_s'])} of warm-up and {time_text(found.asked['effort']['measured_s'])} measured, one trial a "
        "rate; lag and latency count from the moment at which a message was to be sent"
    )
