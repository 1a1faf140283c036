"""Records drills as child runs of their experiment's run, marked so that nothing takes them for trials."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.settings import Settings
from cluster.shape import Shape
from core.versioned import Kind
from experiments.metric_table import OF_DRILLS
from experiments.record.run_tags import NOTE, PREFIX, TRIAL, as_text, cut, tag_of
from experiments.record.run_tree import Node, Tree, write
from experiments.results.checked import checked
from experiments.results.metrics import Number
from experiments.run.runner import open_recorder
from experiments.spec import older
from experiments.studies.drills.drill import Drilled

if TYPE_CHECKING:
    from experiments.record.recorder import Recorder  # it takes seconds to import

FILE = "drill.json"


def _with_shape(values: dict[str, Any]) -> dict[str, Any]:
    """Fill in the shape, of which files without a format have what the spec gave, among the trial's values."""
    given = {name: values["values"][name] for name in older.SHAPE if name in values["values"]}
    return {**values, "shape": dataclasses.asdict(Shape(**given))}


def _with_dotted_names(values: dict[str, Any]) -> dict[str, Any]:
    """Give the trial's values the names that they have since specs have tables; every drill is of the job train."""
    return {**values, "values": older.values_of(values["values"])}


DRILLED = Kind(
    "what came of a drill",
    (_with_shape, _with_dotted_names),
    "It is in no report. Remove its folder, and drill again to replace it",
)
_KIND = "drill"
_LOGS = ("events.jsonl", "driver.log", "result.json")


def keep(drilled: Drilled, folder: Path) -> None:
    """Write what came of a drill to its folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    DRILLED.write(folder / FILE, dataclasses.asdict(drilled))


def kept(place: Path) -> Iterator[tuple[Path, Drilled]]:
    """Yield the folder and content of every drill of an experiment, oldest first.

    One that does not read is left out, and said once.
    """
    found = []
    for path in sorted(place.glob(f"*/{FILE}")):
        drilled = DRILLED.read_if(path, checked(Drilled))
        if drilled is not None:
            found.append((path.parent, drilled))
    yield from sorted(found, key=lambda item: item[1].at)


@dataclass(frozen=True)
class DrillRecorder:
    """Drills in the record of their trials."""

    recorder: "Recorder"

    def drills(self, experiment: str) -> set[str]:
        """Return the attempts of the drills that stand in the record whole, those that a person deleted included."""
        runs = self.recorder.tracking.runs(experiment, PREFIX + "kind", _KIND, deleted=True)
        return {tag_of(run, "attempt") for run in runs if PREFIX + "revision" in run.tags}

    def count(self, experiment: str, key: str) -> int:
        """Return how often a trial stands in the record."""
        runs = self.recorder.tracking.runs(experiment, PREFIX + "kind", TRIAL)
        return sum(run.tags.get(PREFIX + "key") == key for run in runs)

    def forget(self, experiment: str) -> None:
        """Take an experiment off MLflow's list."""
        self.recorder.tracking.delete_experiment(experiment)

    def add(self, drilled: Drilled, folder: Path) -> None:
        """Record one drill under the parent of its trial, in place of what a recording that broke off left."""
        parent = self.recorder.open(drilled.experiment, drilled.basis, [], {})
        status = "ok" if drilled.good else "failed"
        tree = Tree(drilled.experiment, ("attempt", drilled.attempt), status, parent.run_id)
        write(self.recorder.tracking, _node(drilled, folder), tree)


def _node(drilled: Drilled, folder: Path) -> Node:
    """Return the run of a drill, with the files that it left in its folder."""
    return Node(
        name=f"drill: {drilled.kind}",
        kind=_KIND,
        tags=tags(drilled),
        params=cut(drilled.values),
        metrics=list(numbers(drilled)),
        files=[folder / FILE],
        folders={
            place.name.replace(" ", "-"): [path for name in _LOGS if (path := place / name).exists()]
            for place in sorted(path for path in folder.iterdir() if path.is_dir())
        },
        exact=True,  # models differ by less than what others are rounded to
        revision=1,
    )


def record_missing(settings: Settings, uri: str | None, experiment: str, place: Path) -> list[str]:
    """Record every drill on disk that the record lacks; return what it recorded.

    Raises:
        RecordingError: MLflow does not take them; they stay on disk and are recorded by the next drill.
    """
    recorder = DrillRecorder(open_recorder(settings, uri))
    known = recorder.drills(experiment)
    missing = [(folder, drilled) for folder, drilled in kept(place) if drilled.attempt not in known]
    for folder, drilled in missing:
        recorder.add(drilled, folder)
    return [drilled.kind for _, drilled in missing]


def numbers(drilled: Drilled) -> Iterator[Number]:
    """Yield the metrics of a drill; what was not seen is absent."""
    for metric in OF_DRILLS:
        value = getattr(drilled, metric.key)
        if value is not None:
            yield Number(metric.name, float(value))


def tags(drilled: Drilled) -> dict[str, str]:
    """Return what is true of the run besides its numbers."""
    own = {
        "drill": drilled.kind,
        "verdict": drilled.verdict,
        "victim": drilled.victim,
        "phase": drilled.phase,
        "status": drilled.status,
        "attempt": drilled.attempt,
        "key": drilled.key,
        "trial": drilled.label,
        "shape": str(Shape(**drilled.shape)),
    }
    lists: dict[str, Any] = {"differences": drilled.differences, "left": drilled.left, "error": drilled.error}
    own |= {key: as_text(value) for key, value in lists.items() if value}
    named = {f"{PREFIX}{key}": value for key, value in own.items()} | drilled.environment
    named[NOTE] = "\n\n".join(
        [f"**{drilled.kind}** ({drilled.victim}): {drilled.verdict}", *drilled.differences, *drilled.notes]
    )
    named["mlflow.source.name"] = f"python -m experiments drill {drilled.kind} {drilled.experiment}"
    named["mlflow.source.type"] = "LOCAL"
    return cut(named)
