"""Keeps drills of streams on disk, and records them in an MLflow experiment of their own."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from cluster.settings import Settings
from core.versioned import Kind, unchanged
from experiments.metric_table import OF_STREAM_DRILLS
from experiments.record.run_tags import NOTE, PREFIX, cut
from experiments.record.run_tree import Node, Tree, write
from experiments.results.checked import checked
from experiments.results.metrics import Number
from experiments.run.runner import open_recorder
from experiments.studies.stream_drills.drill import StreamDrilled

FILE = "stream-drill.json"
NAME = "stream-drills"
"""Name of the folder with what came of drills, and of the experiment in MLflow."""

_KEPT = Kind(
    "what came of a drill of streams", (unchanged,), "It counts as not done: drill again to replace it"
)
_KIND = "stream-drill"


def keep(found: StreamDrilled, place: Path) -> None:
    """Write what came of a drill to its folder, whole or not at all."""
    folder = place / found.name
    folder.mkdir(parents=True, exist_ok=True)
    _KEPT.write(folder / FILE, dataclasses.asdict(found))


def kept(folder: Path) -> StreamDrilled | None:
    """Return what came of a drill; None if it is not done, or its file does not read, which is said."""
    return _KEPT.read_if(folder / FILE, checked(StreamDrilled))


def every(place: Path) -> Iterator[StreamDrilled]:
    """Yield what came of each drill that is kept in a folder, in the order of kinds, seeds and sizes."""
    found = (kept(path.parent) for path in place.glob(f"*/{FILE}"))
    yield from sorted(
        (one for one in found if one is not None), key=lambda one: (one.kind, one.seed, one.total)
    )


def attach(
    settings: Settings, uri: str | None, found: Sequence[StreamDrilled], files: Sequence[Path]
) -> None:
    """Put the files of a page with the runs of the drills that it shows.

    Raises:
        RecordingError: MLflow does not take them.
    """
    tracking = open_recorder(settings, uri).tracking
    shown = {_attempt(one) for one in found}
    for run in tracking.runs(NAME, PREFIX + "kind", _KIND):
        if run.tags.get(PREFIX + "attempt") in shown:
            tracking.attach(run.run_id, files, "report")


def record_missing(settings: Settings, uri: str | None, place: Path) -> None:
    """Record every drill on disk that the record lacks, in place of an older one of the same kind, seed and size.

    Raises:
        RecordingError: MLflow does not take them; they stay on disk and are recorded by the next drill.
    """
    tracking = open_recorder(settings, uri).tracking
    known = {
        run.tags.get(PREFIX + "attempt")
        for run in tracking.runs(NAME, PREFIX + "kind", _KIND, deleted=True)
        if PREFIX + "revision" in run.tags
    }
    for path in sorted(place.glob(f"*/{FILE}")):
        found = kept(path.parent)
        if found is not None and _attempt(found) not in known:
            status = "ok" if found.good else "failed"
            write(tracking, _node(found, path), Tree(NAME, ("drill", found.name), status))


def _attempt(found: StreamDrilled) -> str:
    return f"{found.name} {found.ended_at:.3f}"


def _node(found: StreamDrilled, path: Path) -> Node:
    tags = {"attempt": _attempt(found), "victim": found.victim, "identity": found.identity}
    named = {f"{PREFIX}{key}": value for key, value in tags.items() if value} | found.environment
    told = [", ".join(row) for row in found.findings]
    verdict = "reconciled" if found.good else f"{found.differing:,} differ"
    named[NOTE] = "\n\n".join([f"**{found.kind}**: {verdict}", *found.notes, *told])
    return Node(
        name=found.name,
        kind=_KIND,
        tags=cut(named),
        params={"kind": found.kind, "seed": str(found.seed), "total": str(found.total)},
        metrics=list(numbers(found)),
        files=[path],
        revision=1,
    )


def numbers(found: StreamDrilled) -> Iterator[Number]:
    """Yield the metrics of a drill; a recovery that there was none of is absent."""
    for metric in OF_STREAM_DRILLS:
        value = getattr(found, metric.key)
        if value is not None:
            yield Number(metric.name, float(value))
