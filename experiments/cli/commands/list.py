"""`list`: which experiments ship."""

from argparse import ArgumentParser, Namespace

from core.text_tables import hanging
from experiments.cli.commands import Command
from experiments.spec import loading as spec


def _run(_arguments: Namespace) -> int:
    rows = [[name, spec.load(name).question] for name in spec.names()]
    width = max(len(name) for name, _ in rows)
    for name, question in rows:
        print(hanging(name, question, width + 2))
    return 0


def _arguments(_parser: ArgumentParser) -> None:
    pass


COMMAND = Command("name the experiments that ship", _run, _arguments)
