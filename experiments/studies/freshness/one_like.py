"""One like, and the list of its person before and after it."""

import json
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cluster.lifecycle import Cluster
from cluster.settings import Settings
from core.errors import JobError
from core.units import time_text
from datasets.sending.client import connected
from datasets.topics.admin import administered
from datasets.topics.connection import Connection as ToKafka
from experiments.page.tables import Table
from experiments.run.stores import spark_settings_of
from experiments.run.streams import Asked, kafka
from experiments.studies.freshness.streaming import Follower, streaming
from jobs.engine import list_files
from jobs.stores.cassandra.access import Connection, Keyspace
from jobs.stores.cassandra.feedback import KEYSPACE, Through
from jobs.stores.cassandra.lists import LISTS, Listed, People

TOPIC = "events"

_PATIENCE_S = 120.0
_LOOK_S = 0.01
_READ_S = 0.5


@dataclass(frozen=True)
class Liked:
    """Result of a like.

    Attributes:
        user: who likes; item: what.
        before, after: their lists.
        acknowledged_s, listed_s: seconds from the sending to Kafka's acknowledgement, and to the first read of a list that has it.
    """

    user: str
    item: str
    before: Listed
    after: Listed
    acknowledged_s: float
    listed_s: float

    def table(self) -> Table:
        """Return both lists side by side, and why each item of the second is there."""
        one, two = (listed.recommended.entries for listed in (self.before, self.after))
        known = {entry.item for entry in one}
        rows = [
            [
                str(place + 1),
                one[place].item if place < len(one) else "",
                f"{two[place].item}{'' if two[place].item in known else ' (new)'}"
                if place < len(two)
                else "",
                "; ".join(map(_why, two[place].reasons)) if place < len(two) else "",
            ]
            for place in range(max(len(one), len(two)))
        ]
        return Table(["", "before", "after", "why"], rows)

    @property
    def new(self) -> int:
        """Number of items that were not in the list before."""
        known = {entry.item for entry in self.before.recommended.entries}
        return sum(entry.item not in known for entry in self.after.recommended.entries)

    @property
    def told(self) -> str:
        """The like in one sentence."""
        return (
            f"{self.user} likes {self.item}: {self.new} of {len(self.after.recommended.entries)} items of the list are new "
            f"{time_text(self.listed_s)} after it was sent (acknowledged after {time_text(self.acknowledged_s)})"
        )


def _why(reason: tuple[str, str | None, float]) -> str:
    code, item, weight = reason
    return f"{code} {item or ''}".strip() + f" {weight:.0%}"


def like(settings: Settings, model: Path, seed: int = 1) -> Liked:
    """Let the stream `refresh` make everybody's list, then let somebody like the first item of theirs.

    Args:
        settings: where the cluster is.
        model: folder of the exported model.
        seed: of the choice of the person.

    Raises:
        JobError: the stream failed, nobody has a list, or the list did not change.
    """
    cluster = Cluster(settings)
    brokers = kafka(cluster, {"cassandra"})
    connection = ToKafka.of(brokers)
    where = Connection.of(spark_settings_of("cassandra", settings, cluster.ensure("cassandra"), ""))
    version = list_files.read(model).version
    asked = Asked(["refresh"], params={"options": {"refresh": {"model": str(model.resolve())}}})
    with streaming(settings, {"refresh": asked}) as followers:
        _caught_up(followers["refresh"], connection)
        people, keyspace = People(where), Keyspace(where, KEYSPACE)
        users = keyspace.run(f"SELECT user FROM {keyspace.name}.{LISTS.name} LIMIT 1000")
        if not users:
            raise JobError(
                "nobody has a list, though the stream refresh has read all events: see its log in streaming/"
            )
        user = random.Random(seed).choice(sorted(row["user"] for row in users))  # noqa: S311 - not for secrets
        (before,) = people.lists([user], version)
        if before is None or not before.recommended.entries:
            raise JobError(f"{user} has no list of version {version} of the model in {model}")
        item = before.recommended.entries[0].item
        sent = time.perf_counter()
        through = _send(connection, user, item)
        acknowledged = time.perf_counter()
        after = _listed(people, user, version, through)
        return Liked(user, item, before, after, acknowledged - sent, time.perf_counter() - sent)


def _caught_up(follower: Follower, connection: ToKafka) -> None:
    """Wait until the stream has read what is in its topic."""
    with administered(connection) as broker:
        ends = {(one.topic, one.partition): one.end for one in broker.held([TOPIC])}
    end = time.monotonic() + _PATIENCE_S
    while any(follower.read.get(place, 0) < offset for place, offset in ends.items()):
        if time.monotonic() > end:
            raise JobError(
                f"the stream refresh has not read all events after {_PATIENCE_S:.0f} s: see its log in streaming/"
            )
        time.sleep(_READ_S)


def _send(connection: ToKafka, user: str, item: str) -> Through:
    """Send a like; return its place when Kafka has it."""
    now = time.time_ns() // 1_000_000
    value = {"id": f"like-{now}", "user": user, "item": item, "type": "like", "timestamp": now}
    places: list[Through] = []
    errors: list[str] = []

    def delivered(error: object, message: object) -> None:
        if error is None:
            places.append(Through(message.partition(), message.offset()))  # type: ignore[attr-defined]
        else:
            errors.append(str(error))

    producer = connected(connection, [TOPIC], _PATIENCE_S, **{"linger.ms": 0})
    producer.produce(TOPIC, json.dumps(value).encode(), user.encode(), on_delivery=delivered)
    producer.flush(_PATIENCE_S)
    if not places:
        raise JobError(f"Kafka did not take a like of {user}: {'; '.join(errors) or 'no answer'}")
    return places[0]


def _listed(people: People, user: str, version: str, through: Through) -> Listed:
    """Return the list when it has the message, as a reader sees it."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        (found,) = people.covered([user], version)
        if found is not None and found >= through:
            (listed,) = people.lists([user], version)
            assert listed is not None
            return listed
        time.sleep(_LOOK_S)
    raise JobError(
        f"the list of {user} has no like that was sent {_PATIENCE_S:.0f} s ago ({datetime.now(UTC):%H:%M:%S}): see the log of refresh in streaming/"
    )
