"""The two sides of a comparison: one trial each, and where its code and its packages come from."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.shape import Shape
from core.errors import UsageError
from experiments.record.run_tags import as_text
from experiments.spec.dotted_names import check_key, flatten, in_set
from experiments.spec.experiment import Experiment
from experiments.spec.loading import need_phases
from experiments.spec.tables import plain
from experiments.spec.trial import Trial

REV, PACKAGE = "rev", "package"
SOURCE = (REV, PACKAGE)
"""What a side may be given beside values of the spec: whose code runs."""
WORKING_TREE = (".", "worktree")
NAMES = ("baseline", "contender")
_SPLIT = ("split", "test", "split_seed", "n", "fold")


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        name: "baseline" or "contender".
        given: what was asked for on the command line.
        trial: what is measured.
        rev: a git revision; None for the working tree.
        package: NAME==VERSION in place of the installed one; None for the packages as they are.
    """

    name: str
    given: Mapping[str, Any]
    trial: Trial
    rev: str | None = None
    package: str | None = None

    @property
    def words(self) -> str:
        """Description of this side."""
        return " ".join(f"{key}={as_text(value)}" for key, value in self.given.items()) or "as in the spec"


def sides_of(
    experiment: Experiment,
    sets: Mapping[str, Any],
    baseline: Mapping[str, Any],
    contender: Mapping[str, Any],
    default: Shape,
) -> tuple[Side, Side]:
    """Make one trial of a spec for each side.

    Args:
        experiment: whose grid is reduced.
        sets: values that both sides share, in place of the spec's.
        baseline: values of that side alone; `rev` and `package` are not the spec's but say whose code runs.
        contender: the same of the other.
        default: fills in what no key says of the shape.

    Raises:
        UsageError: an unknown key, or more than one trial left.
    """
    need_phases(experiment)
    for key in SOURCE:
        if key in sets:
            raise UsageError(
                f"{key} must be given to one side, not by --set: --baseline {key}=... or --contender {key}=..."
            )
    common = fixed(experiment, sets)
    pair = [
        _side(common, name, given, default) for name, given in zip(NAMES, (baseline, contender), strict=True)
    ]
    _same_test_rows(*(side.trial for side in pair))
    partitions = max(side.trial.partitions for side in pair)
    first, second = (
        dataclasses.replace(side, trial=dataclasses.replace(side.trial, partitions=partitions))
        for side in pair
    )
    return first, second


def fixed(experiment: Experiment, values: Mapping[str, Any]) -> Experiment:
    """Return an experiment in which these keys have these values, whatever its grid and its models' tables say.

    The sides of a comparison never share an application, whatever the spec says.

    Raises:
        UsageError: an unknown key.
    """
    what = f"experiment {experiment.name}"
    flat = flatten(values, what, in_set, job=experiment.job)
    for key in flat:
        check_key(key, experiment.job, what)
    names = {plain(key) for key in flat}
    kept, grid = (
        {key: value for key, value in old.items() if plain(key) not in names}
        for old in (experiment.fixed, experiment.grid)
    )
    return dataclasses.replace(
        experiment, fixed={**kept, **flat}, grid=grid, comparisons=(), means=(), shared=False
    )


def _side(experiment: Experiment, name: str, given: Mapping[str, Any], default: Shape) -> Side:
    own = {key: value for key, value in given.items() if key not in SOURCE}
    trials = fixed(experiment, own).trials(default)
    if len(trials) > 1:
        open_ = [key for key, values in experiment.grid.items() if len(values) > 1 and key not in own]
        raise UsageError(
            f"{experiment.name} has {len(trials)} trials, but a comparison needs one a side: fix "
            f"{' and '.join(open_)}, for example --set {open_[0]}={experiment.grid[open_[0]][0]}"
        )
    rev = given.get(REV)
    package = given.get(PACKAGE)
    return Side(
        name=name,
        given=dict(given),
        trial=trials[0],
        rev=None if rev is None or str(rev) in WORKING_TREE else str(rev),
        package=None if package is None else str(package),
    )


def _same_test_rows(first: Trial, second: Trial) -> None:
    """Refuse parameters that would judge the sides on different rows; their data is compared after preparing it."""
    for key in _SPLIT:
        if first.params.get(key) != second.params.get(key):
            one, other = (
                f"job.{key}={trial.params[key]}" if key in trial.params else f"the default of job.{key}"
                for trial in (first, second)
            )
            raise UsageError(
                f"job.{key} differs between the sides, so they would be judged on different test rows and could not be "
                f"compared; give both the same (now {one} and {other})"
            )
