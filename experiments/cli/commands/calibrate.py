"""`calibrate`: how often the verdicts of `compare` are wrong, asked of pairs of equal sides."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from cluster import configuration
from core.errors import GATE, OK
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.metric_table import ALL_SECONDS, seconds_name
from experiments.page.finding import UNTITLED, paragraphs
from experiments.studies.compare.calibration import calibrate, findings
from experiments.studies.compare.recorded import recorded, write


def _run(given: Namespace) -> int:
    run_dir = configuration.load(given.cluster_set).run_dir
    all_of = recorded(given.names, run_dir, given.metric)
    found = calibrate(all_of.comparisons)
    print("\n\n".join(paragraphs(findings(found, all_of.left_out), UNTITLED)))
    if given.save:
        write(Path(given.save), given.names, seconds_name(given.metric), all_of.comparisons)
    return OK if found.holds else GATE


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    what = "a spec that was compared with itself (all its comparisons count), or a JSON file of pairs; several are put together"
    parser.add_argument("names", nargs="+", metavar="name", help=what)
    parser.add_argument("--metric", default=ALL_SECONDS.name, help="total_s, or a phase as in fit_s")
    parser.add_argument("--save", metavar="FILE", help="write the pairs to a JSON file that calibrate reads")


COMMAND = Command("false alarms and power of `compare`, from pairs of equal sides", _run, _arguments)
