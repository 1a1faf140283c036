"""Tracks and events through a real broker into a real node, and lists of the stream's own window beside the model's."""

import json
import uuid

import pytest
from confluent_kafka import Producer

from core.errors import UsageError
from datasets.topics.connection import Connection as Kafka
from datasets.topics.times import first_since
from jobs.engine.sounds import FEATURES
from jobs.engine.tastes import NEIGHBOURS, POPULAR, SOUND
from jobs.stores.cassandra.access import Connection, connect
from jobs.stores.cassandra.lists import OF_STREAM, People
from jobs.streams.tastes import NAME, STREAM, Options
from tests.spark.streaming import context_of, drained, fresh_topics, now_ms


class Stream:
    """The stream, run here until it has read what there is, in a keyspace of its own."""

    def __init__(self, spark, broker, folder, keyspace=None, **options):
        self.context = context_of(spark, broker, folder, "tastes")
        self.keyspace = keyspace or f"recscale_tastes_{uuid.uuid4().hex[:8]}"
        self.options = {"keyspace": self.keyspace, "k": 5, **options}
        self.where = Connection.of(spark.conf)

    def drain(self, **pace):
        drained(STREAM, self.context, self.options, **pace)

    def listed(self, user):
        (found,) = People(self.where, self.keyspace).lists([user], OF_STREAM)
        return found

    def items(self, user):
        return [entry.item for entry in self.listed(user).recommended.entries]

    def told(self, kind):
        lines = (self.context.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]


@pytest.fixture
def start(spark, in_cassandra, kafka, tmp_path):
    """Make a stream on topics without messages: start(keyspace, **options)."""
    fresh_topics(kafka, "events", "tracks")
    made = []

    def start(keyspace=None, **options):
        made.append(Stream(spark, kafka, tmp_path / f"run{len(made)}", keyspace, **options))
        return made[-1]

    yield start
    for keyspace in {one.keyspace for one in made}:
        connect(made[0].where).execute(f"DROP KEYSPACE IF EXISTS {keyspace}")


@pytest.fixture
def send(kafka):
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})

    def to(topic, *messages, sent_ms=None):
        for one in messages:
            key = one["id" if topic == "tracks" else "user"]
            producer.produce(topic, json.dumps(one).encode(), key.encode(), timestamp=sent_ms or now_ms())
        assert producer.flush(30) == 0

    return to


def track(identity, level, at=None, **more):
    features = {name: level + place / 10 for place, name in enumerate(FEATURES)}
    return {"id": identity, "name": identity, "timestamp": at or now_ms(), **features, **more}


def event(identity, user, item, kind="like", at=None, **more):
    return {"id": identity, "user": user, "item": item, "type": kind, "timestamp": at or now_ms(), **more}


LOUD, QUIET = 0.9, 0.1
PLAYED = [
    ("ana", "loud1"),
    ("ana", "loud2"),
    ("ben", "loud1"),
    ("ben", "loud3"),
    ("eva", "quiet1"),
    ("eva", "quiet2"),
]


def test_lists_of_the_window_stand_beside_the_models_and_say_why(start, send):
    stream = start()
    send(
        "tracks",
        *(track(f"loud{n}", LOUD) for n in range(1, 5)),
        *(track(f"quiet{n}", QUIET) for n in range(1, 4)),
    )
    stream.drain()
    send("events", *(event(f"e{n}", user, item, "played") for n, (user, item) in enumerate(PLAYED)))
    stream.drain()
    found = stream.listed("ana")
    assert (found.model, found.version) == (NAME, OF_STREAM)
    assert found.through is not None
    assert stream.items("ana")[:2] == ["loud3", "loud4"]
    codes = {entry.item: entry.reasons[0][:2] for entry in found.recommended.entries}
    assert codes["loud3"] == (NEIGHBOURS, None)
    assert codes["loud4"][0] == SOUND
    assert codes["loud4"][1] in {"loud1", "loud2"}
    assert stream.items("eva")[0] == "quiet3"
    (told,) = [one for one in stream.told("tasted") if one["people"]]
    assert (told["window_messages"], told["window_people"], sum(told["clusters"])) == (6, 3, 3)

    send(
        "events",
        event("e9", "ana", "loud3", "dislike"),
        event("back", "ben", "loud3", "retract", retracts="e3"),
    )
    stream.drain()
    assert "loud3" not in stream.items("ana")
    assert "loud3" in stream.items("ben"), "as if it had never been sent"
    assert stream.listed("eva") is not None


def test_a_start_and_a_batch_that_comes_again_find_the_same_window(start, send):
    stream = start()
    send("tracks", *(track(f"loud{n}", LOUD) for n in range(1, 5)), track("quiet3", QUIET))
    stream.drain()
    send("events", *(event(f"e{n}", user, item) for n, (user, item) in enumerate(PLAYED)))
    stream.drain(most=2)
    assert len(stream.told("tasted")) > 1
    send("events", event("e20", "dan", "loud1"))
    stream.drain()
    before = stream.listed("dan").recommended
    assert stream.items("dan")[0] in {"loud2", "loud3"}
    assert stream.told("tasted")[-1]["window_messages"] == len(PLAYED) + 1
    commits = (stream.context.home("events") / "checkpoint" / "commits").glob("[0-9]*")
    last = max(commits, key=lambda path: int(path.name))
    for path in (last, last.with_name(f".{last.name}.crc")):
        path.unlink(missing_ok=True)
    stream.drain()
    assert stream.told("tasted")[-1]["window_messages"] == len(PLAYED) + 1
    assert stream.listed("dan").recommended == before
    another = start(stream.keyspace)
    another.drain()  # all in one batch, with the tracks from the table
    assert another.listed("dan").recommended == before


def test_what_was_sent_before_the_window_or_comes_before_too_many_does_not_count(start, send, kafka):
    stream = start(window_s=3600)
    old = now_ms() - 2 * 3_600_000
    send("events", event("old", "ana", "far", at=old), event("old2", "old", "far", at=old), sent_ms=old)
    send("events", event("e1", "ana", "near"), event("e2", "ben", "near"), event("e3", "ben", "next"))
    stream.drain()
    assert stream.listed("old") is None
    assert stream.items("ana") == ["next"]
    (told,) = [one for one in stream.told("tasted") if one["people"]]
    assert told["window_messages"] == 3
    narrow = start(window_s=86_400, most=2)
    narrow.drain()
    assert narrow.told("tasted")[-1]["window_messages"] == 2
    since = first_since(Kafka.of([kafka], {}), "events", [0, 1], old + 1)
    assert since
    assert first_since(Kafka.of([kafka], {}), "events", [0, 1], now_ms() + 60_000) == {}
    assert first_since(Kafka.of([kafka], {}), "events", [], 0) == {}


def test_bad_messages_and_unknown_tracks_are_told_and_make_no_wrong_list(start, send, kafka):
    stream = start()
    send("tracks", track("loud1", LOUD), track("", LOUD), track("some", LOUD, energy="much"))
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce("tracks", b"{", b"x")
    producer.produce("events", b"{", b"x")
    assert producer.flush(30) == 0
    send("events", event("e1", "ana", "unheard"), event("e2", "ben", "unheard"), event("e3", "ben", "loud1"))
    send("events", event("e4", "", "loud1"))
    stream.drain()
    skipped = {one["reason"]: one["count"] for one in stream.told("track_skipped")}
    assert skipped == {"empty id": 1, "wrong type": 1, "not JSON": 1}
    assert stream.items("ana") == ["loud1"], "a track without a sound has neighbours"
    send("events", event("e5", "cold", "unheard", "dislike"))
    stream.drain()
    reasons = {code for entry in stream.listed("cold").recommended.entries for code, _, _ in entry.reasons}
    assert reasons == {POPULAR}


@pytest.mark.parametrize(
    ("options", "named"),
    [({"keyspace": "other"}, "keyspace"), ({"k": 0}, "k must"), ({"window_s": 0}, "window_s"),
     ({"most": 0}, "most"), ({"clusters": 0}, "clusters"), ({"sound": -1.0}, "sound")],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(spark, kafka, tmp_path, options, named):
    context = context_of(spark, kafka, tmp_path / "run", "tastes")
    with pytest.raises(UsageError, match=named):
        STREAM.queries(context, Options(**options))
