"""Puts a fitted model into MLflow's registry, as something that needs no Spark, under an alias.

With `recorder` the only module that knows MLflow's client; `factor_model` is the file that travels with the model.
"""

import os
import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from core.errors import RecordingError
from experiments.record import factor_model
from experiments.record.recorder import explained
from experiments.spec.search_space import ALIAS

_FOLDER = "model"
_PACKAGES = ("mlflow", "numpy", "pandas")


@dataclass(frozen=True)
class Registered:
    """A version of a registered model; `uri` is what `mlflow.pyfunc.load_model` takes."""

    name: str
    version: str
    uri: str


def register(uri: str, run_id: str, arrays: Path, name: str, about: str) -> Registered:
    """Log a model with the run that it came of and move the alias "best" to it; needs no network but the server's.

    Args:
        uri: MLflow's tracking URI.
        run_id: of the trial.
        arrays: the file that `jobs.modelling.export` wrote.
        name: of the registered model; made if it is not there.
        about: a line for its page.

    Raises:
        RecordingError: MLflow did not take it.
    """
    with explained(uri):
        client = MlflowClient(tracking_uri=uri)
        known = _current(client, name)
    if known is not None and known.run_id == run_id:
        return _named(known)
    if not arrays.is_file():
        raise RecordingError(
            f"there is no file {arrays}: the trial exported no model, or the file was removed since; delete the trial's "
            "run in MLflow, then run the search again"
        )
    with explained(uri), TemporaryDirectory() as folder:
        path = Path(folder) / _FOLDER
        save(path, arrays)
        client.log_artifacts(run_id, str(path), _FOLDER)
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, description=about)
        source = f"{client.get_run(run_id).info.artifact_uri}/{_FOLDER}"
        version = client.create_model_version(name, source, run_id, description=about)
        client.set_registered_model_alias(name, ALIAS, version.version)
    return _named(version)


def _named(version: ModelVersion) -> Registered:
    return Registered(version.name, str(version.version), f"models:/{version.name}@{ALIAS}")


def _current(client: MlflowClient, name: str) -> ModelVersion | None:
    """Return the version that the alias names, None if there is none."""
    found = client.search_registered_models(f"name = '{name}'")
    if not found or ALIAS not in found[0].aliases:
        return None
    return client.get_model_version_by_alias(name, ALIAS)


def save(path: Path, arrays: Path) -> None:
    """Write a model folder: the code file, the arrays, the signature and the pinned packages, none of them looked up."""
    with np.load(arrays, allow_pickle=False) as found:
        example = pd.DataFrame({"user": found["user_keys"][:1], "item": found["item_keys"][:1]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about type hints, which a file that travels alone does without
        _save(path, arrays, example)


def _save(path: Path, arrays: Path, example: pd.DataFrame) -> None:
    mlflow.pyfunc.save_model(
        str(path),
        python_model=factor_model.__file__,
        artifacts={factor_model.ARRAYS: str(arrays)},
        signature=ModelSignature(
            inputs=Schema([ColSpec("string", "user"), ColSpec("string", "item", required=False)]),
            params=ParamSchema([ParamSpec("k", "long", 10), ParamSpec("seen", "boolean", default=False)]),
        ),
        input_example=example,
        pip_requirements=[f"{package}=={metadata.version(package)}" for package in _PACKAGES],
    )
