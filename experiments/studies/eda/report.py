"""Page, pictures and numbers of a data set, in the style of an experiment's report."""

import time
from pathlib import Path
from typing import Any

from core.text_tables import wrapped
from experiments.page.document import Document
from experiments.page.facts import facts_of
from experiments.page.index import header
from experiments.page.text_tables import as_text
from experiments.studies.eda.findings import answer, findings_of
from experiments.studies.eda.launch import Explored


def as_json(explored: Explored, when: float) -> dict[str, Any]:
    """Return the aggregates with the data set and environment that they belong to."""
    data = explored.data
    return {
        **header(str(data), _question(explored), answer(explored), when, ok=1, failed=0, kind="data"),
        "data": {"name": data.name, "options": dict(data.options), "cleaning": dict(data.cleaning),
                 "store": data.store, "digest": explored.digest},
        "counts": explored.counts,
        "aggregates": explored.found,
        "seconds": explored.seconds,
        "environment": explored.environment,
    }  # fmt: skip


def text(explored: Explored) -> str:
    """Return the report for a terminal: the sentence and the tables of counts."""
    sections = findings_of(explored)
    lines = [wrapped(answer(explored))]
    for section in sections:
        lines += [f"{section.title}\n{as_text(table)}" for table in section.tables]
        lines += ["\n".join(map(wrapped, section.notes))] if section.notes and not section.tables else []
    return "\n\n".join(lines)


def write(explored: Explored, folder: Path) -> list[Path]:
    """Write eda-SLUG.html, .json, the pictures as PNG and SVG, and the index; return their paths, the page first."""
    digest = {"digest of the rows": explored.digest} if explored.digest else {}
    return Document(
        f"eda-{explored.data.slug}",
        str(explored.data),
        _question(explored),
        answer(explored),
        findings_of(explored),
        as_json(explored, time.time()),
        facts={**digest, **facts_of(explored.environment)},
        glance=[("when", time.strftime("%Y-%m-%d %H:%M")), ("store", f"read from {_source(explored)}")],
        method=_method(explored),
    ).write(folder)


def _question(explored: Explored) -> str:
    return f"What is in {explored.data.name}?"


def _source(explored: Explored) -> str:
    return f"the {explored.data.store} store" if explored.digest else "its source"


def _method(explored: Explored) -> list[tuple[str, str]]:
    seconds = ", ".join(f"{name} {value:.1f} s" for name, value in explored.seconds.items())
    rows = (
        "After preprocessing: unreadable rows and rows outside the scale are removed, and of several ratings of one "
        "item by one user the latest counts."
        if explored.digest
        else "As the source gives them, because a data set without ratings is not preprocessed."
    )
    computed = (
        f"Computed by Spark ({seconds}, one run, so these seconds are not a measurement). Only counts, means and "
        "quantiles of bins are on this page, so it does not grow with the data. Quantiles are approximate, to a ten-thousandth of the rank."
    )
    return [("Rows", rows), ("Aggregates", computed)]
