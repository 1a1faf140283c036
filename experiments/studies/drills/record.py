"""Records drills as child runs of their experiment's run, marked so that nothing takes them for trials."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from cluster.settings import Settings
from cluster.shape import Shape
from core.errors import UnreadableError
from core.versioned import Kind, left_out
from experiments.record.recorder import Recorder, explained
from experiments.record.run_tags import PREFIX, as_text, tag_of
from experiments.run.runner import open_recorder
from experiments.spec import older
from experiments.studies.drills.drill import Drilled

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
_LONGEST = 5000
_ALL = 3  # MLflow's ViewType.ALL: what a person deleted counts as recorded
_LOGS = ("events.jsonl", "driver.log", "result.json")
_NUMBERS = (
    "recovery_s", "recomputed_tasks", "failed_tasks", "executors_lost", "ended_s", "undisturbed_s", "disturbed_s",
    "rerun_s", "largest_difference", "rows", "after_s",
)  # fmt: skip


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
        try:
            found.append((path.parent, DRILLED.read(path, lambda values: Drilled(**values))))
        except UnreadableError as error:
            left_out(error)
    yield from sorted(found, key=lambda item: item[1].at)


class DrillRecorder(Recorder):
    """A recorder that knows drills."""

    @classmethod
    def at(cls, settings: Settings, uri: str | None) -> Self:
        """Record where trials are recorded.

        Raises:
            RecordingError: it does not open.
        """
        return cls(open_recorder(settings, uri).uri, None)

    def drills(self, experiment: str) -> set[str]:
        """Return the attempts of the drills that stand in the record whole."""
        with explained(self.uri):
            runs = self._runs(experiment, f"tags.`{PREFIX}kind` = '{_KIND}'", _ALL)
            return {tag_of(run, "attempt") for run in runs if PREFIX + "revision" in run.data.tags}

    def count(self, experiment: str, key: str) -> int:
        """Return how often a trial stands in the record."""
        with explained(self.uri):
            runs = self._runs(experiment, f"tags.`{PREFIX}kind` = 'trial'")
            return sum(run.data.tags.get(PREFIX + "key") == key for run in runs)

    def forget(self, experiment: str) -> None:
        """Take an experiment off MLflow's list."""
        with explained(self.uri):
            place = self._client.get_experiment_by_name(experiment)
            if place is not None:
                self._client.delete_experiment(place.experiment_id)

    def add(self, drilled: Drilled, folder: Path) -> None:
        """Record one drill under the parent of its trial, in place of what a recording that broke off left."""
        parent = self.open(drilled.experiment, drilled.basis, [], {})
        with explained(self.uri):
            for run in self._runs(drilled.experiment, f"tags.`{PREFIX}attempt` = '{drilled.attempt}'"):
                self._client.delete_run(run.info.run_id)
            run = self._client.create_run(
                self._experiment(drilled.experiment),
                run_name=f"drill: {drilled.kind}",
                tags={"mlflow.parentRunId": parent.run_id, **tags(drilled)},
            )
            self._fill(run.info.run_id, drilled, folder)
            self._client.set_tag(run.info.run_id, PREFIX + "revision", "1")
            self._client.set_terminated(run.info.run_id, "FINISHED" if drilled.good else "FAILED")

    def _fill(self, run_id: str, drilled: Drilled, folder: Path) -> None:
        for key, value in drilled.values.items():
            self._client.log_param(run_id, key, as_text(value)[:_LONGEST])
        for key, value in numbers(drilled).items():
            self._client.log_metric(run_id, key, value)
        self._client.log_artifact(run_id, str(folder / FILE))
        for place in sorted(path for path in folder.iterdir() if path.is_dir()):
            for name in _LOGS:
                if (place / name).exists():
                    self._client.log_artifact(run_id, str(place / name), place.name.replace(" ", "-"))


def record_missing(settings: Settings, uri: str | None, experiment: str, place: Path) -> list[str]:
    """Record every drill on disk that the record lacks; return what it recorded.

    Raises:
        RecordingError: MLflow does not take them; they stay on disk and are recorded by the next drill.
    """
    recorder = DrillRecorder.at(settings, uri)
    known = recorder.drills(experiment)
    missing = [(folder, drilled) for folder, drilled in kept(place) if drilled.attempt not in known]
    for folder, drilled in missing:
        recorder.add(drilled, folder)
    return [drilled.kind for _, drilled in missing]


def numbers(drilled: Drilled) -> dict[str, float]:
    """Return the metrics of a drill; what was not seen is absent."""
    values = {name: getattr(drilled, name) for name in _NUMBERS}
    found = {name: float(value) for name, value in values.items() if value is not None}
    return {**found, "same_result": float(drilled.good)}


def tags(drilled: Drilled) -> dict[str, str]:
    """Return what is true of the run besides its numbers."""
    own = {
        "kind": _KIND,
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
    named["mlflow.note.content"] = "\n\n".join(
        [f"**{drilled.kind}** ({drilled.victim}): {drilled.verdict}", *drilled.differences, *drilled.notes]
    )
    named["mlflow.source.name"] = f"python -m experiments drill {drilled.kind} {drilled.experiment}"
    named["mlflow.source.type"] = "LOCAL"
    return {key: as_text(value)[:_LONGEST] for key, value in named.items()}
