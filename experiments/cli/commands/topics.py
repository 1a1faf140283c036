"""`topics`: what Kafka's topics hold, and how far each stream has read them."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cluster import configuration
from cluster.lifecycle import Cluster
from core.text_tables import columns
from datasets.topics.admin import Held, administered
from datasets.topics.connection import Connection
from datasets.topics.declared import topics
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from jobs.streaming.offsets import Ends, checkpoints, committed

_OF_TOPICS = ("topic", "partitions", "messages", "stay", "lag")
_OF_PARTITIONS = ("topic", "partition", "first", "end", "messages", "stay", "lag")


def read_so_far(streams: Path) -> dict[str, Ends]:
    """Return how far each query has read, by "stream/query": what its checkpoint says is done.

    Args:
        streams: folder of the streams' checkpoints.
    """
    return {
        stream if stream == query else f"{stream}/{query}": committed(checkpoint)[1]
        for stream, query, checkpoint in checkpoints(streams)
    }


def listing(held: Sequence[Held], read: Mapping[str, Ends], *, partitions: bool) -> Iterator[str]:
    """Yield a table of topics, or of their partitions.

    Args:
        held: what each partition holds.
        read: how far each query has read, by its name.
        partitions: whether each partition has a line of its own.
    """
    names = sorted({one.topic for one in held})
    of_topics = [[one for one in held if one.topic == name] for name in names]
    if partitions:
        each = [one for group in of_topics for one in group]
        lines: list[Sequence[str]] = [
            (one.topic, str(one.partition), f"{one.first:,}", f"{one.end:,}", *_state([one], read))
            for one in each
        ]
        yield from columns([_OF_PARTITIONS, *lines], right={1, 2, 3, 4})
    else:
        lines = [(group[0].topic, str(len(group)), *_state(group, read)) for group in of_topics]
        yield from columns([_OF_TOPICS, *lines], right={1, 2})


def _state(held: Sequence[Held], read: Mapping[str, Ends]) -> tuple[str, str, str]:
    """Write how many messages some partitions of a topic hold, how long they stay, and who has not read them yet."""
    name = held[0].topic
    messages = sum(one.end - one.first for one in held)
    return f"{messages:,}", topics()[name].retention if name in topics() else "not declared", _lag(held, read)


def _lag(held: Sequence[Held], read: Mapping[str, Ends]) -> str:
    """Write the messages that each query still has before it."""
    shown = []
    for query, ends in read.items():
        mine = [one for one in held if (one.topic, one.partition) in ends]
        if mine:
            left = sum(max(0, one.end - max(ends[one.topic, one.partition], one.first)) for one in mine)
            shown.append(f"{query} {left:,}")
    return ", ".join(shown) or "-"


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    addresses = Cluster(settings).ensure("kafka")
    with administered(Connection.of(addresses)) as broker:
        made = broker.make(topics().values())
        held = broker.held(broker.names())
    if made:
        print(f"made {', '.join(made)}")
    print(
        "\n".join(listing(held, read_so_far(settings.run_dir / "streams"), partitions=arguments.partitions))
    )
    return 0


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument(
        "--partitions", action="store_true", help="a line for each partition, with its offsets"
    )


COMMAND = Command(
    "Kafka's topics with their offsets and the lag of each stream; missing ones are made", _run, _arguments
)
