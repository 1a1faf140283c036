"""A comparison as sections of a report."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from experiments.metric_table import phase_of
from experiments.page.document import Document
from experiments.page.finding import UNTITLED, Finding
from experiments.page.index import header
from experiments.page.plots import Plot
from experiments.page.raw_values import shape_of
from experiments.page.tables import NONE, Table
from experiments.stats.ratios import LEAST_PAIRS
from experiments.studies.compare.ledger import Ledger
from experiments.studies.compare.sides import NAMES
from experiments.studies.compare.verdict import (
    Verdict,
    difference_of,
    notes,
    quality_answer,
    quality_notes,
    spread_of,
    time_answer,
    time_notes,
    title,
)

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
        notes=(*time_notes(verdict), *notes(ledger, verdict)),
        data={"time": {**verdict.timing.as_json(), "pairs": verdict.timing.pairs}},
    )
    quality = Finding(
        "Quality",
        answer=quality_answer(verdict),
        tables=(_qualities(verdict),) if verdict.qualities else (),
        notes=tuple(quality_notes(verdict)),
        data={
            "quality": [dataclasses.asdict(item) | {"verdict": item.verdict} for item in verdict.qualities]
        },
    )
    return [time, quality]


def document(ledger: Ledger, verdict: Verdict, question: str) -> Document:
    """Return the report, with every number and the raw pairs."""
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
    answer = found[0].answer
    entry = header(
        ledger.about["experiment"], question, answer, time.time(), ok=0, failed=0, kind="comparison"
    )
    values = {**as_json(ledger, verdict, found), **entry}
    return Document(
        name,
        name,
        question,
        answer,
        found,
        values,
        _rows(ledger, verdict),
        facts=facts,
        method=method(),
        style=UNTITLED,
    )


def method() -> list[tuple[str, str]]:
    """Return pairs of a term and what it means in a comparison."""
    return [
        (
            "Pairs",
            (
                "A pair is one Spark application of each side, one after the other in a new JVM each; which comes first is drawn by "
                "a seed and balanced, as often the one as the other. An application's time is the median of its measured passes. A first "
                "application of each side is not counted; a pair in which executors were lost is measured again."
            ),
        ),
        (
            "Time",
            (
                f"Student's t interval over the logarithms of the pairs' ratios, from {LEAST_PAIRS} pairs on. The slowdown that would have "
                "been found is computed with the upper 95% bound of the pairs' spread. How often the verdict is wrong on pairs of equal "
                "sides was measured: docs/calibration.md."
            ),
        ),
        (
            "Quality",
            (
                "Both sides judge the same test rows; errors, shares of scored rows and nDCG are paired over users, who are the "
                "sample. Where several metrics are judged they share the 5%."
            ),
        ),
    ]


def _rows(ledger: Ledger, verdict: Verdict) -> list[Sequence[object]]:
    pairs = enumerate(ledger.timed(phase_of(verdict.metric)), start=1)
    rows = ((number, pair.first, pair.baseline, pair.contender) for number, pair in pairs)
    return [("pair", "first", "baseline_s", "contender_s"), *rows]


def as_json(ledger: Ledger, verdict: Verdict, found: Sequence[Finding]) -> dict[str, Any]:
    """Return every number, raw seconds included."""
    return {
        **ledger.about,
        "metric": verdict.metric,
        "looks": ledger.looks,
        "first": [pair.first for pair in ledger.timed(phase_of(verdict.metric))],
        "alternated": ledger.alternated,
        "trials": {name: ledger.sides[name].values for name in NAMES},
        "shapes": {name: shape_of(ledger.sides[name]) for name in NAMES},
        "environment": {name: ledger.sides[name].environment for name in NAMES},
        "model_change": verdict.change,
        "quality_verdict": verdict.quality,
        "notes": [note for finding in found for note in finding.notes],
        **{key: value for finding in found for key, value in finding.data.items()},
    }


def _times(ledger: Ledger, verdict: Verdict) -> Table:
    words = ledger.about["sides"]
    rows = [
        [name, words[name], str(verdict.timing.count), spread_of(verdict.timing.pairs, at)]
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
    if found.interval is not None:
        axes.axhline(found.ratio, color="C0", linewidth=1.5)
        axes.axhspan(*found.interval, color="C0", alpha=0.2, linewidth=0)
    axes.set_xlabel("pair")
    axes.set_ylabel("contender / baseline")
    axes.xaxis.get_major_locator().set_params(integer=True)
