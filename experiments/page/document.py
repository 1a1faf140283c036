"""A report for a terminal, in Markdown, and as a page with its numbers and pictures: the one way in which any is written."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from csv import writer
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from core.files import write_json
from core.text_tables import wrapped
from experiments.page.finding import MARKDOWN, TITLED, Finding, Style, paragraphs
from experiments.page.index import write_index
from experiments.page.page import Download, render
from experiments.page.raw_values import strict

_SHOWN = {
    "host.cpu": "processor", "host.cores": "cores", "host.memory_gib": "memory, GiB", "host.system": "system",
    "version.python": "Python", "version.java": "Java", "version.pyspark": "Spark", "version.mlflow": "MLflow",
    "git.commit": "commit", "git.dirty": "changes not committed", "hash.code": "hash of the code",
    "hash.lock": "hash of the packages",
}  # fmt: skip


@dataclass(frozen=True)
class Document:
    """A report that is ready to be written.

    Attributes:
        name: of its files: NAME.html, NAME.json, NAME.csv and NAME-PICTURE.png.
        title: of the page.
        question: what was asked; answer: to it.
        findings: its sections, in order.
        values: every number, as JSON; `experiments.page.index.header` is part of it.
        rows: raw values, the names of their columns first; empty for none.
        facts: about the environment, by name.
        glance: a few short facts below the answer.
        method: terms and how they are meant here.
        asked: what was fixed and varied, by name.
        style: of the text for a terminal.
    """

    name: str
    title: str
    question: str
    answer: str
    findings: Sequence[Finding]
    values: Mapping[str, Any]
    rows: Sequence[Sequence[object]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    glance: Sequence[tuple[str, str]] = ()
    method: Sequence[tuple[str, str]] = ()
    asked: Sequence[tuple[str, str]] = ()
    style: Style = TITLED

    def text(self) -> str:
        """Return it for a terminal."""
        return "\n\n".join([wrapped(self.answer), *paragraphs(self.findings, self.style, said=self.answer)])

    def markdown(self) -> str:
        """Return it for the page of a run in the record."""
        said = paragraphs(self.findings, MARKDOWN, said=self.answer)
        return "\n\n".join([self.question, f"**{self.answer}**", *said])

    @cached_property
    def csv(self) -> str:
        """The raw values."""
        out = io.StringIO()
        writer(out, lineterminator="\n").writerows(self.rows)
        return out.getvalue()

    def write(self, folder: Path) -> list[Path]:
        """Write the page, every number, the raw values, the pictures as PNG and SVG, and the folder's index.

        Returns:
            Their paths, the page first, then the numbers; the index is not among them.
        """
        folder.mkdir(parents=True, exist_ok=True)
        page, numbers, raw = (folder / f"{self.name}.{kind}" for kind in ("html", "json", "csv"))
        values = {key: strict(value) for key, value in self.values.items()}
        page.write_text(self._page(values), encoding="utf-8")
        write_json(numbers, values)
        written = [page, numbers]
        if self.rows:
            raw.write_text(self.csv, encoding="utf-8")
            written.append(raw)
        written += self._pictures(folder)
        write_index(folder)
        return written

    def _page(self, values: Mapping[str, Any]) -> str:
        downloads = [Download(f"{self.name}.csv", "text/csv", self.csv)] if self.rows else []
        text = json.dumps(values, sort_keys=True)
        return render(
            self.title,
            self.question,
            findings=self.findings,
            facts=self.facts,
            answer=self.answer,
            glance=self.glance,
            method=self.method,
            asked=self.asked,
            downloads=[*downloads, Download(f"{self.name}.json", "application/json", text)],
        )

    def _pictures(self, folder: Path) -> Iterator[Path]:
        for picture in (plot for finding in self.findings for plot in finding.plots):
            drawn = folder / f"{self.name}-{picture.name}.png"
            drawn.write_bytes(picture.png())
            lines = drawn.with_suffix(".svg")
            lines.write_text(picture.svg, encoding="utf-8")
            yield from (drawn, lines)


def facts_of(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known of host, versions and code, under names for people."""
    return {
        shown: _plain(environment[key])
        for key, shown in _SHOWN.items()
        if environment.get(key) not in (None, "")
    }


def _plain(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
