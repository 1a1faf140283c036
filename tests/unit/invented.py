"""Outcomes of trials with invented numbers, for tests of what is done with them."""

from collections.abc import Sequence
from typing import Any

from experiments.results.outcome import Application, Outcome
from jobs.runtime.request import PhaseTime

BASIS = {"code": "c0de", "lock": "10c4", "data": {"movielens-1m": "d1"}}


def application(
    number: int, fit: Sequence[float], score: Sequence[float] = (), status: str = "ok", **changes: Any
) -> Application:
    """One application: `fit` and `score` seconds of its passes, the first of which is a warm-up."""
    times = [
        PhaseTime(phase, pass_, "repeat" if pass_ else "cold", seconds, 1)
        for phase, passes in (("fit", fit), ("score", score))
        for pass_, seconds in enumerate(passes)
    ]
    values: dict[str, Any] = {
        "error": None,
        "metrics": {"rmse": 0.9, "coverage": 1.0, "rmse_bias": 0.94, "rmse_global_mean": 1.1},
        "counts": {"test_rows": 100},
        "fingerprint": [3.0, 4.0],
        "info": {"application_id": f"app-{number}"},
        "table": [],
        "ready_s": 4.0,
        "start_s": 6.0,
        "stop_s": 2.0,
        "seconds": 20.0,
        "died": [],
        "telemetry": {"groups": {}, "executors_lost": []},
        **changes,
    }
    return Application(number=number, status=status, phases=times, **values)


def outcome(applications: Sequence[Application] = (), workers: int = 1, **changes: Any) -> Outcome:
    """A trial of ALS that ended well with these applications."""
    own = changes.pop("values", {})
    values: dict[str, Any] = {
        "experiment": "invented",
        "key": f"{workers:x}" * 64,
        "attempt": f"20260101-000000-{workers:06x}",
        "job": "train",
        "label": f"als w{workers}\u00d71c",
        "values": {
            "model.name": "als",
            "data.name": "movielens/1m",
            "shape.workers": workers,
            "shape.cores": 1,
            "shape.memory": "1g",
            **own,
        },
        "shape": {"workers": workers, "cores": 1, "memory": "1g"},
        "shape_tag": "clean",
        "wanted": max(1, len(applications)),
        "repeats": 2,
        "warmups": 1,
        "basis": BASIS,
        "data": {"name": "movielens/1m", "slug": "movielens-1m", "digest": "d1", "rows": 1000, "options": {}},
        "environment": {"host.cores": 4, "host.cpu": "invented", "git.commit": "abc", "git.dirty": False},
        "status": "ok",
        "revision": 1,
        "ended_at": 1_700_000_000.0,
        **changes,
    }
    return Outcome(applications=list(applications), **values)
