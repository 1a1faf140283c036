"""`list`: which experiments ship."""

from argparse import ArgumentParser, Namespace

from experiments import spec
from experiments.command import Command


def _run(_arguments: Namespace) -> int:
    rows = [[name, spec.load(name).question] for name in spec.names()]
    width = max(len(name) for name, _ in rows)
    for name, question in rows:
        print(f"{name.ljust(width)}  {question}")
    return 0


def _arguments(_parser: ArgumentParser) -> None:
    pass


COMMAND = Command("name the experiments that ship", _run, _arguments)
