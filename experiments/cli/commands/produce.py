"""`produce`: messages for Kafka, whose broker and topics are seen to first."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from cluster.lifecycle import Cluster
from datasets.sending.command import options, produce
from datasets.topics.admin import make_declared
from datasets.topics.connection import Connection
from experiments.cli import arguments as shared
from experiments.cli.commands import Command


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    if arguments.brokers is None:
        arguments.brokers = ",".join(Cluster(settings).ensure("kafka"))
    make_declared(Connection.of(arguments.brokers.split(",")))
    arguments.data, arguments.cache = settings.data, settings.run_dir / "data"
    return produce(arguments)


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    options(parser)


COMMAND = Command("send messages to Kafka: invented ones, or a data set's", _run, _arguments)
