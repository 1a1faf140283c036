"""`calibrate`: how often the verdicts of `compare` are wrong, asked of pairs of equal sides."""

from argparse import ArgumentParser, Namespace

from cluster import settings as cluster_settings
from experiments import arguments as shared
from experiments.analysis import phase_of
from experiments.command import Command
from experiments.exits import GATE
from experiments.pairs.calibration import answer, calibrate, recorded, table
from experiments.tables import as_text


def _run(given: Namespace) -> int:
    run_dir = cluster_settings.load(given.cluster_set).run_dir
    found = calibrate(recorded(given.name, run_dir, phase_of(given.metric)))
    print(f"{answer(found)}\n\n{as_text(table(found))}")
    return 0 if found.holds else GATE


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument("name", help="a spec that was compared with itself, or a JSON file of pairs")
    parser.add_argument("--metric", default="total_s", help="total_s, or phase.<name>_s")


COMMAND = Command("false alarms and power of `compare`, from pairs of equal sides", _run, _arguments)
