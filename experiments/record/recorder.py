"""Turns the outcome of a trial into an MLflow run, and reads it back; the only place that knows MLflow.

Every outcome lies on disk first. A run carries the attempt and the revision that it shows; the revision is written
last, so a recording that broke off is found, thrown away and made anew: nothing is lost, nothing stands there twice.
"""

import json
import logging
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

os.environ.setdefault(
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true"
)  # our own report ends with the address
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

from alembic.util import CommandError
from google.protobuf.json_format import ParseError
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine
from sqlalchemy.exc import SQLAlchemyError

from core.errors import RecordingError, UnreadableError
from core.files import make_once
from core.versioned import left_out
from experiments.metric_names import RECORDING, new_name
from experiments.record.parent_run import Parent, differences, parent_tags, read_spec, take_up, write_spec
from experiments.record.run_tags import (
    PREFIX,
    VIEW,
    as_text,
    params,
    read_keys,
    short_key,
    tag_of,
    tags,
    view_state,
)
from experiments.record.run_tree import Node, Writer
from experiments.results.metrics import Number, numbers
from experiments.results.outcome import FILE, Outcome, load

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.WARNING)

LONGEST_NOTE = 7000
_DECIMALS = 5
_SQLITE = "sqlite:///"
_READERS = 8
_GONE = "bring it back, or delete that run to have its trial run again"
_ENDS = {"ok": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
_ARTIFACTS = ("request.json", "result.json", "events.jsonl", "driver.log", "telemetry.json")


def _make_tables(path: Path) -> None:
    """Make MLflow's tables in a new database; those of the server that is started here are made in the same way."""
    engine = create_sqlalchemy_engine(f"{_SQLITE}{path}")
    _initialize_tables(engine)
    engine.dispose()


class Recorder:
    """Records to one tracking server or database.

    Args:
        uri: MLflow's tracking URI.
        artifacts: folder for the artifacts of new experiments; None leaves it to the server.
    """

    def __init__(self, uri: str, artifacts: Path | None) -> None:
        self.uri = uri
        self._artifacts = artifacts
        with explained(uri):
            if uri.startswith(_SQLITE):
                # An interruption would leave some of the tables, and with those MLflow never opens the file again.
                make_once(Path(uri.removeprefix(_SQLITE)), _make_tables)
            self._client = MlflowClient(tracking_uri=uri)

    def finished(self, experiment: str, applications: int) -> set[str]:
        """Return the keys of the trials that ended well with at least so many applications."""
        with explained(self.uri):
            return {
                tag_of(run, "key")
                for run in self._runs(experiment, f"tags.`{PREFIX}kind` = 'trial'")
                if run.data.tags.get(PREFIX + "status") == "ok"
                and PREFIX + "revision" in run.data.tags
                and int(run.data.tags.get(PREFIX + "applications", 0)) >= applications
            }

    def recorded(self, experiment: str) -> dict[str, int]:
        """Return the newest recorded revision of each attempt, those that a person deleted included."""
        newest: dict[str, int] = {}
        with explained(self.uri):
            for run in self._runs(experiment, f"tags.`{PREFIX}kind` = 'trial'", ViewType.ALL):
                attempt, revision = tag_of(run, "attempt"), run.data.tags.get(PREFIX + "revision")
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
        with explained(self.uri):
            older = self._runs(experiment, f"tags.`{PREFIX}kind` = 'experiment'")
            for run in older:
                if not differences(run, basis):
                    take_up(self._client, run, basis, keys, about)
                    return Parent(run.info.run_id, opened=False, why=[])
            number = len(self._runs(experiment, f"tags.`{PREFIX}kind` = 'experiment'", ViewType.ALL)) + 1
            run = self._client.create_run(
                self._experiment(experiment),
                run_name=f"{experiment} #{number}",
                tags=parent_tags(basis, keys, about),
            )
            write_spec(self._client, run.info.run_id, about)
            return Parent(run.info.run_id, opened=True, why=differences(older[0], basis) if older else [])

    def annotate(self, run_id: str, note: str, summary: Sequence[Number]) -> None:
        """Put a text in Markdown and some numbers of its trials on the page of a parent run."""
        with explained(self.uri):
            self._client.set_tag(run_id, "mlflow.note.content", note[:LONGEST_NOTE])
            history = self._client.get_metric_history
            metrics = [_metric(number, int(time.time() * 1000)) for number in summary]
            known = {
                (item.key, item.step, item.value)
                for key in {metric.key for metric in metrics}
                & self._client.get_run(run_id).data.metrics.keys()
                for item in history(run_id, key)
            }
            new = [item for item in metrics if (item.key, item.step, item.value) not in known]
            for batch in _batches(new, 1000):
                self._client.log_batch(run_id, metrics=batch)

    def attach(self, run_id: str, files: Sequence[Path], folder: str = "report") -> None:
        """Put files into a folder of a run's artifacts, in place of those of the same name."""
        with explained(self.uri):
            for path in files:
                self._client.log_artifact(run_id, str(path), folder)

    def known(self) -> dict[str, str]:
        """Return the experiments that have a parent run here, and the TOML that each was last run with, or ""."""
        found: dict[str, str] = {}
        with explained(self.uri), tempfile.TemporaryDirectory() as folder:
            for place in self._client.search_experiments():
                parents = self._runs(place.name, f"tags.`{PREFIX}kind` = 'experiment'")
                if parents:
                    newest = max(parents, key=lambda run: float(tag_of(run, "used_at")))
                    found[place.name] = read_spec(self._client, newest.info.run_id, folder)
        return found

    def show(self, experiment: str, columns: Sequence[str]) -> str:
        """Keep a view of an experiment's trials with few columns, and return its address within MLflow's pages.

        MLflow lists parent runs with their children folded away; the view lists the trials, ready to be compared.
        """
        with explained(self.uri):
            number = self._experiment(experiment)
            self._client.set_experiment_tag(number, f"mlflow.sharedViewState.{VIEW}", view_state(columns))
            return f"#/experiments/{number}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"

    def close(self, parent: Parent, status: str) -> None:
        """End the parent run; `status` as of an outcome."""
        with explained(self.uri):
            self._client.set_terminated(parent.run_id, _ENDS[status])

    def record(self, outcome: Outcome, folder: Path, parent: Parent) -> float:
        """Record one outcome under its parent, in place of what an earlier revision of the attempt left there.

        Returns:
            Seconds that it took.
        """
        begin = time.perf_counter()
        with explained(self.uri):
            which = f"tags.`{PREFIX}attempt` = '{outcome.attempt}'"
            for run in self._runs(outcome.experiment, which):
                self._client.delete_run(run.info.run_id)
            run_id = self._write(outcome, folder, parent.run_id)
            seconds = time.perf_counter() - begin
            self._client.log_metric(run_id, RECORDING, seconds)
            self._client.set_tag(run_id, PREFIX + "revision", str(outcome.revision))
            self._client.set_terminated(run_id, _ENDS[outcome.status], end_time=int(outcome.ended_at * 1000))
        return seconds

    def run_of(self, outcome: Outcome) -> str:
        """Return the id of the run that shows an outcome.

        Raises:
            RecordingError: there is none.
        """
        with explained(self.uri):
            runs = self._runs(outcome.experiment, f"tags.`{PREFIX}attempt` = '{outcome.attempt}'")
        if not runs:
            raise RecordingError(
                f"MLflow at {self.uri} has no run of {outcome.label}; run its experiment again to record it"
            )
        return str(runs[0].info.run_id)

    def keep(self, experiment: str, root: Node, mark: str, status: str) -> str:
        """Write runs that are no trials, in place of those of the same mark; returns the id of the topmost."""
        with explained(self.uri):
            return Writer(self._client, self._log, self._experiment(experiment), mark, _ENDS[status]).write(
                root
            )

    def outcomes(self, experiment: str) -> tuple[dict[str, str], list[Outcome]]:
        """Return the newest parent's texts, and of each of its trials the best attempt, in the spec's order.

        The best ended well, has the most applications, and is the newest of those.
        """
        with explained(self.uri):
            parents = self._runs(experiment, f"tags.`{PREFIX}kind` = 'experiment'")
            if not parents:
                return {}, []
            newest = max(parents, key=lambda run: float(tag_of(run, "used_at")))
            wanted = read_keys(newest.data.tags)
            found: dict[str, Run] = {}
            for run in self._runs(experiment, f"tags.`{PREFIX}kind` = 'trial'"):
                short = short_key(tag_of(run, "key"))
                if short in wanted and PREFIX + "revision" in run.data.tags:
                    found[short] = max(found.get(short, run), run, key=_worth)
            about = {"question": newest.data.tags.get(PREFIX + "question", ""), "run_id": newest.info.run_id}
            with ThreadPoolExecutor(_READERS) as readers:  # from a server each one is a round trip or two
                read = readers.map(self._read, [found[key] for key in wanted if key in found])
                return about, [outcome for outcome in read if outcome is not None]

    def _write(self, outcome: Outcome, folder: Path, parent: str) -> str:
        seconds = sum(item.seconds for item in outcome.applications)
        run = self._client.create_run(
            self._experiment(outcome.experiment),
            start_time=int((outcome.ended_at - seconds) * 1000),
            run_name=outcome.label,
            tags={"mlflow.parentRunId": parent, **tags(outcome)},
        )
        run_id: str = run.info.run_id
        self._log(run_id, params(outcome), numbers(outcome), int(outcome.ended_at * 1000))
        if outcome.data:
            self._client.log_inputs(run_id, [_dataset(outcome.data)])
        self._client.log_artifact(run_id, str(folder / FILE))
        for application in sorted(folder.glob("app-*")):
            for name in _ARTIFACTS:
                if (application / name).exists():
                    self._client.log_artifact(run_id, str(application / name), application.name)
        return run_id

    def _log(self, run_id: str, values: Mapping[str, str], found: Iterable[Number], now: int) -> None:
        for batch in _batches([Param(key, value) for key, value in values.items()], 100):
            self._client.log_batch(run_id, params=batch)
        for numbers_batch in _batches([_metric(number, now) for number in found], 1000):
            self._client.log_batch(run_id, metrics=numbers_batch)

    def _read(self, run: Run) -> Outcome | None:
        """Return a run's outcome; None, and said on the terminal, where it is gone or this version cannot read it."""
        which = f"of the MLflow run {run.info.run_name} ({run.info.run_id})"
        with tempfile.TemporaryDirectory() as folder:
            path = _on_disk(run) or Path(self._client.download_artifacts(run.info.run_id, FILE, folder))
            try:
                found = {new_name(name) or name: value for name, value in run.data.metrics.items()}
                return replace(load(path), recording_s=found.get(RECORDING))
            except UnreadableError as error:
                left_out(UnreadableError(path, f"{which} {error.text}"))
            except FileNotFoundError:
                left_out(UnreadableError(path, f"{which} is gone: {_GONE}"))
            return None

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            location = (self._artifacts / name).resolve().as_uri() if self._artifacts else None
            kind = {"mlflow.experimentKind": "custom_model_development"}
            return str(self._client.create_experiment(name, artifact_location=location, tags=kind))
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _runs(self, experiment: str, filter_: str, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
        """Return runs, newest first."""
        found: list[Run] = []
        token: str | None = None
        place = self._client.get_experiment_by_name(experiment)
        while place is not None:
            page = self._client.search_runs(
                [place.experiment_id], filter_, view, 1000, ["attributes.start_time DESC"], token
            )
            found += page
            token = page.token
            if not token:
                break
        return found


def _worth(run: Run) -> tuple[bool, int]:
    """Order the attempts at one trial; of equals the first, that is the newest, is taken."""
    return run.data.tags.get(PREFIX + "status") == "ok", int(run.data.tags.get(PREFIX + "applications", 0))


def _on_disk(run: Run) -> Path | None:
    """Return where a run's outcome lies if its artifacts are in a folder and not behind a server."""
    place = urlsplit(run.info.artifact_uri)
    return Path(unquote(place.path)) / FILE if place.scheme in ("", "file") else None


def _metric(number: Number, now: int = 0) -> Metric:
    return Metric(number.name, round(float(number.value), _DECIMALS), now, number.step)


def _dataset(data: Mapping[str, Any]) -> DatasetInput:
    """Name the data set by the digest of its rows; MLflow's own would hash a query plan."""
    profile = {
        key: data[key] for key in ("rows", "users", "items", "cleaning", "scale", "warnings") if key in data
    }
    source = json.dumps({"source": data.get("source", ""), "options": as_text(data.get("options", {}))})
    dataset = Dataset(data["name"], str(data["digest"])[:36], "recscale", source, profile=json.dumps(profile))
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "trial")])


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rows = list(items)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn every error of MLflow, its connection, database or artifact folder into one kind.

    Other exceptions are faults of this program and pass with their traceback.
    """
    try:
        yield
    except (
        MlflowException,
        SQLAlchemyError,
        CommandError,
        ParseError,
        OSError,
    ) as error:  # OSError holds those of requests
        raise RecordingError(f"MLflow at {uri}: {type(error).__name__}: {error}") from error
