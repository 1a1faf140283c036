"""Kinds of findings, one file each: the file's name is the key, its FIND the value.

FIND(experiment, outcomes) returns an `experiments.page.finding.Finding`, or None where the trials have no numbers for it.
"""

from collections.abc import Callable, Sequence

from core.plugins import Plugins
from experiments.page.finding import Finding
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment

FINDINGS: Plugins[Callable[[Experiment, Sequence[Outcome]], Finding | None]] = Plugins(
    __name__, __path__, "FIND"
)
