"""Turns the outcome of a trial into a run of the record, and reads it back.

Every outcome lies on disk first. A run carries the attempt and the revision that it shows; the revision is written
last, so a recording that broke off is found, thrown away and made anew: nothing is lost, nothing stands there twice.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.errors import RecordingError, UnreadableError
from core.versioned import left_out
from experiments.metric_table import RECORDING, new_name
from experiments.record.parent_run import Parent, differences, parent_tags, read_spec, take_up, write_spec
from experiments.record.run_tags import (
    EXPERIMENT,
    LONGEST_NOTE,
    NOTE,
    PREFIX,
    TRIAL,
    VIEW_NAME,
    as_text,
    params,
    read_keys,
    short_key,
    tag_of,
    tags,
    view_state,
)
from experiments.record.run_tree import Node, Tree, write
from experiments.record.tracking import Run, Tracking, explained
from experiments.results.metrics import Number, numbers
from experiments.results.outcome import FILE, Outcome, load

_READERS = 8
_GONE = "bring it back, or delete that run to have its trial run again"
_ARTIFACTS = ("request.json", "result.json", "events.jsonl", "driver.log", "telemetry.json")


class Recorder:
    """Records trials to one tracking server or database.

    Args:
        uri: MLflow's tracking URI.
        artifacts: folder for the artifacts of new experiments; None leaves it to the server.
    """

    def __init__(self, uri: str, artifacts: Path | None) -> None:
        self.tracking = Tracking(uri, artifacts)

    def finished(self, experiment: str, applications: int) -> set[str]:
        """Return the keys of the trials that ended well with at least so many applications."""
        return {
            tag_of(run, "key")
            for run in self._of_kind(experiment, TRIAL)
            if run.tags.get(PREFIX + "status") == "ok"
            and PREFIX + "revision" in run.tags
            and int(run.tags.get(PREFIX + "applications", 0)) >= applications
        }

    def recorded(self, experiment: str) -> dict[str, int]:
        """Return the newest recorded revision of each attempt, those that a person deleted included."""
        newest: dict[str, int] = {}
        for run in self._of_kind(experiment, TRIAL, deleted=True):
            attempt, revision = tag_of(run, "attempt"), run.tags.get(PREFIX + "revision")
            if revision is not None:
                newest[attempt] = max(int(revision), newest.get(attempt, 0))
        return newest

    def open(
        self, experiment: str, basis: Mapping[str, Any], keys: Sequence[str], about: Mapping[str, str]
    ) -> Parent:
        """Return the parent run of these trials, opening one if code, packages or data changed since the last.

        Args:
            experiment: name; also that of the MLflow experiment.
            basis: what the keys are made of besides the trials' own values.
            keys: of the trials that make up the experiment now; none leaves those of the run as they are.
            about: "question" and "spec" (its TOML) for the parent's page; with "adds", keys come to those of the run.
        """
        older = self._of_kind(experiment, EXPERIMENT)
        for run in older:
            if not differences(run, basis):
                take_up(self.tracking, run, basis, keys, about)
                return Parent(run.run_id, opened=False, why=[])
        number = len(self._of_kind(experiment, EXPERIMENT, deleted=True)) + 1
        run_id = self.tracking.begin(experiment, f"{experiment} #{number}", parent_tags(basis, keys, about))
        write_spec(self.tracking, run_id, about)
        return Parent(run_id, opened=True, why=differences(older[0], basis) if older else [])

    def annotate(self, run_id: str, note: str, summary: Sequence[Number]) -> None:
        """Put a text in Markdown and some numbers of its trials on the page of a parent run."""
        self.tracking.tag(run_id, {NOTE: note[:LONGEST_NOTE]})
        self.tracking.log_missing(run_id, summary)

    def attach(self, run_id: str, files: Sequence[Path], folder: str = "report") -> None:
        """Put files into a folder of a run's artifacts, in place of those of the same name."""
        self.tracking.attach(run_id, files, folder)

    def known(self) -> dict[str, str]:
        """Return the experiments that have a parent run here, and the TOML that each was last run with, or ""."""
        found: dict[str, str] = {}
        for name in self.tracking.experiments():
            if parents := self._of_kind(name, EXPERIMENT):
                found[name] = read_spec(self.tracking, _newest(parents).run_id)
        return found

    def show(self, experiment: str, columns: Sequence[str]) -> str:
        """Keep a view of an experiment's trials with few columns, and return its address within MLflow's pages.

        MLflow lists parent runs with their children folded away; the view lists the trials, ready to be compared.
        """
        tag = f"mlflow.sharedViewState.{VIEW_NAME}"
        number = self.tracking.tag_experiment(experiment, tag, view_state(columns))
        return f"#/experiments/{number}/runs?workflowType=machine_learning&viewStateShareKey={VIEW_NAME}"

    def close(self, parent: Parent, status: str) -> None:
        """End the parent run; `status` as of an outcome."""
        self.tracking.end(parent.run_id, status)

    def record(self, outcome: Outcome, folder: Path, parent: Parent) -> float:
        """Record one outcome under its parent, in place of what an earlier revision of the attempt left there.

        Returns:
            Seconds that it took.
        """
        tree = Tree(outcome.experiment, ("attempt", outcome.attempt), outcome.status, parent.run_id)
        write(self.tracking, _trial(outcome, folder), tree)
        return time.perf_counter() - tree.begun

    def run_of(self, outcome: Outcome) -> str:
        """Return the id of the run that shows an outcome.

        Raises:
            RecordingError: there is none.
        """
        runs = self.tracking.runs(outcome.experiment, PREFIX + "attempt", outcome.attempt)
        if not runs:
            raise RecordingError(
                f"MLflow at {self.tracking.uri} has no run of {outcome.label}; run its experiment again to record it"
            )
        return runs[0].run_id

    def keep(self, experiment: str, root: Node, mark: str, status: str) -> str:
        """Write runs that are no trials, in place of those of the same mark; returns the id of the topmost."""
        return write(self.tracking, root, Tree(experiment, ("tree", mark), status))

    def outcomes(self, experiment: str) -> tuple[dict[str, str], list[Outcome]]:
        """Return the newest parent's texts, and of each of its trials the best attempt, in the spec's order.

        The best ended well, has the most applications, and is the newest of those.
        """
        parents = self._of_kind(experiment, EXPERIMENT)
        if not parents:
            return {}, []
        newest = _newest(parents)
        wanted = read_keys(newest.tags)
        found: dict[str, Run] = {}
        for run in self._of_kind(experiment, TRIAL):
            short = short_key(tag_of(run, "key"))
            if short in wanted and PREFIX + "revision" in run.tags:
                found[short] = max(found.get(short, run), run, key=_worth)
        about = {"question": newest.tags.get(PREFIX + "question", ""), "run_id": newest.run_id}
        with ThreadPoolExecutor(_READERS) as readers:  # from a server each one is a round trip or two
            read = readers.map(self._read, [found[key] for key in wanted if key in found])
            return about, [outcome for outcome in read if outcome is not None]

    def _read(self, run: Run) -> Outcome | None:
        """Return a run's outcome; None, and said on the terminal, where it is gone or this version cannot read it."""
        which = f"of the MLflow run {run.name} ({run.run_id})"
        with explained(self.tracking.uri), TemporaryDirectory() as folder:
            path = self.tracking.file(run, FILE, folder)
            try:
                found = {new_name(name) or name: value for name, value in run.metrics.items()}
                return replace(load(path), recording_s=found.get(RECORDING.name))
            except UnreadableError as error:
                left_out(UnreadableError(path, f"{which} {error.text}"))
            except FileNotFoundError:
                left_out(UnreadableError(path, f"{which} is gone: {_GONE}"))
            return None

    def _of_kind(self, experiment: str, kind: str, *, deleted: bool = False) -> list[Run]:
        return self.tracking.runs(experiment, PREFIX + "kind", kind, deleted=deleted)


def _trial(outcome: Outcome, folder: Path) -> Node:
    """Return the run of a trial, with the files that its attempt left in a folder."""
    seconds = sum(item.seconds for item in outcome.applications)
    return Node(
        name=outcome.label,
        kind=TRIAL,
        tags=tags(outcome),
        params=params(outcome),
        metrics=list(numbers(outcome)),
        files=[folder / FILE],
        folders={
            application.name: [path for name in _ARTIFACTS if (path := application / name).exists()]
            for application in sorted(folder.glob("app-*"))
        },
        data=_data_set(outcome.data),
        span=(outcome.ended_at - seconds, outcome.ended_at),
        timed=RECORDING.name,
        revision=outcome.revision,
    )


def _data_set(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the record says of a data set: its name, the digest of its rows, where it is from, and what it holds."""
    if not data:
        return {}
    profile = {
        key: data[key]
        for key in ("rows", "users", "items", "cleaning", "scale", "versions", "warnings")
        if key in data
    }
    source = {"source": data.get("source", ""), "options": as_text(data.get("options", {}))}
    return {"name": data["name"], "digest": str(data["digest"]), "source": source, "profile": profile}


def _newest(parents: Sequence[Run]) -> Run:
    """Return the parent that was used last."""
    return max(parents, key=lambda run: float(tag_of(run, "used_at")))


def _worth(run: Run) -> tuple[bool, int]:
    """Order the attempts at one trial; of equals the first, that is the newest, is taken."""
    return run.tags.get(PREFIX + "status") == "ok", int(run.tags.get(PREFIX + "applications", 0))
