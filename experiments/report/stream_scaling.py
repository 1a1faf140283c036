"""Page of a stream's scaling: what other numbers of partitions, workers and brokers bring, one axis at a time."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.page.document import Document, facts_of
from experiments.page.figure import COLOURS, GREY, Plot
from experiments.page.finding import Finding
from experiments.page.index import header
from experiments.page.tables import NONE, Table, spread_text
from experiments.record.run_tags import PREFIX
from experiments.studies.stream_scaling.points import AXES
from experiments.studies.stream_scaling.summary import OVERSUBSCRIBED, Place, Scaled, answer, clause, notes

_HOLLOW = {"shared-host"}


def report_of(scaled: Scaled, cores: int) -> Document:
    """Return the report of a plan.

    Args:
        scaled: its results.
        cores: of the host.
    """
    text, told = answer(scaled), tuple(notes(scaled, cores))
    ended = max((one.ended_at for one in scaled.measured), default=0.0)
    environment = scaled.measured[-1].environment if scaled.measured else {}
    question = f"Does {scaled.stream} drain faster with more {_or(list(scaled.plan.axes))}?"
    name = f"scaling-{scaled.stream.replace('.', '-')}"
    good = sum(one.good for one in scaled.measured)
    values = {
        **header(name, question, text, ended, ok=good, failed=len(scaled.plan.points) * scaled.rounds - good),
        "scaled": dataclasses.asdict(scaled),
        "along": {
            axis: [dataclasses.asdict(place) for place in scaled.along(axis)] for axis in scaled.plan.axes
        },
    }
    findings = [_axis(scaled, axis) for axis in scaled.plan.axes]
    return Document(
        name=name,
        title=f"Scaling of {scaled.stream}",
        question=question,
        answer=text,
        findings=[*findings, Finding("Measured how", notes=told)],
        values=values,
        rows=list(_raw(scaled)),
        facts=facts_of({key.removeprefix(PREFIX): value for key, value in environment.items()}),
    )


def _axis(scaled: Scaled, axis: str) -> Finding:
    places = scaled.along(axis)
    text = clause(axis, places)
    return Finding(
        axis.capitalize(),
        f"{text[0].upper()}{text[1:]}.",
        tables=(_table(scaled, axis, places),),
        plots=tuple(_plots(scaled, axis, places)),
    )


def _table(scaled: Scaled, axis: str, places: Sequence[Place]) -> Table:
    header = [axis, "messages/s", "times the base", "ideal", "rounds", "host"]
    rows = [
        [
            str(place.value),
            spread_text(place.rates, "{:,.0f}".format),
            _ratio(scaled, place),
            f"{place.ideal:.2f}",
            str(0 if place.rates is None else len(place.rates.applications)),
            place.tag or NONE,
        ]
        for place in places
    ]
    return Table(header, rows)


def _ratio(scaled: Scaled, place: Place) -> str:
    if place.point == scaled.plan.base:
        return "base"
    found = place.ratio
    if found is None:
        return OVERSUBSCRIBED if place.tag == OVERSUBSCRIBED else NONE
    if found.low is not None and found.high is not None:
        return f"{found.middle:.2f} [{found.low:.2f}, {found.high:.2f}]"
    if found.rounds == 1:
        return f"{found.middle:.2f}"
    return f"{found.middle:.2f} ({found.least:.2f}\u2013{found.most:.2f})"


def _plots(scaled: Scaled, axis: str, places: Sequence[Place]) -> Iterator[Plot]:
    drawn, base = [place for place in places if place.claimed], scaled.base
    if base is None or not drawn:
        return
    hollow = (
        " Hollow: workers that take all of the host's cores."
        if any(one.tag in _HOLLOW for one in drawn)
        else ""
    )
    caption = (
        f"Messages a second that {scaled.stream} drains by its number of {axis}: medians, with lines from the least to the most. Dashed: "
        f"ideal, in proportion to the base point.{hollow}"
    )
    each = base.median / scaled.plan.base.on(axis)
    yield Plot(axis, caption, lambda axes: _draw(axes, axis, drawn, each), (7.5, 4.0), narrow=(4.4, 3.6))


def _draw(axes: Any, axis: str, places: Sequence[Place], each: float) -> None:
    values = [place.value for place in places]
    axes.plot(
        values, [each * value for value in values], linestyle="--", linewidth=1, color=GREY, label="ideal"
    )
    found = [(place, place.rates) for place in places if place.rates is not None]
    axes.plot(values, [rates.median for _, rates in found], color=COLOURS[0], label="measured")
    for place, rates in found:
        axes.vlines(place.value, rates.least, rates.most, color=COLOURS[0], linewidth=1.5)
        full = axes.get_facecolor() if place.tag in _HOLLOW else COLOURS[0]
        axes.plot(
            place.value, rates.median, "o", markersize=8, color=COLOURS[0], markerfacecolor=full, zorder=3
        )
    axes.set_xticks(values)
    axes.set_xlabel(axis)
    axes.set_ylabel("messages a second")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")


def _raw(scaled: Scaled) -> Iterator[list[object]]:
    """Yield every measurement, the names of the columns first."""
    yield [*AXES, "round", "messages", "messages_per_s", "seconds", "tag", "differences"]
    for one in scaled.measured:
        numbers = [one.point.on(axis) for axis in AXES]
        yield [*numbers, one.round, one.messages, one.per_s, one.seconds, one.tag, len(one.differences)]


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
