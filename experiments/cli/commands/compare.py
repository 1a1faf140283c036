"""`compare`: is one variant of a trial faster or better than another?"""

from argparse import ArgumentParser, Namespace

from experiments.cli.commands import Command
from experiments.cli.compared import arguments, compared


def _run(given: Namespace) -> int:
    compared(given, given.baseline, given.contender)
    return 0


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", help="name of an experiment that ships, or the path of a TOML file")
    arguments(parser)
    what = (
        "what the {} is: a value of the spec (model.rank=64), spark.<setting>, rev=<git revision> or package=NAME==VERSION; may be "
        "repeated"
    )
    for side in ("baseline", "contender"):
        parser.add_argument(
            f"--{side}", action="append", default=[], metavar="KEY=VALUE", help=what.format(side)
        )


COMMAND = Command("set two variants side by side, application by application", _run, _arguments)
