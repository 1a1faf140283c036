"""`gate`: is the working tree slower or worse than a revision?"""

from argparse import ArgumentParser, Namespace

from core.errors import GATE, OK, RecscaleError
from experiments.cli.commands import Command
from experiments.cli.compared import arguments, compared
from experiments.studies.compare.gate import closing, usable


def _run(given: Namespace) -> int:
    """Its last line says whether the contender may pass."""
    usable(given.tolerance, given.quality_tolerance, given.pairs)
    try:
        found = compared(given, [f"rev={given.base}"], [f"rev={given.contender}"])
    except RecscaleError as error:
        print(f"gate: no verdict: {str(error).splitlines()[0]}", flush=True)
        raise
    failures = found.failures(given.tolerance, given.quality_tolerance)
    print(closing(found, failures, given.tolerance), flush=True)
    return GATE if failures else OK


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", nargs="?", default="gate", help="name or path of a spec (default gate)")
    arguments(parser)
    parser.add_argument("--base", required=True, help="git revision that it must not fall behind")
    parser.add_argument("--contender", default="worktree", help="git revision (default: the working tree)")
    what = "share of {} that may be lost (0.05 is 5%%); the whole interval must lie beyond it to fail (default 0)"
    parser.add_argument("--tolerance", type=float, default=0.0, help=what.format("time"))
    parser.add_argument("--quality-tolerance", type=float, default=0.0, help=what.format("quality"))


COMMAND = Command("exit with 4 if the working tree is slower or worse than a revision", _run, _arguments)
