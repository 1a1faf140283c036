"""`demo`: from nothing to a compared, recorded experiment, with data that can be reached."""

import dataclasses
import logging
import time
from argparse import ArgumentParser, Namespace

from cluster import configuration
from cluster.settings import Settings
from core.errors import RecscaleError, Unreachable
from datasets.dataset import find
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.report.show import finish
from experiments.run.progress import Progress
from experiments.run.runner import Sweep
from experiments.spec import loading as spec
from experiments.spec.experiment import Experiment
from experiments.spec.tables import DATA

logger = logging.getLogger(__name__)

NAME = "demo"
STAND_IN = "synthetic/ml-latest-small"


def demo(arguments: Namespace) -> int:
    """Run the demo; its last line says whether it went well.

    Raises:
        KeyboardInterrupt, and whatever stops an experiment; the last line is printed before.
    """
    begin = time.perf_counter()
    try:
        code = _run(configuration.load(arguments.cluster_set), arguments)
    except KeyboardInterrupt:
        print("demo: failed interrupted", flush=True)
        raise
    except RecscaleError as error:
        print(f"{error}\ndemo: failed {str(error).splitlines()[0]}", flush=True)
        return error.exit_status
    except Exception as error:
        print(f"demo: failed {type(error).__name__}: {error}", flush=True)
        raise
    seconds = time.perf_counter() - begin
    print(
        f"demo: ok {seconds:.0f} s" if code == 0 else "demo: failed some trials failed, see above", flush=True
    )
    return code


def reachable(experiment: Experiment, settings: Settings) -> tuple[Experiment, dict[str, str]]:
    """Return the experiment on data that can be reached, and the tags that say so if another stands in.

    Raises:
        DataError: the data is there but wrong, which no other data should hide.
    """
    wanted = str(experiment.fixed[DATA])
    try:
        find(wanted).fetch(settings.data, settings.run_dir / "data")
    except Unreachable as error:
        logger.warning(
            "%s could not be reached: %s\n%s stands in for it (invented ratings).", wanted, error, STAND_IN
        )
        fixed = {**experiment.fixed, DATA: STAND_IN}
        told = {
            "requested": wanted,
            "fallback": f"stands in for {wanted}, whose publisher could not be reached",
        }
        return dataclasses.replace(experiment, fixed=fixed), told
    return experiment, {}


def _run(settings: Settings, arguments: Namespace) -> int:
    experiment = spec.with_effort(spec.load(NAME), arguments.applications, arguments.repeats)
    experiment, told = reachable(experiment, settings)
    sweep = Sweep(
        experiment, settings, Progress(), (spec.SPECS / f"{NAME}.toml").read_text(encoding="utf-8"), told
    )
    code = finish(sweep, sweep.run())
    print(f"requests, results and logs: {settings.run_dir / 'experiments' / NAME}")
    return code


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    shared.effort(parser, may_share=True)


COMMAND = Command(
    "the main job: models and baselines on 1 and 2 workers, recorded and compared", demo, _arguments
)
