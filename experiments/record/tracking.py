"""Calls to MLflow: the only module that knows it, besides the file that travels with a model (`factor_model`).

It says how experiments, runs, artifacts and registered models are read and written, and turns every error of that into one
kind. What is recorded, and under which names, is the business of those that use it.
"""

import functools
import json
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

os.environ.setdefault(
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true"
)  # our own report ends with the address
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

from alembic.util import CommandError
from google.protobuf.json_format import ParseError
from mlflow import MlflowClient, pyfunc
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, ViewType
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine
from mlflow.types import ColSpec, ParamSchema, Schema
from mlflow.types import ParamSpec as Option
from sqlalchemy.exc import SQLAlchemyError

from core.errors import RecordingError
from core.files import make_once
from experiments.results.metrics import Number

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_ENDS = {"ok": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
_PARENT = "mlflow.parentRunId"
_DECIMALS = 5
_SQLITE = "sqlite:///"
_PAGE = 1000
_MOST_PARAMS, _MOST_METRICS = 100, 1000
_TYPES = {bool: "boolean", int: "long"}

P = ParamSpec("P")
R = TypeVar("R")


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


def _asks(call: Callable[Concatenate["Tracking", P], R]) -> Callable[Concatenate["Tracking", P], R]:
    """Explain the errors of a method that asks MLflow."""

    @functools.wraps(call)
    def asking(self: "Tracking", /, *args: P.args, **kwargs: P.kwargs) -> R:
        with explained(self.uri):
            return call(self, *args, **kwargs)

    return asking


@dataclass(frozen=True)
class Run:
    """A run as it was when it was read.

    Attributes:
        metrics: the last value of each.
        ended_ms: milliseconds since 1970 of its end, of its start while it runs.
        artifacts: address of its folder of artifacts.
    """

    run_id: str
    name: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    ended_ms: int
    artifacts: str


@dataclass(frozen=True)
class Version:
    """A version of a registered model; `run_id` is the run that it came of."""

    name: str
    version: str
    run_id: str


class Tracking:
    """One tracking server or database. Every method raises RecordingError where MLflow does not do what it is asked.

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

    # ---- experiments

    @_asks
    def experiments(self) -> list[str]:
        """Return the names of the experiments that nobody deleted."""
        return [place.name for place in self._client.search_experiments()]

    @_asks
    def tag_experiment(self, name: str, tag: str, value: str) -> str:
        """Set a tag of an experiment, which is made if it is not there; return the experiment's number."""
        number = self._experiment(name)
        self._client.set_experiment_tag(number, tag, value)
        return number

    @_asks
    def delete_experiment(self, name: str) -> None:
        """Take an experiment off MLflow's list, if it is there."""
        place = self._client.get_experiment_by_name(name)
        if place is not None:
            self._client.delete_experiment(place.experiment_id)

    def _experiment(self, name: str) -> str:
        """Return the number of an experiment, which is made or restored if need be."""
        found = self._client.get_experiment_by_name(name)
        if found is None:
            location = (self._artifacts / name).resolve().as_uri() if self._artifacts else None
            kind = {"mlflow.experimentKind": "custom_model_development"}
            return str(self._client.create_experiment(name, artifact_location=location, tags=kind))
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    # ---- runs

    @_asks
    def runs(self, experiment: str, tag: str, value: str, *, deleted: bool = False) -> list[Run]:
        """Return the runs with this value of a tag, newest first; with `deleted` also those that a person deleted."""
        view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
        found: list[Run] = []
        token: str | None = None
        place = self._client.get_experiment_by_name(experiment)
        while place is not None:
            page = self._client.search_runs(
                [place.experiment_id],
                f"tags.`{tag}` = '{value}'",
                view,
                _PAGE,
                ["attributes.start_time DESC"],
                token,
            )
            found += map(_run, page)
            token = page.token
            if not token:
                break
        return found

    @_asks
    def begin(
        self,
        experiment: str,
        name: str,
        tags: Mapping[str, str],
        parent: str = "",
        started_at: float | None = None,
    ) -> str:
        """Open a run, below another one if there is a parent, and return its id.

        `started_at` is in seconds since 1970, None for now.
        """
        run = self._client.create_run(
            self._experiment(experiment),
            start_time=None if started_at is None else int(started_at * 1000),
            run_name=name,
            tags={**({_PARENT: parent} if parent else {}), **tags},
        )
        return str(run.info.run_id)

    @_asks
    def go_on(self, run_id: str) -> None:
        """Mark a run that ended as running."""
        self._client.update_run(run_id, status="RUNNING")

    @_asks
    def end(self, run_id: str, status: str, ended_at: float | None = None) -> None:
        """End a run; `status` is that of an outcome, `ended_at` in seconds since 1970, None for now."""
        end = None if ended_at is None else int(ended_at * 1000)
        self._client.set_terminated(run_id, _ENDS[status], end_time=end)

    @_asks
    def delete(self, runs: Iterable[Run]) -> None:
        """Delete runs."""
        for run in runs:
            self._client.delete_run(run.run_id)

    @_asks
    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run, in this order."""
        for key, value in tags.items():
            self._client.set_tag(run_id, key, value)

    @_asks
    def log(
        self,
        run_id: str,
        numbers: Iterable[Number],
        params: Mapping[str, str] | None = None,
        at_ms: int | None = None,
        *,
        exact: bool = False,
    ) -> None:
        """Log numbers and parameters of a run.

        Args:
            run_id: of the run.
            numbers: values of metrics with their steps.
            params: parameters.
            at_ms: time of numbers that have none, in milliseconds since 1970; None for now.
            exact: do not round the numbers to five decimals.
        """
        now = int(time.time() * 1000) if at_ms is None else at_ms
        for batch in _batches([Param(key, value) for key, value in (params or {}).items()], _MOST_PARAMS):
            self._client.log_batch(run_id, params=batch)
        self._log_metrics(run_id, [_metric(number, now, exact=exact) for number in numbers])

    @_asks
    def log_missing(self, run_id: str, numbers: Iterable[Number]) -> None:
        """Log those numbers of a run that it does not have at the same step."""
        metrics = [_metric(number, int(time.time() * 1000)) for number in numbers]
        known = {
            (item.key, item.step, item.value)
            for key in {metric.key for metric in metrics} & self._client.get_run(run_id).data.metrics.keys()
            for item in self._client.get_metric_history(run_id, key)
        }
        self._log_metrics(
            run_id, [item for item in metrics if (item.key, item.step, item.value) not in known]
        )

    def _log_metrics(self, run_id: str, metrics: Sequence[Metric]) -> None:
        for batch in _batches(metrics, _MOST_METRICS):
            self._client.log_batch(run_id, metrics=batch)

    @_asks
    def history(self, run_id: str, metric: str) -> list[Number]:
        """Return all values of a metric of a run, with their steps."""
        return [
            Number(metric, item.value, item.step) for item in self._client.get_metric_history(run_id, metric)
        ]

    @_asks
    def use(self, run_id: str, name: str, digest: str, source: Any, profile: Any) -> None:
        """Name the data set of a run, with its digest: MLflow's own would hash a query plan."""
        dataset = Dataset(name, digest[:36], "recscale", json.dumps(source), profile=json.dumps(profile))
        self._client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "trial")])])

    # ---- artifacts

    @_asks
    def attach(self, run_id: str, files: Iterable[Path], folder: str = "") -> None:
        """Put files into a folder of a run's artifacts, in place of those of the same name."""
        for path in files:
            self._client.log_artifact(run_id, str(path), folder or None)

    @_asks
    def attach_text(self, run_id: str, text: str, name: str) -> None:
        """Put a text into a run's artifacts."""
        self._client.log_text(run_id, text, name)

    @_asks
    def text(self, run_id: str, name: str) -> str:
        """Return a text among a run's artifacts, "" where there is none."""
        if not any(item.path == name for item in self._client.list_artifacts(run_id)):
            return ""
        with TemporaryDirectory() as folder:
            return Path(self._client.download_artifacts(run_id, name, folder)).read_text(encoding="utf-8")

    @_asks
    def file(self, run: Run, name: str, folder: str) -> Path:
        """Return where an artifact can be read: in the run's own folder, or in `folder` if a server has to send it."""
        place = urlsplit(run.artifacts)
        if place.scheme in ("", "file"):
            return Path(unquote(place.path)) / name
        return Path(self._client.download_artifacts(run.run_id, name, folder))

    # ---- registered models

    @_asks
    def version(self, model: str, alias: str) -> Version | None:
        """Return the version that an alias of a registered model names, None if there is none."""
        found = self._client.search_registered_models(f"name = '{model}'")
        if not found or alias not in found[0].aliases:
            return None
        return _version(self._client.get_model_version_by_alias(model, alias))

    @_asks
    def register(self, model: str, run_id: str, folder: Path, about: str, alias: str) -> Version:
        """Log a model's folder with the run that it came of, and name it by an alias of a registered model.

        Args:
            model: name of the registered model, which is made if it is not there.
            run_id: of the run.
            folder: what `save_model` wrote.
            about: a line for its page.
            alias: is moved to it.
        """
        self._client.log_artifacts(run_id, str(folder), folder.name)
        if not self._client.search_registered_models(f"name = '{model}'"):
            self._client.create_registered_model(model, description=about)
        source = f"{self._client.get_run(run_id).info.artifact_uri}/{folder.name}"
        made = self._client.create_model_version(model, source, run_id, description=about)
        self._client.set_registered_model_alias(model, alias, made.version)
        return _version(made)


def save_model(
    folder: Path,
    code: Path,
    *,
    artifacts: Mapping[str, Path],
    columns: Mapping[str, bool],
    options: Mapping[str, Any],
    example: Any,
    packages: Sequence[str],
) -> None:
    """Write a model folder as MLflow loads it; its packages are pinned as they are here, none of them looked up.

    Args:
        folder: to write.
        code: the file of the model.
        artifacts: what the model loads, by the names that it knows them by.
        columns: texts that it is asked with, and whether each must be there.
        options: whole numbers and flags that it may be asked with, and their defaults.
        example: a frame of such columns.
        packages: that it needs, besides Python.
    """
    asked = [ColSpec("string", name, required=needed) for name, needed in columns.items()]
    given = [Option(name, _TYPES[type(value)], value) for name, value in options.items()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about type hints, which a file that travels alone does without
        pyfunc.save_model(
            str(folder),
            python_model=str(code),
            artifacts={name: str(path) for name, path in artifacts.items()},
            signature=ModelSignature(inputs=Schema(asked), params=ParamSchema(given)),
            input_example=example,
            pip_requirements=[f"{package}=={metadata.version(package)}" for package in packages],
        )


def _make_tables(path: Path) -> None:
    """Make MLflow's tables in a new database; those of the server that is started here are made in the same way."""
    engine = create_sqlalchemy_engine(f"{_SQLITE}{path}")
    _initialize_tables(engine)
    engine.dispose()


def _run(found: Any) -> Run:
    info, data = found.info, found.data
    ended = info.end_time or info.start_time
    return Run(info.run_id, info.run_name, dict(data.tags), dict(data.metrics), ended, info.artifact_uri)


def _version(found: Any) -> Version:
    return Version(found.name, str(found.version), found.run_id)


def _metric(number: Number, now: int, *, exact: bool = False) -> Metric:
    value = float(number.value)
    at_ms = now if number.at_ms is None else number.at_ms
    return Metric(number.name, value if exact else round(value, _DECIMALS), at_ms, number.step)


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
