"""Findings of a report about an experiment, beyond its trials' own numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from experiments.page.figure import Plot
from experiments.page.tables import Table


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
