"""Page of what a stream's guarantees cost: messages a second of each side, and the time that each guarantee adds."""

import dataclasses
import time
from collections.abc import Iterator
from textwrap import fill
from typing import Any

from core.units import time_text
from experiments.page.document import Document, facts_of
from experiments.page.figure import COLOURS, GREY, Plot, is_narrow
from experiments.page.finding import Finding
from experiments.page.index import header
from experiments.page.tables import NONE, Table, spread_text
from experiments.page.wording import answered, counted, percent, sentence
from experiments.record.run_tags import PREFIX
from experiments.stats.intervals import LEAST_FOR_INTERVAL
from experiments.stats.ratios import Ratio
from experiments.stats.summaries import Spread
from experiments.studies.correctness.costs import Step, per_s, share, steps
from experiments.studies.correctness.session import Measured
from jobs.guarantees.backlog import USERS
from jobs.guarantees.ladders import Side

_NOTHING = 0.005
"""Share of the time below which a cost is written as nothing."""

_ROUNDS = (
    "All sides take in the same messages in one Spark application (local mode), one after another. Each round has an order of its "
    "own, random and balanced over the rounds. A first round warms up and is not counted, unless it is the only one."
)
_SECONDS = (
    "Of a stream from the start of its query to its end, when it has read everything; preparing and emptying what it writes to is "
    "outside. A side whose rows are not all there afterwards, or are there twice, has no time."
)
_RATIOS = (
    "Within the rounds: geometric mean of the ratios of seconds of one round. With "
    f"{LEAST_FOR_INTERVAL} rounds or more there is a 95% interval (Student's t over their logarithms), of what varies between rounds "
    "of one application on this host; with fewer the least and the most stand in brackets."
)
_COSTS = (
    "Each side lacks one guarantee more than the one before. A guarantee costs the time that the side with it takes more than the "
    "next side, as a share of that side's."
)
_METHOD = (("Rounds", _ROUNDS), ("Seconds", _SECONDS), ("Ratios", _RATIOS), ("Costs", _COSTS))


def report_of(found: Measured) -> Document:
    """Return the report of a measurement."""
    asked = found.asked
    question = f"What do the guarantees of the stream {asked.stream} cost?"
    text = answer(found)
    name = f"cost-of-correctness-{asked.stream}"
    facts = facts_of({key.removeprefix(PREFIX): value for key, value in found.environment.items()})
    values = {
        **header(name, question, text, found.ended_at, ok=asked.repeats, failed=0, kind="comparison"),
        "found": dataclasses.asdict(found),
        "shares": {
            side.name: share(found, side).as_json() for side in (*asked.ladder.sides, *asked.ladder.beside)
        },
        "costs": {step.lacking.name: step.ratio.as_json() for step in steps(found)},
    }
    rows: list[tuple[object, ...]] = [("side", "round", "seconds")]
    rows += [(side, number, one) for side, each in found.seconds.items() for number, one in enumerate(each)]
    return Document(
        name=name,
        title=f"Cost of correctness: {asked.stream}",
        question=question,
        answer=text,
        findings=[_rates(found, text), _costs(found), *_batches(found)],
        values=values,
        rows=rows,
        facts=facts,
        glance=_glance(found),
        method=[*_METHOD, *((side.title, sentence(side.what)) for side in asked.ladder.every)],
        asked=[(key, str(value)) for key, value in dataclasses.asdict(asked).items()],
    )


def answer(found: Measured) -> str:
    """Return the answer in a sentence, and how much stands behind it."""
    ladder = found.asked.ladder
    taken = share(found, ladder.sides[0]).ratio
    head = f"{ladder.title} takes in {taken:.2f} of the messages a second that {ladder.manages}"
    first, *others = ((step.guarantee, cost_text(step)) for step in steps(found))
    told = [
        f"{first[0]} {_verb(first[0])} {first[1]} to the time",
        *(f"{name} {cost}" for name, cost in others),
    ]
    return answered([f"{head}; {', '.join(told)}"], _sure(found))


def cost_text(step: Step) -> str:
    """Write a cost as a share of the time: 12%, or nothing, also where the side without the guarantee took longer."""
    if step.ratio.verdict == "indistinguishable":
        return "nothing that can be told"
    return "nothing" if step.cost < _NOTHING else percent(step.cost)


def _verb(name: str) -> str:
    return "add" if name.endswith("s") else "adds"


def _sure(found: Measured) -> str:
    rounds = counted(found.asked.repeats, "round")
    if found.asked.repeats < LEAST_FOR_INTERVAL:
        return sentence(f"{rounds}, so this is a look, not a claim")
    return sentence(f"{rounds} of one application; the intervals below say which differences hold")


def _rates(found: Measured, text: str) -> Finding:
    ladder = found.asked.ladder
    table = Table(
        ["side", "messages/s", f"of the {ladder.yardstick.title}", "seconds"],
        [
            [side.title, spread_text(per_s(found, side), _whole), _share(found, side), _seconds(found, side)]
            for side in ladder.every
        ],
    )
    caption = "Messages a second: median of the rounds; whiskers from the least to the most."
    height = 1.2 + 0.5 * len(ladder.every)
    plot = Plot("rates", caption, lambda axes: _bars(axes, found), (7.5, height), narrow=(4.4, height + 0.6))
    return Finding("Messages a second", text, tables=(table,), plots=(plot,), notes=tuple(_notes(found)))


def _costs(found: Measured) -> Finding:
    rows = [
        [step.guarantee, step.given.title, step.lacking.title, _ratio(step.ratio), f"{step.cost:+.0%}"]
        for step in steps(found)
    ]
    table = Table(["guarantee", "with it", "without it", "times as long", "cost"], rows)
    why = "Each row sets two sides against each other that differ in one guarantee."
    return Finding("Cost of each guarantee", why=why, tables=(table,))


def _batches(found: Measured) -> Iterator[Finding]:
    """Yield the section of small batches, if there were any."""
    if not found.later:
        return
    early, late, ratio = (found.later[key] for key in ("early_p95_s", "late_p95_s", "late_of_early"))
    of = found.asked.batches
    tenth = of // 10
    late_ones, early_ones = f"batches {of - tenth + 1:,} to {of:,}", f"batches {tenth + 1:,} to {2 * tenth:,}"
    text = f"The 95th percentile of {late_ones} is {ratio:.2f} times that of {early_ones}."
    rows = [[early_ones, f"{early:.3f}"], [late_ones, f"{late:.3f}"]]
    notes = (
        f"the same messages in {of:,} micro-batches of {found.asked.rows // of:,}, by the stream itself, once",
    )
    yield Finding(
        "Small batches", text, tables=(Table(["", "p95 s"], rows),), notes=notes, data=dict(found.later)
    )


def _notes(found: Measured) -> Iterator[str]:
    asked = found.asked
    bad = f"{asked.bad:.2%} of them cut off so that they cannot be read" if asked.bad else "all of them good"
    yield (
        f"{asked.rows:,} ratings of about 250 bytes by {min(asked.rows, USERS):,} users, {bad}; micro-batches of {asked.most:,} at most, {asked.cores} task(s) at a time, in the "
        "driver"
    )
    if asked.stream == "lake" and not asked.bad:
        yield (
            "dead letters cost what it takes to know that there are none; a micro-batch with bad messages is read again: measure it "
            "with bad ones (BAD=0.001)"
        )
    if asked.repeats < LEAST_FOR_INTERVAL:
        yield f"{asked.repeats} round(s): no intervals; {LEAST_FOR_INTERVAL} or more have them (REPEATS={LEAST_FOR_INTERVAL})"


def _glance(found: Measured) -> list[tuple[str, str]]:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.ended_at))
    whole = per_s(found, found.asked.ladder.sides[0])
    spent = sum(map(sum, found.seconds.values()))
    return [
        ("messages/s", _whole(whole.median)),
        ("rounds", str(found.asked.repeats)),
        ("measured", time_text(spent)),
        ("when", when),
    ]


def _share(found: Measured, side: Side) -> str:
    return NONE if side == found.asked.ladder.yardstick else _ratio(share(found, side))


def _seconds(found: Measured, side: Side) -> str:
    return " ".join(f"{one:.2f}" for one in found.seconds[side.name])


def _ratio(found: Ratio) -> str:
    """Write a ratio with its interval, or with the least and the most of its rounds where there is none."""
    assert found.ratio is not None  # pairs of seconds have one
    if found.low is not None and found.high is not None:
        return f"{found.ratio:.2f} [{found.low:.2f}, {found.high:.2f}]"
    each = [(after / before) ** (1 if found.direction == "as long" else -1) for before, after in found.pairs]
    return spread_text(Spread(found.ratio, min(each), max(each), None, None, each), "{:.2f}".format)


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _bars(axes: Any, found: Measured) -> None:
    """Draw the messages a second of each side: batches grey, the stream first."""
    ladder = found.asked.ladder
    batches = {ladder.yardstick.name, *(side.name for side in ladder.beside)}
    for row, side in enumerate(ladder.every):
        one = per_s(found, side)
        axes.barh(row, one.median, height=0.62, color=GREY if side.name in batches else COLOURS[0])
        axes.hlines(row, one.least, one.most, linewidth=1.5)
        text = f"{one.median:,.0f}"
        axes.annotate(text, (one.most, row), (5, 0), textcoords="offset points", va="center", fontsize=9)
    names = [side.title for side in ladder.every]
    axes.set_yticks(range(len(names)), [fill(name, 14) for name in names] if is_narrow(axes) else names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("messages a second")
    axes.margins(x=0.3 if is_narrow(axes) else 0.12)
    axes.set_xlim(left=0)
