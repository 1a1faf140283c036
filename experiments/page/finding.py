"""Section of any report, and how sections are written as text: for a terminal, or in Markdown."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.text_tables import wrapped
from experiments.page.figure import Plot
from experiments.page.tables import Table, as_markdown
from experiments.page.text_tables import as_text


@dataclass(frozen=True)
class Finding:
    """One section of a report.

    Attributes:
        title: of the section.
        answer: what a person can act on, in two short sentences: what was found, and how sure it is; empty if nothing was.
        why: one sentence that explains an answer and is none by itself; it heads the section, never the report.
        tables, plots: shown in this order; the names of the plots are unique within the report.
        notes: the answer's details, and what a reader must know of these numbers, a sentence each.
        data: the numbers behind it, as plain JSON.
    """

    title: str
    answer: str = ""
    why: str = ""
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Style:
    """Form of a report's sections as text.

    Attributes:
        table: writes a table.
        title: writes a section's title; None for sections that follow each other without one.
        fit: breaks the lines of what is no table.
        bullet: begins a note.
        brief: the tables alone, each below its title, and notes only of sections without a table: the page has the rest.
    """

    table: Callable[[Table], str]
    title: Callable[[str], str] | None = None
    fit: Callable[[str], str] = str
    bullet: str = ""
    brief: bool = False


TITLED = Style(as_text, str.upper, wrapped)
UNTITLED = Style(as_text, None, wrapped)
BRIEF = Style(as_text, str, wrapped, brief=True)
MARKDOWN = Style(as_markdown, "### {}".format, bullet="- ")


def paragraphs(findings: Sequence[Finding], style: Style, said: str = "") -> Iterator[str]:
    """Yield the paragraphs of sections; `said` is the answer that stands above them all and is not repeated."""
    for finding in findings:
        notes = "\n".join(style.fit(style.bullet + note) for note in finding.notes)
        tables = map(style.table, finding.tables)
        title = [style.title(finding.title)] if style.title else []
        if style.brief:
            yield from ("\n".join([*title, table]) for table in tables)
            notes = "" if finding.tables else notes
        else:
            yield from title
            yield from (style.fit(text) for text in (finding.answer, finding.why) if text and text != said)
            yield from tables
        if notes:
            yield notes
