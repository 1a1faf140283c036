"""Trials of invented seconds on shapes of growing size, for tests of curves."""

import re

from invented import application, outcome

from experiments.spec.experiment import Experiment
from experiments.spec.tables import under
from experiments.studies.scaling.curves import curves

SPEC = Experiment("invented", "How does it scale?")
NOISE = (0.99, 1.0, 1.01, 0.995, 1.005, 1.0, 0.985, 1.015)


def trial(workers, seconds, applications=5, shape=None, **changes):
    """A trial whose applications take about `seconds`; `shape` holds what differs from one core a worker."""
    own = changes.pop("made", {})
    made = [application(n, [9.0, seconds * NOISE[n]], **own) for n in range(applications)]
    size = {"workers": workers, "cores": 1, "memory": "1g", **(shape or {})}
    values = {**under("shape", size), **changes.pop("values", {})}
    return outcome(made, workers, shape=size, values=values, **changes)


def sweep(times, **changes):
    """A trial for each number of workers, with its seconds."""
    return [trial(workers, seconds, **changes) for workers, seconds in times.items()]


def amdahl(serial, *workers, seconds=60.0):
    """Seconds that Amdahl's law gives some numbers of workers."""
    return {n: seconds * (serial + (1 - serial) / n) for n in workers}


def only(outcomes):
    """The one curve that outcomes make."""
    (curve,) = curves(outcomes)
    return curve


def saying(pattern, notes):
    """Those of some notes in which a pattern is found."""
    return [note for note in notes if re.search(pattern, note)]
