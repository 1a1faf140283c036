"""Reads what is recorded of an experiment, and the model that it makes."""

from cluster.errors import ServiceError
from cluster.lifecycle import Cluster
from cluster.settings import Settings
from datasets.errors import UsageError
from experiments import spec
from experiments.capacity.model import Model
from experiments.capacity.points import points_of
from experiments.outcome import Outcome
from experiments.recorder import RecordingError
from experiments.runner import open_recorder


def recorded(settings: Settings, name: str) -> list[Outcome]:
    """Return the recorded trials of an experiment, none if there are none.

    Raises:
        ServiceError: the record cannot be read.
    """
    uri = Cluster(settings).mlflow_uri
    if uri is None and not (settings.run_dir / "mlflow.db").exists():
        return []  # opening the record would make one
    try:
        return open_recorder(settings, uri).outcomes(name)[1]
    except RecordingError as error:
        raise ServiceError(f"the record cannot be read: {error}") from error


def model_of(settings: Settings, name: str) -> Model:
    """Return the model that the recorded trials of a spec make.

    Raises:
        UsageError: an unknown spec, or trials that make no model; with what to run.
        ServiceError: the record cannot be read.
    """
    experiment = spec.load(name)
    outcomes = recorded(settings, experiment.name)
    if not outcomes:
        raise UsageError(
            f"no runs of {experiment.name} are recorded; run them first: python -m experiments plan {name}"
        )
    return Model.of(points_of(experiment, outcomes))
