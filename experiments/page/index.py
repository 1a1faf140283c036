"""The index of all reports in a folder, made anew from their JSON files."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import UnreadableError
from core.files import write_text
from core.versioned import Kind, left_out, unchanged
from experiments.page.page import page

INDEX = "index.html"
REPORT = Kind(
    "the numbers of a report", (unchanged,), "It is not in the index; write it again (make report NAME=...)"
)


class Entry(NamedTuple):
    """One report: `file` is the page's name, `when` the time of day at which its last trial ended."""

    name: str
    file: str
    kind: str
    question: str
    answer: str
    when: float
    ok: int
    failed: int

    @property
    def day(self) -> str:
        """Date and time for people."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.when)) if self.when else ""


def write_index(folder: Path) -> Path:
    """Write the index of the reports that lie in `folder`, newest first; return its path."""
    entries = sorted(_entries(folder), key=lambda entry: (-entry.when, entry.name))
    groups = {
        "Experiments": [entry for entry in entries if entry.kind == "experiment"],
        "Streams": [entry for entry in entries if entry.kind in ("stream", "rate", "stream-drill")],
        "Comparisons": [entry for entry in entries if entry.kind == "comparison"],
        "Data sets": [entry for entry in entries if entry.kind == "data"],
    }
    path = folder / INDEX
    write_text(path, page("index.html.j2", groups=groups, now=_now()))
    return path


def header(
    name: str, question: str, answer: str, when: float, *, ok: int, failed: int, kind: str = "experiment"
) -> dict[str, Any]:
    """Return what the JSON of a report must hold for the index."""
    return REPORT.stamped(
        {
            "experiment": name,
            "kind": kind,
            "question": question,
            "answer": answer,
            "ended_at": when,
            "ok": ok,
            "failed": failed,
        }
    )


def _entries(folder: Path) -> list[Entry]:
    found = []
    for path in folder.glob("*.json"):
        if not path.with_suffix(".html").exists():
            continue
        try:
            found.append(REPORT.read(path, partial(_entry, path)))
        except UnreadableError as error:
            left_out(error)
    return found


def _entry(path: Path, values: Mapping[str, Any]) -> Entry:
    return Entry(
        name=str(values["experiment"]),
        file=path.with_suffix(".html").name,
        kind=str(values["kind"]),
        question=str(values.get("question", "")),
        answer=str(values.get("answer", "")),
        when=float(values.get("ended_at") or 0.0),
        ok=int(values.get("ok", 0)),
        failed=int(values.get("failed", 0)),
    )


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime())
