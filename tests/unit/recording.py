"""Trials with invented numbers for the record, and the runs that it then has."""

from itertools import count

from invented import application, outcome
from mlflow import MlflowClient
from mlflow.entities import ViewType

from experiments.record.recorder import Recorder

NAMES = count()


ABOUT = {"question": "How fast?", "spec": "repeats = 2\n"}


def opened(folder):
    """The recorder of a database in a folder."""
    return Recorder(f"sqlite:///{folder / 'mlflow.db'}", folder / "mlartifacts")


def new_name():
    """The name of an experiment that no other test has."""
    return f"made-{next(NAMES)}"


def client_of(recorder):
    """MLflow's own client of a recorder's database."""
    return MlflowClient(tracking_uri=recorder.tracking.uri)


def trial(name, workers=1, applications=1, **changes):
    """A trial of some applications that ended well."""
    made = [application(number, [9.0, 1.0, 2.0]) for number in range(applications)]
    return outcome(made, workers, experiment=name, **changes)


def write(item, folder):
    """Write the folder that an attempt leaves on disk."""
    place = folder / item.key[-8:] / item.attempt
    item.save(place)
    (place / "app-0").mkdir(exist_ok=True)
    for name in ("request.json", "result.json", "events.jsonl", "driver.log", "telemetry.json"):
        (place / "app-0" / name).write_text("{}\n")
    (place / "app-0" / "secret.txt").write_text("not recorded")
    return place


def runs(client, name, view=ViewType.ACTIVE_ONLY):
    """The runs of an experiment's trials."""
    where = [client.get_experiment_by_name(name).experiment_id]
    return [run for run in client.search_runs(where, "", view) if run.data.tags["recscale.kind"] == "trial"]
