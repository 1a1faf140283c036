"""Page of a search among rates: the rate that a stream keeps up with, the trials, latencies, and rows a core-second."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.page.document import Document, facts_of
from experiments.page.figure import COLOURS, GREY, Plot
from experiments.page.finding import Finding
from experiments.page.index import header
from experiments.page.tables import NONE, Table
from experiments.record.run_tags import PREFIX
from experiments.studies.rates.search import LOWEST
from experiments.studies.rates.session import Found, Rated, said

_LEAST_SHARE = 0.005


def report_of(found: Found) -> Document:
    """Return the report of a search."""
    facts = facts_of({key.removeprefix(PREFIX): value for key, value in found.environment.items()})
    question = f"How many messages a second does {found.name} keep up with?"
    text = answer(found)
    name = f"rate-{found.name.replace('.', '-')}"
    values = {
        **header(name, question, text, found.ended_at, ok=len(found.trials), failed=0),
        "found": dataclasses.asdict(found),
    }
    rates = Finding(
        "Rates",
        text,
        tables=(_rates(found), _latencies(found)),
        plots=(_lags(found.trials),) if found.trials else (),
        notes=tuple(found.notes),
        data={"bracket": found.bracket._asdict()},
    )
    cores = Finding(
        "Rows a core-second",
        tables=(_cores(found),),
        notes=(
            "messages of the measured part for each CPU second that a process took in it; a worker's executors are in its own",
        ),
    )
    return Document(
        name=name,
        title=f"Rates of {found.name}",
        question=question,
        answer=text,
        findings=[rates, cores],
        values=values,
        facts=facts,
    )


def answer(found: Found) -> str:
    """Return the answer in a sentence or two."""
    low, high = found.bracket
    drained = found.drained.per_s
    cores = found.asked["subject"]["cores"]
    if not found.kept_up:
        return (
            f"Nothing can be said of the rate that {found.name} keeps up with: no trial says anything of the stream. It drains a backlog at "
            f"{drained:,.0f} messages a second on {cores} core(s)."
        )
    if low is None:
        below = f"{high:,.0f}" if high is not None else f"{LOWEST * drained:,.0f}"
        return (
            f"No rate was found that {found.name} keeps up with on {cores} core(s): not even {below} messages a second, although it drains "
            f"a backlog at {drained:,.0f}."
        )
    untold = any(one.rate > low for one in found.void)
    higher = "no trial at a higher rate says anything" if untold else "no higher rate was tried"
    above = f", and not with {high:,.0f}" if high is not None else f"; {higher}"
    return (
        f"{found.name} keeps up with {low:,.0f} messages a second on {cores} core(s){above}. That is {low / drained:.2f} of the "
        f"{drained:,.0f} at which it drains a backlog."
    )


def _rates(found: Found) -> Table:
    header = ["messages/s", "of drained", "sent/s", "lag grows by, at most", "result"]
    rows = [
        [
            f"{one.rate:,.0f}",
            f"{one.rate / found.drained.per_s:.2f}",
            f"{one.tried.generated.per_s:,.0f}",
            f"{one.verdict.slope.upper:,.0f}/s",
            said(one.verdict),
        ]
        for one in _by_rate(found)
    ]
    return Table(header, rows)


def _latencies(found: Found) -> Table:
    header = [
        "messages/s",
        "row after, p50 s",
        "p95 s",
        "p99 s",
        "slowest s",
        "handed over p99 ms",
        "messages",
    ]
    rows = []
    for one in _by_rate(found):
        delay = one.tried.generated.delay_p99_s
        seconds = [f"{one.tried.seen.latencies[share]:.2f}" for share in (0.5, 0.95, 0.99, 1)]
        late = NONE if delay is None else f"{1000 * delay:.1f}"
        rows.append([f"{one.rate:,.0f}", *seconds, late, f"{one.tried.seen.messages:,}"])
    return Table(header, rows)


def _cores(found: Found) -> Table:
    """Return messages a CPU second by process; those that took next to nothing are left out."""
    trials = _by_rate(found)
    names = sorted(
        {
            name
            for one in trials
            for name, took in one.tried.cpu_s.items()
            if took > _LEAST_SHARE * one.tried.span_s
        }
    )
    rows = [[f"{one.rate:,.0f}", *(_per_core(one, name) for name in names)] for one in trials]
    return Table(["messages/s", *names], rows)


def _per_core(one: Rated, name: str) -> str:
    took = one.tried.cpu_s.get(name, 0.0)
    return f"{one.tried.generated.per_s * one.tried.span_s / took:,.0f}" if took > 0 else NONE


def _by_rate(found: Found) -> Sequence[Rated]:
    return sorted(found.trials, key=lambda one: one.rate)


def _lags(trials: Sequence[Rated]) -> Plot:
    caption = "Messages that were to be sent and are in no batch yet, at the end of each batch of the measured part."
    return Plot("lags", caption, lambda axes: _draw(axes, trials), (7.5, 4.0), narrow=(4.4, 3.6))


def _draw(axes: Any, trials: Sequence[Rated]) -> None:
    for number, one in enumerate(sorted(trials, key=lambda one: one.rate)):
        style: Mapping[str, Any] = {"linestyle": "-"} if one.verdict.sustained else {"linestyle": "--"}
        colour = GREY if one.verdict.void else COLOURS[number % len(COLOURS)]
        told = ", says nothing" if one.verdict.void else "" if one.verdict.sustained else ", not kept up"
        label = f"{one.rate:,.0f}/s{told}"
        axes.plot(one.tried.seen.times, one.tried.seen.lags, color=colour, label=label, marker=".", **style)
    axes.set_xlabel("seconds of the measured part")
    axes.set_ylabel("messages behind")
    axes.set_ylim(bottom=0)
    axes.legend()
