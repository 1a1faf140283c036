"""Kinds of findings, one file each: the file's name is the key, its FIND the value.

FIND(experiment, outcomes) returns an `experiments.page.finding.Finding`, or None where the trials have no numbers for it.
"""

import pkgutil
from collections.abc import Callable, Sequence
from importlib import import_module

from experiments.page.finding import Finding
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment

FINDINGS: dict[str, Callable[[Experiment, Sequence[Outcome]], Finding | None]] = {
    module.name: import_module(f"{__name__}.{module.name}").FIND for module in pkgutil.iter_modules(__path__)
}
