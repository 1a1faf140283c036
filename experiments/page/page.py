"""One self-contained HTML page: tables and pictures, readable without a network, on paper and on a phone."""

import base64
import gzip
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from experiments.page.figure import PALETTES, Plot
from experiments.page.finding import Finding

_LARGEST_LINK = 1_000_000  # browsers refuse to save longer data: links; a larger file is packed
_LONG_TABLE = 40
_BAD = (" FAILED", " interrupted")


class Download(NamedTuple):
    """A file that the page itself holds."""

    name: str
    kind: str
    text: str

    @property
    def packed(self) -> bool:
        """Whether it is compressed, because a link could not hold it otherwise."""
        return len(self.text) > _LARGEST_LINK

    @property
    def file(self) -> str:
        """The name under which it is saved."""
        return self.name + ".gz" * self.packed

    @property
    def link(self) -> str:
        """The data: link."""
        content = self.text.encode()
        if self.packed:
            content = gzip.compress(content, mtime=0)
        kind = "application/gzip" if self.packed else self.kind
        return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

    @property
    def size(self) -> str:
        """Of the file that is saved, for people."""
        size = len(base64.b64decode(self.link.partition(",")[2])) if self.packed else len(self.text.encode())
        return f"{size / 1000:,.0f} kB" if size >= 1000 else f"{size} bytes"


def render(
    name: str,
    question: str,
    *,
    findings: Sequence[Finding],
    facts: Mapping[str, Any],
    answer: str = "",
    glance: Sequence[tuple[str, str]] = (),
    method: Sequence[tuple[str, str]] = (),
    asked: Sequence[tuple[str, str]] = (),
    downloads: Sequence[Download] = (),
) -> str:
    """Return the page.

    Args:
        name: of the experiment or data set.
        question: what was asked.
        findings: its sections, in order.
        facts: about the environment, by name.
        answer: in one sentence.
        glance: a few short facts below the answer.
        method: terms and how they are meant here.
        asked: what was fixed and varied, by name.
        downloads: files that the page holds.
    """
    return page(
        "page.html.j2",
        name=name,
        question=question,
        findings=findings,
        facts=facts,
        answer=answer,
        glance=glance,
        method=method,
        asked=asked,
        downloads=downloads,
        sections=_sections(findings, method, asked, facts, downloads),
        now=time.strftime("%Y-%m-%d %H:%M", time.localtime()),
    )


def page(template: str, **values: Any) -> str:
    """Fill in a template of this folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(drawn=_drawn, bad=_bad, long=_long)
    environment.globals["palettes"] = PALETTES
    return environment.get_template(template).render(**values)


def _sections(
    findings: Sequence[Finding], method: object, asked: object, facts: object, downloads: object
) -> list[str]:
    rest = (("Method", method), ("Asked for", asked), ("Environment", facts), ("Raw values", downloads))
    return [*(finding.title for finding in findings), *(title for title, content in rest if content)]


def _drawn(plot: Plot) -> list[tuple[str, Markup]]:
    return [(width, Markup(svg)) for width, svg in plot.inline()]  # noqa: S704 - our own drawing, its words escaped


def _bad(row: Sequence[str]) -> bool:
    return row[0].endswith(_BAD)


def _long(rows: Sequence[object]) -> bool:
    return len(rows) > _LONG_TABLE
