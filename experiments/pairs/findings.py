"""A comparison as sections of a report, as text and as a page of its own."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.finding import Finding
from experiments.index import header, write_index
from experiments.page import render
from experiments.pairs.ledger import Ledger
from experiments.pairs.sides import NAMES
from experiments.pairs.verdict import (
    Verdict,
    difference_of,
    notes,
    quality_answer,
    spread_of,
    time_answer,
    title,
)
from experiments.plots import Plot
from experiments.tables import NONE, Table, as_markdown, as_text
from jobs.request import write_json

_FACTS = (
    "host.cpu", "host.cores", "host.memory_gib", "host.system", "version.python", "version.java", "version.pyspark",
)  # fmt: skip


def findings(ledger: Ledger, verdict: Verdict) -> list[Finding]:
    """Return the sections: time, then quality."""
    plot = Plot(
        "pairs",
        "Contender's time over baseline's, pair by pair, in the order in which they ran; above 1 the contender is "
        "slower. Line and band: their mean with its 95% interval, if there is one.",
        lambda axes: _draw(axes, verdict),
        (7.5, 3.6),
    )
    time = Finding(
        "Time",
        answer=time_answer(verdict),
        tables=(_times(ledger, verdict),),
        plots=(plot,),
        notes=tuple(notes(ledger, verdict)),
        data={"time": dataclasses.asdict(verdict.timing) | {"verdict": verdict.timing.verdict}},
    )
    quality = Finding(
        "Quality",
        answer=quality_answer(verdict),
        tables=(_qualities(verdict),) if verdict.qualities else (),
        data={
            "quality": [dataclasses.asdict(item) | {"verdict": item.verdict} for item in verdict.qualities]
        },
    )
    return [time, quality]


def as_lines(found: Sequence[Finding], *, markdown: bool = False) -> str:
    """Write the sections for a terminal, or in Markdown."""
    parts = []
    for finding in found:
        parts += [f"### {finding.title}"] if markdown else []
        parts.append(finding.answer)
        parts += [(as_markdown if markdown else as_text)(table) for table in finding.tables]
        if finding.notes:
            parts.append("\n".join(("- " if markdown else "") + note for note in finding.notes))
    return "\n\n".join(parts)


def write(ledger: Ledger, verdict: Verdict, question: str, folder: Path) -> list[Path]:
    """Write the page, its picture and every number; return their paths, the page first."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"compare-{ledger.about['experiment']}-{ledger.about['key'][:8]}"
    found = findings(ledger, verdict)
    facts: dict[str, Any] = {}
    for side in NAMES:
        environment = ledger.sides[side].environment
        commit = environment.get("git.commit", "")[:10] + (
            " with changes" if environment.get("git.dirty") else ""
        )
        facts |= {side: ledger.about["sides"][side], f"{side}'s commit": commit or NONE}
    environment = ledger.sides["contender"].environment
    facts |= {key.replace(".", " "): environment[key] for key in _FACTS if environment.get(key)}
    page, data = folder / f"{name}.html", folder / f"{name}.json"
    answer = found[0].answer
    page.write_text(render(name, question, findings=found, facts=facts, answer=answer), encoding="utf-8")
    entry = header(
        ledger.about["experiment"], question, answer, time.time(), ok=0, failed=0, kind="comparison"
    )
    write_json(data, {**as_json(ledger, verdict, found), **entry})
    picture = folder / f"{name}-pairs.png"
    picture.write_bytes(found[0].plots[0].png("light"))
    write_index(folder)
    return [page, data, picture]


def as_json(ledger: Ledger, verdict: Verdict, found: Sequence[Finding]) -> dict[str, Any]:
    """Return every number, raw seconds included."""
    return {
        **ledger.about,
        "metric": verdict.metric,
        "looks": ledger.looks,
        "trials": {name: ledger.sides[name].values for name in NAMES},
        "environment": {name: ledger.sides[name].environment for name in NAMES},
        "model_change": verdict.change,
        "quality_verdict": verdict.quality,
        "notes": [note for finding in found for note in finding.notes],
        **{key: value for finding in found for key, value in finding.data.items()},
    }


def _times(ledger: Ledger, verdict: Verdict) -> Table:
    words = ledger.about["sides"]
    rows = [
        [name, words[name], str(len(verdict.timing.pairs)), spread_of(verdict.timing.pairs, at)]
        for at, name in enumerate(NAMES)
    ]
    return Table(["side", "what", "pairs", f"{verdict.metric} of an application"], rows)


def _qualities(verdict: Verdict) -> Table:
    rows = [
        [title(item), f"{item.baseline:.4f}", f"{item.contender:.4f}", difference_of(item), item.verdict]
        for item in verdict.qualities
    ]
    return Table(["metric", "baseline", "contender", "difference", "verdict"], rows)


def _draw(axes: Any, verdict: Verdict) -> None:
    found = verdict.timing
    ratios = [contender / baseline for baseline, contender in found.pairs]
    at = range(1, len(ratios) + 1)
    axes.plot(at, ratios, "o", markersize=8, color="C0")
    axes.axhline(1.0, linestyle="--", linewidth=1, color="#8b949e")
    if found.low is not None and found.high is not None:
        axes.axhline(found.ratio, color="C0", linewidth=1.5)
        axes.axhspan(found.low, found.high, color="C0", alpha=0.2, linewidth=0)
    axes.set_xlabel("pair")
    axes.set_ylabel("contender / baseline")
    axes.xaxis.get_major_locator().set_params(integer=True)
