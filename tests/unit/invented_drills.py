"""Results of drills with invented numbers, and the experiment that drills disturb."""

from invented import BASIS

from cluster import configuration
from experiments.spec import loading as spec
from experiments.studies.drills import baseline
from experiments.studies.drills.drill import Drilled
from experiments.studies.stream_drills.drill import StreamDrilled

SETTINGS = configuration.load([], {})


DRILL = spec.load("drill")


def trial(experiment, settings=SETTINGS):
    """The trial that drills of an experiment disturb."""
    return baseline.trial_of(experiment, settings)


STREAM_DRILLED = StreamDrilled(
    kind="query", seed=1, total=1000, victim="the driver", at=300, cold_start_s=9.0, batch_s=0.5, recovery_s=12.5, restarts=1,
    acknowledged=1000, bad=3, compared=4000, differing=0, findings=[], reconcile_s=2.0, seconds=60.0, notes=["it was slow"],
    identity="a b", environment={"host.cores": 2, "version.java": "17"}, ended_at=1.5,
)  # fmt: skip
"""The result of a drill of streams that ended well."""


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
