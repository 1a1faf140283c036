"""Binding of a checkpoint to its query: who it belongs to, that one process uses it, and that Kafka still fits to it."""

import fcntl
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import JobError
from core.files import read_json, write_json
from datasets.topics.admin import Held
from jobs.streaming import offsets

FILE, CHECKPOINT, LOCK = "binding.json", "checkpoint", "lock"

ANEW = (
    "move the folders streams and lake of the run folder away together and whole (dead letters and erasures of all topics lie there by "
    "their offsets), or start with RECSCALE_RUN_DIR=/folder"
)
"""Ways to begin anew and keep the old rows."""


@dataclass(frozen=True)
class Fingerprint:
    """Everything that the state in a checkpoint depends on.

    Attributes:
        stream, query, topic: names.
        topic_id: identifier that Kafka gave the topic when it was made.
        settings: the query's own, and the number of shuffle partitions, which a checkpoint fixes.
    """

    stream: str
    query: str
    topic: str
    topic_id: str
    settings: Mapping[str, str]

    def values(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**vars(self), "settings": dict(sorted(self.settings.items()))}


def identity(home: Path) -> str:
    """Return the identifier that the checkpoint got when it was bound.

    Raises:
        JobError: it is not bound.
    """
    kept = read_json(home / FILE)
    if kept is None:
        raise JobError(
            f"{home / FILE} cannot be read: put it back from a copy, or move {home} away to begin anew"
        )
    return str(kept["identity"])


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Hold a query's folder for this process.

    Raises:
        JobError: another process has it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JobError(
                f"the checkpoint {home / CHECKPOINT} is in use by another application: stop it (Ctrl-C where it runs), or start "
                "this one with a run folder of its own (RECSCALE_RUN_DIR=/folder). Two on one checkpoint would lose messages"
            ) from None
        yield


def bind(home: Path, now: Fingerprint) -> None:
    """Bind a new checkpoint to a query, or see that it is the query's own.

    A checkpoint that was taken away gets a new identity: tables have taken the batches of the old one by their numbers, and would
    pass over new ones.

    Raises:
        JobError: it belongs to another query, to a topic that was made anew, or nobody knows to whom.
    """
    kept = read_json(home / FILE)
    begun = (home / CHECKPOINT / "metadata").exists()
    if kept is None or not begun:
        if begun:
            raise JobError(
                f"{home / CHECKPOINT} is a checkpoint without {FILE}, which says whose it is: put that file back from a copy, or "
                f"move {home} away to begin anew"
            )
        write_json(home / FILE, {"identity": uuid.uuid4().hex, **now.values()})
        return
    wanted = now.values()
    if kept.get("topic") == now.topic and kept.get("topic_id") != now.topic_id:
        raise JobError(
            f"the topic {now.topic} was made anew since {home / CHECKPOINT} was begun (Kafka's identifier was {kept.get('topic_id')} and "
            f"is {now.topic_id}): offsets count from 0 again, and what was read has the same ones. To keep the old rows, {ANEW}"
        )
    different = [name for name in wanted if kept.get(name) != wanted[name]]
    if different:
        told = "; ".join(f"{name} was {kept.get(name)!r} and is {wanted[name]!r}" for name in different)
        raise JobError(
            f"{home / CHECKPOINT} belongs to another query: {told}. Start the query with what it had, or move {home} away to begin anew"
        )


def check_offsets(home: Path, topic: str, there: list[Held], *, accept_loss: bool = False) -> list[str]:
    """See that Kafka still holds what comes next; return what was lost, a sentence for each partition, if that is accepted.

    Raises:
        JobError: messages expired before they were read, or a partition holds fewer than were read.
    """
    _, ends = offsets.committed(home / CHECKPOINT)
    lost = []
    for one in there:
        end = ends.get((one.topic, one.partition))
        if end is None:
            continue
        if end > one.end:
            raise JobError(
                f"{topic}-{one.partition} ends at offset {one.end:,}, but messages to {end:,} were read: a broker lost messages that it had "
                f"acknowledged. The lake has them. To go on, restore the broker's data, or {ANEW}"
            )
        if end < one.first:
            lost.append(
                f"{topic}-{one.partition}: offsets {end:,} to {one.first - 1:,} expired before they were read"
            )
    if lost and not accept_loss:
        raise JobError(
            f"{'; '.join(lost)}. They are lost. To go on with what is left, start once with accept_loss=true "
            "(make stream STREAM_SET=stream.accept_loss=true), and give the topic a longer retention (datasets/topics/topics.toml)"
        )
    return lost
