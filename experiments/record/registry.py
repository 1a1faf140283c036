"""Puts a fitted model into MLflow's registry, as something that needs no Spark, under an alias.

`factor_model` is the file that travels with the model.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from core.errors import RecordingError
from experiments.record import factor_model
from experiments.record.tracking import Tracking, Version, explained, save_model
from experiments.spec.search_space import ALIAS

_FOLDER = "model"
_PACKAGES = ("mlflow", "numpy", "pandas")


@dataclass(frozen=True)
class Registered:
    """A version of a registered model; `uri` is what `mlflow.pyfunc.load_model` takes."""

    name: str
    version: str
    uri: str


def register(tracking: Tracking, run_id: str, arrays: Path, name: str, about: str) -> Registered:
    """Log a model with the run that it came of and move the alias "best" to it; needs no network but the server's.

    Args:
        tracking: where the run is.
        run_id: of the trial.
        arrays: the file that `jobs.modelling.export` wrote.
        name: of the registered model; made if it is not there.
        about: a line for its page.

    Raises:
        RecordingError: MLflow did not take it.
    """
    known = tracking.version(name, ALIAS)
    if known is not None and known.run_id == run_id:
        return _named(known)
    if not arrays.is_file():
        raise RecordingError(
            f"there is no file {arrays}: the trial exported no model, or the file was removed since; delete the trial's "
            "run in MLflow, then run the search again"
        )
    with explained(tracking.uri), TemporaryDirectory() as folder:
        path = Path(folder) / _FOLDER
        save(path, arrays)
        return _named(tracking.register(name, run_id, path, about, ALIAS))


def _named(version: Version) -> Registered:
    return Registered(version.name, version.version, f"models:/{version.name}@{ALIAS}")


def save(path: Path, arrays: Path) -> None:
    """Write a model folder: the code file, the arrays, the signature and the pinned packages, none of them looked up."""
    with np.load(arrays, allow_pickle=False) as found:
        example = pd.DataFrame({"user": found["user_keys"][:1], "item": found["item_keys"][:1]})
    save_model(
        path,
        Path(factor_model.__file__),
        artifacts={factor_model.ARRAYS: arrays},
        columns={"user": True, "item": False},
        options={"k": 10, "seen": False},
        example=example,
        packages=_PACKAGES,
    )
