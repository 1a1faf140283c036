"""Plan of the runs that a model of time and memory is fitted to, with the reason for each."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cluster.shape import Shape
from core.errors import UsageError
from core.units import count_text, time_text
from experiments.page.tables import NONE, Table
from experiments.spec.experiment import Experiment
from experiments.spec.trial import Trial
from experiments.studies.capacity.design import choose
from experiments.studies.capacity.fit import LEAST_DEGREES, fit
from experiments.studies.capacity.points import expected_rows, in_full, is_held_out, one_workload, varied
from experiments.studies.capacity.terms import CONSTANT, ROWS_PER_CORE, Load, Terms, time_terms

_SPARE = LEAST_DEGREES + 2
_STEP = 4


@dataclass(frozen=True)
class Candidates:
    """Trials that may be run to fit a model to, and those that are kept to check it.

    Attributes:
        experiment: whose grid they are from; with the partitions of the whole grid, whichever of it is run.
        trials: to fit to; loads: theirs, by the rows that the data should have.
        held_out: to check.
        remarks: trials that cannot be run here, or not cleanly, and why.
        default: fills in the parts of the shape that the spec does not give.
    """

    experiment: Experiment
    trials: tuple[Trial, ...]
    loads: tuple[Load, ...]
    held_out: tuple[Trial, ...]
    remarks: tuple[str, ...]
    default: Shape

    @classmethod
    def of(cls, experiment: Experiment, default: Shape, host_cores: int) -> "Candidates":
        """Sort the trials of a spec.

        Raises:
            UsageError: the grid varies more than rows and shape, or has only one size of data, or its trials share
                applications.
        """
        if experiment.shared:
            raise UsageError(
                f"experiment {experiment.name}: what an application costs is learnt from applications of one trial each, "
                "and these would be shared: give a number of applications (APPLICATIONS=1)"
            )
        one_workload(experiment)
        every = experiment.trials(default)
        fixed = dataclasses.replace(experiment, partitions=every[0].partitions)
        kept, remarks = [], []
        for trial in every:
            if trial.shape.tag(host_cores) == "oversubscribed":
                remarks.append(f"{trial.label}: more worker cores than this host has ({host_cores})")
            else:
                kept.append(trial)
        shared = [trial.label for trial in kept if trial.shape.tag(host_cores) == "shared-host"]
        if shared:
            remarks.append(
                f"{len(shared)} candidates use all {host_cores} cores of this host, which driver and servers need, too (shared-host): they look slower than on machines of their own"
            )
        held_out = tuple(trial for trial in kept if is_held_out(experiment, trial.flat))
        trials = tuple(trial for trial in kept if not is_held_out(experiment, trial.flat))
        loads = tuple(Load.of(expected_rows(trial), trial.shape) for trial in trials)
        sizes = {load.rows for load in loads}
        if len(sizes) < 2:
            raise UsageError(
                f"experiment {experiment.name}: its grid has {len(sizes)} size(s) of data to fit a model to, and 2 are needed; name several "
                "rows (data.rows of a synthetic set) or shares (clean.sample of any other) in it"
            )
        return cls(fixed, trials, loads, held_out, tuple(remarks), default)

    @property
    def terms(self) -> Terms:
        """Terms that all candidates together can tell apart."""
        return time_terms(self.loads)

    def pilots(self) -> tuple[int, int]:
        """Return the places of two trials from which the others' costs are estimated: the cheapest, and one of four times its rows."""
        order = sorted(range(len(self.loads)), key=lambda n: (self.loads[n].rows, -self.loads[n].cores))
        first = self.loads[order[0]]
        larger = [n for n in order if self.loads[n].rows > first.rows and self.loads[n].cores == first.cores]
        larger = larger or [n for n in order if self.loads[n].rows > first.rows]
        enough = [n for n in larger if self.loads[n].rows >= _STEP * first.rows]
        return order[0], (enough or larger[-1:])[0]

    def only(self, trials: Sequence[Trial]) -> Experiment:
        """Return the experiment with these trials alone."""
        keep = [self.selection(trial) for trial in trials]
        every = [self.selection(trial) for trial in self.experiment.trials(self.default)]
        rest = [selection for selection in every if selection not in keep]
        return dataclasses.replace(self.experiment, exclude=(*self.experiment.exclude, *rest))

    def selection(self, trial: Trial) -> Mapping[str, Any]:
        """Return the values of the grid's keys that tell a trial from the others."""
        values = in_full(trial.flat)
        return {key: values[key] for key in varied(self.experiment) if key in values}


@dataclass(frozen=True)
class Pilot:
    """Seconds of a trial: all of its applications together, and their passes alone."""

    seconds: float
    passes: float


@dataclass(frozen=True)
class Plan:
    """The chosen runs.

    Attributes:
        chosen: places among the candidates, in the order of choice, pilots first.
        gains: what each chosen candidate added to the logarithm of the determinant.
        costs: estimated seconds of every candidate.
        budget: seconds.
        held_out_cost: estimated seconds of the held-out runs, which the budget does not cover.
    """

    candidates: Candidates
    chosen: tuple[int, ...]
    gains: Mapping[int, float]
    costs: tuple[float, ...]
    budget: float
    held_out_cost: float

    @property
    def trials(self) -> list[Trial]:
        """The chosen trials."""
        return [self.candidates.trials[index] for index in self.chosen]

    @property
    def cost(self) -> float:
        """Estimated seconds of the chosen runs together."""
        return sum(self.costs[index] for index in self.chosen)

    def table(self) -> Table:
        """Return one row a candidate: its estimated time, and whether and why it was chosen."""
        rows = []
        for index in sorted(
            range(len(self.costs)),
            key=lambda n: (self.candidates.loads[n].rows, self.candidates.loads[n].cores),
        ):
            load = self.candidates.loads[index]
            gain = f"{self.gains[index]:.2f}" if index in self.gains and not self._pilot(index) else NONE
            rows.append(
                [self.candidates.trials[index].label, count_text(load.rows), count_text(load.cores),
                 time_text(self.costs[index]), gain, self._why(index)]
            )  # fmt: skip
        return Table(["candidate", "rows", "cores", "about", "information", "choice"], rows)

    def _pilot(self, index: int) -> bool:
        return index in self.candidates.pilots()

    def _why(self, index: int) -> str:
        if self._pilot(index):
            return f"{_nth(self.chosen.index(index))}: pilot, from which the others' costs are estimated"
        if index in self.chosen:
            return f"{_nth(self.chosen.index(index))}: most information for its time"
        left = self.budget - self.cost
        return "too expensive for the rest of the budget" if self.costs[index] > left else "adds little"


def plan(candidates: Candidates, pilots: Sequence[Pilot], budget: float) -> Plan:
    """Choose four more candidates than there are terms, if the budget allows.

    Args:
        candidates: to choose from.
        pilots: measured seconds of the two pilots, the smaller first.
        budget: seconds for all chosen runs, pilots included.

    Raises:
        UsageError: the budget is too small for enough runs.
    """
    terms = candidates.terms
    costs = estimated(candidates, pilots, candidates.trials)
    for index, pilot in zip(candidates.pilots(), pilots, strict=True):
        costs[index] = pilot.seconds
    most = len(terms.chosen) + _SPARE
    found = choose(terms.columns(candidates.loads), costs, budget, most, candidates.pilots())
    least = len(terms.chosen) + 1
    if len(found) < least:
        cheapest = sum(sorted(costs)[:least])
        raise UsageError(
            f"a budget of {time_text(budget)} is enough for {len(found)} runs, but {len(terms.chosen)} terms "
            f"({', '.join(terms.names)}) need at least {least}; give at least --budget {math.ceil(cheapest / 60) + 1}m"
        )
    return Plan(
        candidates,
        tuple(choice.index for choice in found),
        {choice.index: choice.gain for choice in found},
        tuple(costs),
        budget,
        sum(estimated(candidates, pilots, candidates.held_out)),
    )


def estimated(candidates: Candidates, pilots: Sequence[Pilot], trials: Sequence[Trial]) -> list[float]:
    """Estimate the seconds of trials from those of the two pilots, rather too high than too low.

    The larger of two estimates: a constant and rows/cores through both pilots, and the larger pilot with its passes
    growing with rows/cores. Two runs on a busy host may show no growth at all, which would make the largest run look cheap.
    """
    guess = Terms((CONSTANT, ROWS_PER_CORE))
    known = [candidates.loads[index] for index in candidates.pilots()]
    found = fit(guess.columns(known), np.array([[pilot.seconds] for pilot in pilots])).coefficients[:, 0]
    last, unit = pilots[-1], known[-1].rows / known[-1].cores
    loads = [Load.of(expected_rows(trial), trial.shape) for trial in trials]
    return [
        max(
            float(found[0] + found[1] * load.rows / load.cores),
            last.seconds - last.passes + last.passes * load.rows / load.cores / unit,
        )
        for load in loads
    ]


def _nth(place: int) -> str:
    return {0: "1st", 1: "2nd", 2: "3rd"}.get(place, f"{place + 1}th")
