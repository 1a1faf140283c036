"""Runs, records and reports experiments: `python -m experiments COMMAND`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from cluster.errors import ServiceError, SettingsError
from datasets.errors import DataError, UsageError
from experiments import commands
from experiments.demo import demo, exit_code
from jobs.errors import JobError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 when all went well, 1 for a failed trial, 2 for wrong names, 3 for a service, 130 when interrupted."""
    arguments = parser().parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return int(arguments.command(arguments))
    except (ServiceError, SettingsError, DataError, UsageError, JobError) as error:
        print(f"experiments: {error}", file=sys.stderr)
        return exit_code(error)
    except KeyboardInterrupt:
        print(
            "interrupted; what was measured is recorded, the same command goes on from there", file=sys.stderr
        )
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    top = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    sub = top.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, what: str, command: object, *parts: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        made = sub.add_parser(name, help=what, description=what, parents=list(parts))
        made.set_defaults(command=command)
        return made

    where, effort, shape, sets = _where(), _effort(), _shape(), _sets()
    add("list", "name the experiments that ship", commands.list_)
    name = "name of an experiment that ships, or the path of a TOML file"
    add("run", "run what is not finished of an experiment", commands.run, where, effort).add_argument(
        "name", help=name
    )
    made = add("preprocess", "fetch, clean and store a data set", commands.preprocess, where, shape, sets)
    made.add_argument("--dataset", required=True, help="source/variant, for example movielens/1m")
    made = add("train", "run one trial", commands.train, where, effort, shape, sets)
    made.add_argument("--model", required=True, help="for example als")
    made.add_argument("--dataset", required=True, help="source/variant, for example movielens/1m")
    add("report", "tables, pictures and one page from the record", commands.report, where).add_argument(
        "name", help=name
    )
    add(
        "demo",
        "the main job: ALS and baselines on 1 and 2 workers, recorded and compared",
        demo,
        where,
        effort,
    )
    return top


def _where() -> argparse.ArgumentParser:
    part = argparse.ArgumentParser(add_help=False)
    what = "a setting of the cluster, for example spark.master_port=7177; may be repeated"
    part.add_argument("--cluster-set", action="append", default=[], metavar="KEY=VALUE", help=what)
    return part


def _effort() -> argparse.ArgumentParser:
    part = argparse.ArgumentParser(add_help=False)
    part.add_argument(
        "--applications", type=int, help="Spark applications of each trial (5 for a claim, 1 for a look)"
    )
    part.add_argument("--repeats", type=int, help="measured passes of each application")
    return part


def _shape() -> argparse.ArgumentParser:
    part = argparse.ArgumentParser(add_help=False)
    part.add_argument("--workers", type=int, help="how many workers")
    part.add_argument("--cores", type=int, help="cores of each worker")
    part.add_argument("--memory", help="memory of each worker, for example 2g")
    return part


def _sets() -> argparse.ArgumentParser:
    part = argparse.ArgumentParser(add_help=False)
    what = "a parameter, k_core, max_rejected_share, min_rating, max_rating, dataset.<option> or spark.<setting>; may be repeated"
    part.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=what)
    return part


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
