"""Recorded trials of an experiment, and the model that is fitted to them."""

from cluster.lifecycle import Cluster
from cluster.settings import Settings
from core.errors import RecordingError, ServiceError, UsageError
from experiments.results.outcome import Outcome
from experiments.run.runner import open_recorder
from experiments.spec import loading as spec
from experiments.studies.capacity.model import Model
from experiments.studies.capacity.points import points_of


def recorded(settings: Settings, name: str) -> list[Outcome]:
    """Return the recorded trials of an experiment, in an empty list if there are none.

    Raises:
        ServiceError: the record cannot be read.
    """
    uri = Cluster(settings).address("mlflow")
    if uri is None and not (settings.run_dir / "mlflow.db").exists():
        return []  # opening the record would create one
    try:
        return open_recorder(settings, uri).outcomes(name)[1]
    except RecordingError as error:
        raise ServiceError(f"MLflow's record cannot be read: {error}") from error


def model_of(settings: Settings, name: str) -> Model:
    """Return the model that is fitted to the recorded trials of a spec.

    Raises:
        UsageError: the spec is unknown, or there are too few trials; the message says what to run.
        ServiceError: the record cannot be read.
    """
    experiment = spec.load(name)
    outcomes = recorded(settings, experiment.name)
    if not outcomes:
        raise UsageError(f"no runs of {experiment.name} are recorded; run them first: make plan NAME={name}")
    return Model.of(points_of(experiment, outcomes))
