"""`freshness`: how soon after a like the list of its person has it, through the stream and made at read."""

import dataclasses
from argparse import ArgumentParser, Namespace

from cluster import configuration
from core.errors import OK, UsageError
from core.units import duration, positive
from experiments.cli import arguments as shared
from experiments.cli import measured_stream
from experiments.cli.commands import Command
from experiments.report.freshness import answer, report_of
from experiments.studies.freshness.record import NAME, record
from experiments.studies.freshness.trials import FILE, Effort, Found, keep, measure

_SIZES = {
    "rounds": "of both ways", "people": "who like", "history": "likes of each before", "items": "of the invented model", "rank": "of it",
}  # fmt: skip


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    sizes = {name: getattr(arguments, name) for name in _SIZES}
    for name, value in sizes.items():
        if value < 1:
            raise UsageError(f"--{name} must be 1 or more, got {value}")
    if sizes["history"] > sizes["items"]:
        raise UsageError(f"--history must be at most --items ({sizes['items']}), got {sizes['history']}")
    effort = Effort(
        rate=positive(arguments.rate, "--rate"),
        lake_rate=positive(arguments.lake_rate, "--lake-rate"),
        warmup_s=duration(arguments.warmup, "--warmup"),
        measured_s=duration(arguments.measured, "--measured"),
        **sizes,
    )
    place = settings.run_dir / "experiments" / NAME
    noted = measured_stream.keeper(settings, keep, place)
    found: Found = noted(measure(settings, effort, place / "work", noted))
    kept = place / FILE
    measured_stream.finish(
        settings,
        report_of(found),
        kept,
        lambda uri, files: record(found, settings, uri, answer(found), [kept, files[0]]),
    )
    return OK


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    usual = {one.name: one.default for one in dataclasses.fields(Effort)}
    parser.add_argument("--rate", default=f"{usual['rate']:g}", help="likes a second (%(default)s)")
    parser.add_argument(
        "--lake-rate",
        default=f"{usual['lake_rate']:g}",
        help="ratings a second for the lake meanwhile (%(default)s)",
    )
    parser.add_argument("--warmup", default="60s", help="of each trial (%(default)s)")
    parser.add_argument("--measured", default="120s", help="of each trial (%(default)s)")
    for name, what in _SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=usual[name], help=f"{what} (%(default)s)")


COMMAND = Command("measure how soon a list has what a person just liked", _run, _arguments)
