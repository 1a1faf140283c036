"""`plan`: choose a few cheap runs from an experiment's grid, and run them, so that larger ones can be predicted."""

import logging
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from cluster import configuration
from cluster.shape import default_shape
from core.errors import JobError
from core.units import duration, time_text
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.page.text_tables import as_text
from experiments.report.show import finish
from experiments.results.outcome import Application
from experiments.run.environment import host
from experiments.run.harness import Harness
from experiments.run.progress import Progress
from experiments.run.runner import Sweep
from experiments.spec import loading as spec
from experiments.spec.trial import Trial
from experiments.studies.capacity.planner import Candidates, Pilot, Plan, plan
from experiments.studies.capacity.points import expected_rows
from experiments.studies.capacity.record import recorded

logger = logging.getLogger(__name__)

BUDGET = "15m"


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    budget = duration(arguments.budget, "the budget")
    experiment = spec.with_effort(spec.load(arguments.name), arguments.applications, arguments.repeats)
    path = Path(arguments.name) if arguments.name.endswith(".toml") else spec.SPECS / f"{arguments.name}.toml"
    candidates = Candidates.of(experiment, default_shape(settings), host()["host.cores"])
    text = path.read_text(encoding="utf-8")
    pilots = [candidates.trials[index] for index in candidates.pilots()]
    logger.info(
        "two pilots first, to learn what runs cost here: %s", " and ".join(trial.label for trial in pilots)
    )
    with Harness(settings) as harness:
        sweep, status = _sweep(candidates, pilots, harness, text)
        if status != "ok":
            raise JobError("the plan cannot go on without its pilots; see above, then run make plan again")
        chosen = plan(candidates, _measured(sweep), budget)
        _explain(chosen, validate=arguments.validate)
        if arguments.choose_only:
            return 0
        wanted = [*chosen.trials, *(candidates.held_out if arguments.validate else ())]
        done = _sweep(candidates, wanted, harness, text)
    return finish(*done)


def _sweep(candidates: Candidates, trials: Sequence[Trial], harness: Harness, text: str) -> tuple[Sweep, str]:
    """Run what is not finished of these trials; they join those that the record lists."""
    sweep = Sweep(candidates.only(trials), harness.settings, Progress(), text, adds=True)
    return sweep, sweep.within(harness)


def _measured(sweep: Sweep) -> list[Pilot]:
    """Return what each trial took, the smaller first."""
    by_key = {outcome.key: outcome for outcome in recorded(sweep.settings, sweep.experiment.name)}
    keyed = sorted(sweep.keyed, key=lambda item: expected_rows(item[1]))
    return [_pilot(by_key[key].measured) for key, _ in keyed]


def _pilot(applications: Sequence[Application]) -> Pilot:
    passes = sum(time.seconds for item in applications for time in item.phases)
    return Pilot(sum(item.seconds for item in applications), passes)


def _explain(chosen: Plan, *, validate: bool) -> None:
    candidates = chosen.candidates
    terms = candidates.terms
    print(f"\n{as_text(chosen.table())}\n")
    for line in (*candidates.remarks, *terms.notes):
        print(f"note: {line}")
    print(
        f"terms: {', '.join(terms.names)}. {len(chosen.chosen)} of {len(candidates.trials)} candidates are run, about "
        f"{time_text(chosen.cost)} of a budget of {time_text(chosen.budget)} (preparing data not counted).\n"
        "Each is the one that adds most to the determinant of the information matrix (D-optimal) for each second it takes."
    )
    if validate:
        print(
            f"held out, to check the model on: {len(candidates.held_out)} run(s), about {time_text(chosen.held_out_cost)} more"
        )
    print()


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    shared.effort(parser)
    parser.add_argument(
        "--budget", default=BUDGET, help=f"time for all chosen runs, for example 30m (default {BUDGET})"
    )
    parser.add_argument(
        "--validate",
        action="store_true",
        help="run what the spec holds out, too, and say how well it was predicted",
    )
    parser.add_argument(
        "--choose-only", action="store_true", help="run the two pilots, say what would be run, and stop"
    )
    shared.name(parser)


COMMAND = Command("choose and run the cheap runs that predict and recommend learn from", _run, _arguments)
