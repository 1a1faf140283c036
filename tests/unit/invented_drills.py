"""Results of drills with invented numbers, and the experiment that drills disturb."""

from invented import BASIS

from cluster import configuration
from experiments.spec import loading as spec
from experiments.studies.drills import baseline
from experiments.studies.drills.drill import Drilled

SETTINGS = configuration.load([], {})


DRILL = spec.load("drill")


def trial(experiment, settings=SETTINGS):
    """The trial that drills of an experiment disturb."""
    return baseline.trial_of(experiment, settings)


def drilled(**changes):
    """The result of a drill that ended well."""
    values = {
        "kind": "executor", "attempt": "20260101-000000-aaaaaa", "experiment": "invented", "key": "k" * 64,
        "label": "als w2\u00d71c", "victim": "an executor of spark-worker-2", "phase": "fit", "after_s": 4.0,
        "status": "ok", "error": None, "ended_s": 12.0, "recovery_s": 3.5, "recomputed_tasks": 7, "failed_tasks": 2,
        "executors_lost": 1, "undisturbed_s": 8.0, "disturbed_s": 12.5, "rerun_s": None, "rerun_status": "",
        "differences": [], "largest_difference": 2e-7, "rows": 943, "left": [], "notes": [],
        "environment": {"host.cores": 4, "host.cpu": "invented"}, "basis": BASIS, "values": {"model.name": "als", "model.rank": 8},
        "shape": {"workers": 2, "cores": 1, "memory": "1g", "cpus": 0.5, "pin": True, "backend": ""},
        "at": 1_700_000_000.0,
    }  # fmt: skip
    return Drilled(**(values | changes))
