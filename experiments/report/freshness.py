"""Page of freshness: how soon after a like was to be sent a list has it, and where the time goes."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from core.units import time_text
from experiments.page.document import Document, facts_of
from experiments.page.figure import COLOURS, Plot
from experiments.page.finding import Finding
from experiments.page.index import header
from experiments.page.tables import NONE, Table
from experiments.record.run_tags import PREFIX
from experiments.studies.freshness.probes import LOOK_S
from experiments.studies.freshness.trials import PARTS, READ, STREAM, WAYS, Found

_QUESTION = "How soon after somebody likes something does a read of their list have it?"
_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "slowest": 1.0}
_TOLD = {
    "sent": "handed over",
    "acked": "acknowledged by Kafka",
    "row": "row of events read",
    "listed": "list read that has it",
}


def report_of(found: Found) -> Document:
    """Return the report of an experiment."""
    text = answer(found)
    facts = facts_of({key.removeprefix(PREFIX): value for key, value in found.environment.items()})
    ways = [way for way in WAYS if found.median(way, "listed", 0.5) is not None]
    finding = Finding(
        "Freshness",
        text,
        tables=(_latencies(found, ways), _alone(found)),
        plots=(
            Plot("freshness", _CAPTION, lambda axes: _draw(axes, found, ways), (7.5, 4.0), narrow=(4.4, 3.6)),
        ),
        notes=tuple(_notes(found)),
    )
    return Document(
        name="freshness",
        title="Freshness of lists",
        question=_QUESTION,
        answer=text,
        findings=[finding],
        values={
            **header("freshness", _QUESTION, text, found.ended_at, ok=len(found.trials), failed=0),
            "found": dataclasses.asdict(found),
        },
        rows=list(_raw(found)),
        facts=facts,
    )


_CAPTION = "Share of the likes that a list has so many seconds after they were to be sent."


def answer(found: Found) -> str:
    """Return the answer in two sentences."""
    parts = []
    for way in WAYS:
        shown = [found.median(way, "listed", share) for share in (0.5, 0.95, 0.99)]
        if None not in shown:
            p50, p95, p99 = (time_text(value) for value in shown if value is not None)
            parts.append(
                f"by the {way} {p50} (median), {p95} (95%), {p99} (99%)"
                if way == STREAM
                else f"{way} {p50}, {p95}, {p99}"
            )
    through, read = (found.median(way, "listed", 0.95) for way in (STREAM, READ))
    ratio = (
        ""
        if through is None or read is None
        else f" At read it takes {read / through:.2f} times as long (95%)."
    )
    return f"A list has a like after: {'; '.join(parts)}.{ratio}"


def _latencies(found: Found, ways: Sequence[str]) -> Table:
    rows = []
    for way in ways:
        for part in PARTS:
            values = [found.median(way, part, share) for share in _SHARES.values()]
            rows.append(
                [way, _TOLD[part], *(NONE if value is None else f"{1000 * value:,.1f}" for value in values)]
            )
    return Table(
        ["list", "seconds since it was to be sent, until", *(f"{name} ms" for name in _SHARES)], rows
    )


def _alone(found: Found) -> Table:
    values = np.quantile(found.alone_s, tuple(_SHARES.values()))
    row = ["one list from events in memory", *(f"{1000 * value:.2f}" for value in values)]
    return Table(["alone, before anything else runs", *(f"{name} ms" for name in _SHARES)], [row])


def _notes(found: Found) -> Iterator[str]:
    asked = found.asked
    yield (
        f"{asked['rate']:g} likes a second at random times by {asked['people']:,} people with {asked['history']:,} likes before; an invented model of "
        f"{asked['items']:,} items and rank {asked['rank']}; lists of {asked['k']}; {asked['measured_s']:g} s measured after {asked['warmup_s']:g} s of "
        f"warm-up, {asked['rounds']} round(s), medians over rounds. Times count from when a like was to be sent (no coordinated omission)"
    )
    lags = [f"{one.way}: {one.lake_lag_s:.1f} s" for one in found.trials if one.lake_lag_s is not None]
    yield (
        f"meanwhile the lake takes in {asked['lake_rate']:,.0f} ratings a second in an application of its own, as each stream; its largest lag "
        f"in the measured part: {', '.join(lags) or 'not told'}"
    )
    yield (
        f"{STREAM}: events through Kafka into the stream, and rows of lists read every {1000 * LOOK_S:.0f} ms, by so much a time may be too long. "
        f"{READ}: whoever takes the like writes its row after Kafka has acknowledged it, then reads the person's rows and makes the list"
    )


def _raw(found: Found) -> Iterator[list[object]]:
    yield ["list", "round", *(f"{part}_s" for part in PARTS)]
    for one in found.trials:
        yield from ([one.way, one.round, *times] for times in one.seconds)


def _draw(axes: Any, found: Found, ways: Sequence[str]) -> None:
    for number, way in enumerate(ways):
        times = np.sort([row[-1] for one in found.trials if one.way == way for row in one.seconds])
        axes.step(
            times, np.arange(1, len(times) + 1) / len(times), where="post", color=COLOURS[number], label=way
        )
    axes.set_xscale("log")
    axes.set_xlabel("seconds since it was to be sent")
    axes.set_ylabel("share of the likes")
    axes.set_ylim(0, 1.02)
    axes.legend()
