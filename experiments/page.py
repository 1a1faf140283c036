"""One self-contained HTML page: tables and pictures of an experiment, readable without a network."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from experiments.plots import Plot
from experiments.tables import Table


@dataclass(frozen=True)
class Section:
    """A titled table."""

    title: str
    table: Table


def render(
    name: str,
    question: str,
    *,
    sections: Sequence[Section],
    pictures: Sequence[Plot],
    notes: Sequence[str],
    facts: Mapping[str, Any],
) -> str:
    """Return the page; the pictures are inlined, one for light and one for dark surroundings."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    inlined = [
        {"caption": plot.caption, "light": _inline(plot.png("light")), "dark": _inline(plot.png("dark"))}
        for plot in pictures
    ]
    template = environment.get_template("page.html.j2")
    return template.render(
        name=name, question=question, sections=sections, pictures=inlined, notes=notes, facts=facts
    )


def _inline(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
