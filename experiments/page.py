"""One self-contained HTML page: tables and pictures of an experiment, readable without a network."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from experiments.finding import Finding
from experiments.plots import Plot


def render(
    name: str,
    question: str,
    *,
    findings: Sequence[Finding],
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
    template = environment.get_template("page.html.j2")
    return template.render(name=name, question=question, findings=findings, inlined=_inlined, facts=facts)


def _inlined(plot: Plot) -> dict[str, str]:
    return {theme: _inline(plot.png(theme)) for theme in ("light", "dark")}


def _inline(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
