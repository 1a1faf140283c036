"""`stream`: queries from Kafka into the lake and Cassandra."""

import logging
from argparse import ArgumentParser, Namespace
from typing import Any

from cluster import configuration
from cluster.settings import Settings
from core.errors import UsageError
from core.options import nearest, pairs
from core.units import duration
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.results.events import Event
from experiments.run.stream_recording import Recordings
from experiments.run.streams import Asked, run
from jobs.apps.stream import StreamParams

logger = logging.getLogger(__name__)

_FIXED = ("streams", "brokers", "folder", "options", "drain", "begin")


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    names = [name.strip() for name in arguments.names.split(",") if name.strip()]
    params, options = _values(arguments.set, names)
    if arguments.trigger is not None:
        params["trigger_s"] = duration(arguments.trigger, "TRIGGER") if arguments.trigger != "0" else 0
    asked = Asked(
        names,
        arguments.stream_cores,
        arguments.stream_memory,
        arguments.drain,
        {**params, "options": options},
    )
    recordings = Recordings(settings, asked)
    try:
        with recordings:
            launched = run(settings, asked, _tell, recordings=recordings)
        for name, count in launched.result.counts.items():
            print(f"{name.removeprefix('messages.')}: {count:,} messages in {launched.seconds:.1f} s")
    except KeyboardInterrupt:
        print("stopped; the same command goes on from there")
    finally:
        if recordings.command:  # it came as far as to start something
            _page(settings, recordings)
    return 0


def _page(settings: Settings, recordings: Recordings) -> None:
    """Write the page of what was started."""
    from experiments.report.streams import find, report_of, write  # noqa: PLC0415 - it takes seconds, for which no stream waits

    try:
        run, name = find(settings, attempt=recordings.command)
        write(settings, run, report_of(run, name), recorded=recordings.whole)
    except (OSError, UsageError) as error:  # it must not hide how the stream ended
        logger.error("no page of the stream: %s", error)


def _values(texts: list[str], names: list[str]) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Return the job's parameters (`stream.most=...`) and each stream's options (`lake.topics=...`)."""
    known = sorted({*StreamParams.__dataclass_fields__} - {*_FIXED})
    params: dict[str, Any] = {}
    options: dict[str, dict[str, str]] = {}
    for key, value in pairs(texts, "--set", "stream.most=100000").items():
        table, _, name = key.partition(".")
        if table == "stream" and name in known:
            params[name] = value
        elif table in names and name:
            options.setdefault(table, {})[name] = value
        else:
            raise UsageError(
                f"unknown key {key!r} of stream: {nearest(key, [*(f'stream.{one}' for one in known), *(f'{one}.<option>' for one in names)])}"
            )
    return params, options


def _tell(event: Event) -> None:
    if event["event"] == "batch":
        logger.info(
            "%s batch %d: %s messages in %.1f s",
            event["query"],
            event["batchId"],
            f"{event['numInputRows']:,}",
            event["batchDuration"] / 1000,
        )
    elif event["event"] == "lag" and event["messages"]:
        logger.info(
            "%s is %s messages behind, %.1f s", event["query"], f"{event['messages']:,}", event["seconds"]
        )
    elif event["event"] == "query_failed":
        logger.warning("%s failed (%d): %s", event["query"], event["failures"], event["error"])
    elif event["event"] == "loss":
        logger.warning("lost: %s", event["text"])


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument("names", help="streams, with commas between: lake, or lake,feedback")
    parser.add_argument("--stream-cores", type=int, default=1, help="cores of all workers that it may use")
    parser.add_argument("--stream-memory", default="1g", help="memory of each of its executors")
    parser.add_argument("--drain", action="store_true", help="end when what Kafka holds at the start is done")
    parser.add_argument(
        "--trigger", help="time between the starts of two micro-batches, as 10s; 0 for one after another"
    )
    what = "a value, as stream.most=100000 or lake.topics=ratings; may be repeated"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=what)
    parser.add_argument(
        "--sets",
        dest="set",
        action="extend",
        type=shared.split_sets,
        metavar="TEXT",
        help="several of them in one text",
    )


COMMAND = Command("run streams from Kafka into the lake and Cassandra", _run, _arguments)
