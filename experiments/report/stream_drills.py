"""Page of drills of streams: what was hit, whether everything was reconciled, and how long the recovery took."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cluster.lifecycle import Cluster
from cluster.settings import Settings
from experiments.page.document import Document, facts_of
from experiments.page.figure import COLOURS, GREY, Plot
from experiments.page.finding import Finding
from experiments.page.index import INDEX, header
from experiments.page.merged_notes import by_statement
from experiments.page.tables import NONE, Table
from experiments.page.wording import counted, number_word, sentence
from experiments.report.show import added
from experiments.studies.stream_drills.drill import StreamDrilled
from experiments.studies.stream_drills.record import NAME, attach, every

QUESTION = "Is every message where it belongs, exactly once, after something failed in the middle of streams?"

_METHOD = (
    ("Recovery", "From the fault to the first batch that was committed after what was hit was there again."),
    ("Allowed", "One and a half cold starts and two batches: the limit for a driver that was killed and is started again."),
    ("Cold start", "From the start of the application to its first committed batch."),
    ("Compared", "Messages and rows that the reconciliation read: lake, dead letters, Cassandra and Kafka."),
)  # fmt: skip
_HEADER = ["drill", "seed", "hit after", "result", "recovery s", "allowed s", "cold start s", "batch s", "restarts", "acknowledged", "bad", "compared"]  # fmt: skip


def show(settings: Settings, place: Path, found: Sequence[StreamDrilled]) -> None:
    """Print drills, then write the page of all that are kept in a folder, and put it with their runs in the record."""
    print(f"{report_of(found).text()}\n")
    kept = list(every(place))
    written = report_of(kept).write(settings.run_dir / "reports")
    with added():
        attach(settings, Cluster(settings).address("mlflow"), kept, written)
    print(
        f"kept in {place}\npage: {written[0]}\nnumbers: {written[1]}\nall reports: {written[0].with_name(INDEX)}"
    )


def report_of(found: Sequence[StreamDrilled]) -> Document:
    """Return the report of some drills, one at least."""
    text = answer(found)
    good = sum(one.good for one in found)
    ended = max(one.ended_at for one in found)
    values = {
        **header(NAME, QUESTION, text, ended, ok=good, failed=len(found) - good, kind="stream-drill"),
        "drills": [{**dataclasses.asdict(one), "allowed_s": one.allowed_s} for one in found],
    }
    hit = [one for one in found if one.recovery_s is not None]
    drills = Finding(
        "Drills",
        text,
        tables=(table(found),),
        plots=(_recoveries(hit),) if hit else (),
        notes=tuple(notes(found)),
    )
    newest = max(found, key=lambda one: one.ended_at)
    return Document(
        name=NAME,
        title="Drills of streams",
        question=QUESTION,
        answer=text,
        findings=[drills, *_findings(found)],
        values=values,
        rows=[_HEADER, *(_row(one) for one in found)],
        facts=facts_of(newest.environment),
        method=_METHOD,
    )


def answer(found: Sequence[StreamDrilled]) -> str:
    """Return the answer in two sentences: whether everything was reconciled, and the longest recovery."""
    bad = [one for one in found if not one.good]
    if bad:
        good = f"{number_word(len(found) - len(bad))} of {counted(len(found), 'drill')} reconciled everything"
        return f"{sentence(good)} Not so: {', '.join(f'{one.kind} with seed {one.seed}' for one in bad)}."
    every_one = "The one drill" if len(found) == 1 else f"All {counted(len(found), 'drill')}"
    text = f"{every_one} reconciled everything: nothing was lost, nothing is there twice."
    hit = [one for one in found if one.recovery_s is not None]
    if not hit:
        return text
    slowest = max(hit, key=lambda one: one.recovery_s or 0.0)
    return f"{text} The longest recovery took {slowest.recovery_s:.1f} s ({slowest.kind})."


def table(found: Sequence[StreamDrilled]) -> Table:
    """Return one row a drill."""
    return Table(_HEADER, [_row(one) for one in found])


def _row(one: StreamDrilled) -> list[str]:
    recovery = NONE if one.recovery_s is None else f"{one.recovery_s:.1f}"
    result = "reconciled" if one.good else f"{one.differing:,} differ"
    hit = f"{one.at:,}" if one.victim else NONE
    return [
        *(one.kind, str(one.seed), hit, result, recovery, f"{one.allowed_s:.1f}", f"{one.cold_start_s:.1f}"),
        f"{one.batch_s:.2f}",
        *(str(one.restarts), f"{one.acknowledged:,}", f"{one.bad:,}", f"{one.compared:,}"),
    ]


def notes(found: Sequence[StreamDrilled]) -> Iterator[str]:
    """Yield what was hit, what took longer than is allowed, and what else was seen, once for all drills of which it is true."""
    said = ((one.kind, f"hit {one.victim}") for one in found if one.victim)
    for text, kinds in by_statement(said).items():
        yield f"{', '.join(dict.fromkeys(kinds))}: {text}"
    slow = [one for one in found if one.recovery_s is not None and one.recovery_s > one.allowed_s]
    if slow:
        names = ", ".join(_name(one) for one in slow)
        yield f"longer than what is allowed to a driver that was killed: {names}"
    for text, names_ in by_statement((_name(one), note) for one in found for note in one.notes).items():
        yield f"{', '.join(names_)}: {text}"


def _findings(found: Sequence[StreamDrilled]) -> Iterator[Finding]:
    """Yield what the reconciliations found, if anything."""
    rows = [[_name(one), ", ".join(row)] for one in found for row in one.findings]
    if rows:
        yield Finding("Differences", tables=(Table(["drill", "finding"], rows),))


def _recoveries(found: Sequence[StreamDrilled]) -> Plot:
    caption = "Seconds from the fault to recovery, and what is allowed to a driver that was killed and is started again (line)."
    height = 1.3 + 0.36 * len(found)
    return Plot("recovery", caption, lambda axes: _draw(axes, found), (7.5, height), narrow=(4.4, height))


def _draw(axes: Any, found: Sequence[StreamDrilled]) -> None:
    places = range(len(found))
    recoveries = [one.recovery_s or 0.0 for one in found]
    axes.barh(places, recoveries, height=0.6, color=COLOURS[0], label="recovery")
    for place, one in zip(places, found, strict=True):
        label = "allowed" if place == 0 else None
        axes.vlines(one.allowed_s, place - 0.4, place + 0.4, color=GREY, linewidth=2, label=label)
    axes.set_yticks(places, [_name(one) for one in found])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("seconds")
    axes.set_xlim(left=0)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def _name(one: StreamDrilled) -> str:
    return f"{one.kind}, seed {one.seed}"
