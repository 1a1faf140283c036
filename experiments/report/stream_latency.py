"""Page of latencies: how long after its sending a row is visible, at each rate."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from core.units import time_text
from experiments.page.document import Document, facts_of
from experiments.page.figure import COLOURS, Plot
from experiments.page.finding import Finding
from experiments.page.index import header
from experiments.page.tables import Table, spread_text
from experiments.record.run_tags import PREFIX
from experiments.studies.rates.record import LATENCIES
from experiments.studies.stream_latency.trials import AtRate, Found

_SHOWN = {0.5: "p50", 0.95: "p95", 0.99: "p99", 1: "slowest"}
_WIDE = 20
"""Highest over lowest rate from which on the axis of rates is logarithmic."""


def report_of(found: Found) -> Document:
    """Return the report of an experiment."""
    facts = facts_of({key.removeprefix(PREFIX): value for key, value in found.environment.items()})
    question = f"How long after a message was to be sent is its row of {found.name} visible?"
    text = answer(found)
    name = f"latency-{found.name.replace('.', '-')}"
    void = sum(not one.counts for one in found.trials)
    counted = [one for one in found.rates if one.counted]
    values = {
        **header(name, question, text, found.ended_at, ok=len(found.trials) - void, failed=void),
        "found": dataclasses.asdict(found),
    }
    finding = Finding(
        "Latency",
        text,
        tables=(_latencies(found.rates),),
        plots=(_plot(counted),) if counted else (),
        notes=tuple(found.notes),
    )
    return Document(
        name=name,
        title=f"Latency of {found.name}",
        question=question,
        answer=text,
        findings=[finding],
        values=values,
        rows=list(_raw(found)),
        facts=facts,
    )


def answer(found: Found) -> str:
    """Return the answer in a sentence or two: the lowest and the highest rate that something is known of."""
    known = [one for one in found.rates if one.counted]
    if not known:
        late = sum(bool(one.late) for one in found.trials)
        reason = "the generator was late" if late else "the stream was still cold"
        return f"Nothing is known of the latency of {found.name}: {reason} in {late or len(found.trials)} of {len(found.trials)} trial(s)."
    p50, p99, slowest = _told(known[0])
    first = (
        f"At {known[0].rate:,.0f} messages a second a row of {found.name} is visible {p50} after its message was to be sent (median), 99% of "
        f"them within {p99}, the slowest after {slowest}{_behind(known[0])}."
    )
    if len(known) == 1:
        return first
    p50, p99, slowest = _told(known[-1])
    return f"{first} At {known[-1].rate:,.0f} it is {p50}, {p99} and {slowest}{_behind(known[-1])}."


def _behind(one: AtRate) -> str:
    return ", and more in a longer trial, as the stream fell behind" if one.behind else ""


def _told(one: AtRate) -> list[str]:
    found = [one.latency(share) for share in (0.5, 0.99, 1)]
    return [time_text(spread.median) for spread in found if spread is not None]


def _latencies(rates: Sequence[AtRate]) -> Table:
    header = [
        "messages/s",
        *(f"{name} s" for name in _SHOWN.values()),
        "handed over p99 ms",
        "trials",
        "result",
    ]
    rows = [
        [
            f"{one.rate:,.0f}",
            *(spread_text(one.latency(share), "{:.2f}".format) for share in _SHOWN),
            spread_text(one.delay, lambda seconds: f"{1000 * seconds:.1f}"),
            f"{len(one.counted)} of {len(one.repeats)}",
            _result(one),
        ]
        for one in rates
    ]
    return Table(header, rows)


def _result(one: AtRate) -> str:
    late, cold = sum(bool(two.late) for two in one.repeats), sum(two.cold for two in one.repeats)
    told = ["measured"] if one.counted else ["says nothing"]
    told += [f"generator late in {late}"] if late else []
    told += [f"stream cold in {cold}"] if cold else []
    told += [f"fell behind in {one.behind}"] if one.behind else []
    told += [] if one.reconciled else ["NOT reconciled"]
    return ", ".join(told)


def _raw(found: Found) -> Iterator[list[object]]:
    """Yield every trial, the names of the columns first."""
    yield [
        "rate",
        "round",
        *(f"{key}_s" for key in LATENCIES),
        "messages",
        "sent_per_s",
        "delay_p99_s",
        "counts",
        "differences",
    ]
    for one in found.trials:
        seen, generated = one.tried.seen, one.tried.generated
        latencies = [seen.latencies[share] for share in LATENCIES.values()]
        sent = [seen.messages, generated.per_s, generated.delay_p99_s]
        yield [one.rate, one.round, *latencies, *sent, one.counts, len(one.tried.differences)]


def _plot(rates: Sequence[AtRate]) -> Plot:
    caption = (
        "Seconds from the intended sending of a message to its visible row: the median of the trials at each rate, with lines from the "
        "least to the most."
    )
    return Plot("latency", caption, lambda axes: _draw(axes, rates), (7.5, 4.0), narrow=(4.4, 3.6))


def _draw(axes: Any, rates: Sequence[AtRate]) -> None:
    for number, (share, name) in enumerate(_SHOWN.items()):
        found = [(one.rate, spread) for one in rates if (spread := one.latency(share)) is not None]
        colour = COLOURS[number]
        axes.plot(
            [rate for rate, _ in found],
            [spread.median for _, spread in found],
            "o-",
            color=colour,
            label=name,
        )
        for rate, spread in found:
            axes.vlines(rate, spread.least, spread.most, color=colour, linewidth=1.5)
    if rates[-1].rate > _WIDE * rates[0].rate:
        axes.set_xscale("log")
    axes.set_xlabel("messages a second")
    axes.set_ylabel("seconds")
    axes.set_ylim(bottom=0)
    axes.legend()
