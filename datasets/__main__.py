"""`python -m datasets list|fetch|describe|produce`: list the data sets, download one, describe one, send messages to Kafka."""

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import INTERRUPTED, OK, RecscaleError, tell
from core.log import shown
from core.options import pairs
from core.text_tables import columns
from datasets import describe
from datasets.dataset import Dataset, find
from datasets.fetch.download import found
from datasets.sending.command import options, produce
from datasets.session import session
from datasets.source import Source, Variant
from datasets.sources import SOURCES

logger = logging.getLogger(__package__)

_ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parsed = _parser().parse_args(arguments)
    with shown(sys.stderr):
        return _done(parsed)


def _done(parsed: argparse.Namespace) -> int:
    try:
        if parsed.command == "list":
            print("\n".join(_listing(parsed.data, parsed.cache)))
            return OK
        if parsed.command == "produce":
            return produce(parsed)
        dataset = find(parsed.name, pairs(parsed.set, "--set", "rows=1000"))
        path = dataset.fetch(parsed.data, parsed.cache)
        if parsed.command == "fetch":
            print(_fetched(dataset, path))
        else:
            print(_described(dataset, path), end="")
    except RecscaleError as error:
        return tell("datasets", error)
    except KeyboardInterrupt:
        told = (
            "no further messages are sent" if parsed.command == "produce" else "the transferred part is kept"
        )
        logger.error("datasets: interrupted; %s", told)
        return INTERRUPTED
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m datasets", description=__doc__)
    places = argparse.ArgumentParser(add_help=False)
    given = os.environ.get("RECSCALE_DATA")
    places.add_argument(
        "--data",
        type=Path,
        default=Path(given) if given else None,
        help="folder of publishers' unpacked folders; a data set there is not downloaded (default: RECSCALE_DATA)",
    )
    places.add_argument(
        "--cache",
        type=Path,
        default=_ROOT / ".run" / "data",
        help="folder for downloads (default: .run/data)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "list",
        parents=[places],
        help="list all data sets with their rows and licences, and whether they are on this machine",
    )
    for command, what in (("fetch", "download a data set"), ("describe", "fetch a data set and describe it")):
        chosen = commands.add_parser(command, parents=[places], help=what)
        chosen.add_argument("name", metavar="NAME", help="source/variant, as listed")
        chosen.add_argument(
            "--set", action="append", default=[], metavar="K=V", help="reading option; repeatable"
        )
    produced = "send messages to Kafka: invented ones, or a data set's"
    options(commands.add_parser("produce", parents=[places], help=produced, description=produced))
    return parser


def _listing(data: Path | None, cache: Path) -> Iterator[str]:
    rows = [
        (
            f"{name}/{key}",
            f"{variant.rows:,}" if variant.rows else "-",
            _place(source, variant, data, cache),
            variant.description,
        )
        for name, source in SOURCES.items()
        for key, variant in source.variants.items()
    ]
    yield from columns([("data set", "ratings", "here", "description"), *rows], right={1})
    yield ""
    for name, source in SOURCES.items():
        yield f"{name}: {source.licence}"


def _place(source: Source, variant: Variant, data: Path | None, cache: Path) -> str:
    if variant.url is None and variant.page is None:
        return "generated" if source.variants[next(iter(source.variants))].rows else "your file"
    if found(variant, data):
        return "data folder"
    return "downloaded" if found(variant, cache) else "no"


def _fetched(dataset: Dataset, path: Path) -> str:
    return f"{dataset.name}: {path if path.exists() else 'generated when it is read, nothing to fetch'}"


def _described(dataset: Dataset, path: Path) -> str:
    for note in dataset.check(path):
        logger.warning("datasets: warning: %s", note)
    with session() as spark:
        return describe.text(dataset, describe.count(dataset.read(spark, path)))


if __name__ == "__main__":
    sys.exit(main())
