"""Ratings and events through a real broker into a real node: late ones, repeated ones, ties, retractions, and a recount."""

import datetime as dt
import json
import shutil
import uuid
from collections import Counter

import pytest
from confluent_kafka import Producer

from core.errors import JobError, UsageError
from jobs.engine.events import Event
from jobs.stores.cassandra.access import Connection, connect
from jobs.stores.cassandra.feedback import Histories
from jobs.streaming import offsets
from jobs.streams.feedback import STREAM, TOPICS, Options
from tests.spark.streaming import context_of, drained, fresh_topics

T0 = 1_700_000_000_000
HOUR = 3_600_000


@pytest.fixture(scope="module")
def keyspace():
    return f"recscale_feedback_{uuid.uuid4().hex[:8]}"


def at(ms):
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC)


class Stream:
    """The stream, run here until it has read what there is."""

    def __init__(self, spark, broker, folder, keyspace):
        self.context = context_of(spark, broker, folder, "feedback")
        self.options = {"keyspace": keyspace, "window_s": 3600, "lateness_s": 600}
        self.keyspace = keyspace
        self.session = connect(Connection.of(spark.conf))
        self.histories = Histories(Connection.of(spark.conf), keyspace)

    def drain(self, **pace):
        """Read both topics to their ends; `most`: messages a batch."""
        drained(STREAM, self.context, self.options, **pace)

    def checkpoint(self, topic):
        return self.context.home(topic) / "checkpoint"

    def uncommit(self, topic):
        """Leave the checkpoint as a crash between the sink's last write and Spark's commit would."""
        (last,) = sorted(
            (self.checkpoint(topic) / "commits").glob("[0-9]*"), key=lambda path: int(path.name)
        )[-1:]
        for path in (last, last.with_name(f".{last.name}.crc")):
            path.unlink(missing_ok=True)

    def rows(self, table):
        return list(self.session.execute(f"SELECT * FROM {self.keyspace}.{table}"))

    def totals(self, table, topic):
        """Number of messages of each window and item."""
        found = Counter()
        for row in self.rows(table):
            if row["topic"] == topic:
                found[row["window_start"].replace(tzinfo=dt.UTC), row["item"]] += row["count"]
        return found

    def all_tables(self):
        names = ("events", "feedback", "retractions", "popularity", "popularity_late")
        return {name: sorted(map(str, self.rows(name))) for name in names}


@pytest.fixture(scope="module")
def sent():
    """What was sent: topic -> messages."""
    return {topic: [] for topic in TOPICS}


@pytest.fixture(scope="module")
def send(kafka, sent):
    fresh_topics(kafka, *TOPICS)
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})

    def to(topic, *messages):
        for one in messages:
            text = one if isinstance(one, bytes) else json.dumps(one).encode()
            producer.produce(topic, text, b"u" if isinstance(one, bytes) else one["user"].encode())
            if not isinstance(one, bytes):
                sent[topic].append(one)
        assert producer.flush(30) == 0

    return to


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The run folder of all tests here: they go on with one another's checkpoints."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def stream(spark, in_cassandra, kafka, keyspace, folder):
    return Stream(spark, kafka, folder, keyspace)


def event(identity, user, item, ms, kind="like", **more):
    return {"id": identity, "user": user, "item": item, "type": kind, "timestamp": ms, **more}


def rating(identity, user, item, ms, value):
    return {
        "id": identity,
        "user": user,
        "item": item,
        "rating": value,
        "timestamp": ms,
        "rated_at": ms - HOUR,
    }


def recount(messages, window_ms=HOUR):
    counted = [one for one in messages if one.get("type") != "retract"]
    return Counter((at(one["timestamp"] // window_ms * window_ms), one["item"]) for one in counted)


def test_what_came_late_replaces_nothing_newer(stream, send):
    send("events", event("e2", "u1", "i1", T0 + 2000, "dislike"), event("e1", "u1", "i1", T0 + 1000))
    send("ratings", rating("r1", "u1", "i1", T0 + 1500, 4.5), rating("r2", "u1", "i2", T0, 3))
    stream.drain(most=1)
    assert stream.histories.feedback("u1") == {
        "i1": Event(at(T0 + 2000), "e2", "dislike", "i1", None),
        "i2": Event(at(T0), "r2", "rating", "i2", 3.0),
    }
    assert [one.id for one in stream.histories.events("u1")] == ["e2", "r1", "e1", "r2"]
    assert stream.histories.events("nobody") == []
    assert stream.histories.feedback("nobody") == {}


def test_of_one_time_the_larger_id_stays_whole_whichever_comes_first(stream, send):
    pairs = [
        ("u2", "a", "b", "b"),
        ("u3", "b", "a", "b"),
        ("u4", "a10", "a9", "a9"),
        ("u5", "a9", "a9x", "a9x"),
    ]
    # Column by column the first would keep its value, the second its id.
    send("events", *(event(first, user, "i1", T0, "watched", value=9.0) for user, first, _, _ in pairs))
    stream.drain()
    send("events", *(event(second, user, "i1", T0, "dislike") for user, _, second, _ in pairs))
    stream.drain()
    for user, _, _, stays in pairs:
        (written,) = (one for one in stream.histories.events(user) if one.id == stays)
        assert stream.histories.feedback(user) == {"i1": written}


def test_what_is_taken_back_leaves_what_was_before_it(stream, send):
    send("ratings", rating("r9", "u6", "i1", T0, 2))
    send(
        "events",
        event("x1", "u6", "i1", T0 + 1),
        event("x3", "u6", "i1", T0 + 3, "retract", retracts="x2"),  # before what it takes back
        event("x2", "u6", "i1", T0 + 2, "dislike"),
        event("x4", "u6", "i2", T0 + 4),
        event("x5", "u6", "i2", T0 + 5, "retract", retracts="x4"),
        event("x6", "u1", "i1", T0 + 6, "retract", retracts="r9"),  # somebody else's
    )
    stream.drain(most=2)
    assert stream.histories.feedback("u6") == {"i1": Event(at(T0 + 1), "x1", "like", "i1", None)}
    send("events", event("x7", "u6", "i1", T0 + 7, "retract", retracts="x1"))
    stream.drain()
    assert stream.histories.feedback("u6") == {"i1": Event(at(T0), "r9", "rating", "i1", 2.0)}


def test_late_ones_are_kept_apart_and_the_sums_are_a_recount(stream, send, sent):
    send("events", *(event(f"p{n}", f"u{n}", f"i{n % 3}", T0 + 3 * HOUR + n) for n in range(20)))
    stream.drain()
    send("events", *(event(f"q{n}", f"u{n}", f"i{n % 3}", T0 + n) for n in range(10)))
    send("events", event("p0", "u0", "i0", T0 + 3 * HOUR))  # again, after its first
    stream.drain()
    for topic in TOPICS:
        totals, late = stream.totals("popularity", topic), stream.totals("popularity_late", topic)
        assert totals + late == recount(sent[topic])
        assert late.total() == (10 if topic == "events" else 0)
    for row in stream.rows("popularity_late"):
        assert row["window_start"].replace(tzinfo=dt.UTC) + dt.timedelta(hours=1) <= row["watermark"].replace(
            tzinfo=dt.UTC
        )
        assert row["last_offset"] - row["first_offset"] >= row["count"] - 1
    (told,) = (
        json.loads(line)
        for line in (stream.context.events.path).read_text().splitlines()
        if "feedback_late" in line
    )
    assert told["count"] == 10


def test_a_batch_that_comes_again_changes_nothing(stream, send):
    send("events", *(event(f"s{n}", f"u{n % 7}", f"i{n % 3}", T0 + 3 * HOUR + n) for n in range(50)))
    stream.drain()
    before = stream.all_tables()
    for _ in range(2):
        stream.uncommit("events")
        stream.drain()
        assert stream.all_tables() == before


def test_what_cannot_be_a_row_is_told_and_stops_nothing(stream, send, sent):
    before = len(sent["events"])
    send("events", b"{", b"[1]", event("z1", "", "i1", T0), event("z2", "u8", None, T0 + 4 * HOUR))
    send("events", event("z3", "u8", "i1", T0, "retract"), event("z4", "u8", "x" * 70_000, T0))
    send("events", event("z5", "u8", "i1", T0 + 4 * HOUR))
    del sent["events"][before:-1]
    stream.drain()
    assert [one.id for one in stream.histories.events("u8") if one.id.startswith("z")] == ["z5"]
    lines = [json.loads(line) for line in stream.context.events.path.read_text().splitlines()]
    skipped = Counter()
    for line in lines:
        if line["event"] == "feedback_skipped":
            skipped[line["reason"]] += line["count"]
    assert skipped.total() == 6
    batches = [(line["query"], line["batchId"]) for line in lines if line["event"] == "visible"]
    assert batches[-1] == ("feedback.events", offsets.committed(stream.checkpoint("events"))[0])


def test_a_checkpoint_made_anew_counts_again(stream, send, sent):
    shutil.rmtree(stream.context.home("events"))
    stream.drain(most=40)
    assert stream.totals("popularity", "events") + stream.totals("popularity_late", "events") == recount(
        sent["events"]
    )
    assert stream.totals("popularity", "ratings") == recount(sent["ratings"])


def test_totals_that_are_lost_are_missed(stream, send):
    send("events", event("y1", "u1", "i1", T0 + 5 * HOUR))
    totals = stream.checkpoint("events") / "totals"
    for path in totals.glob("*.json"):
        path.write_text("{", encoding="utf-8")
    with pytest.raises(JobError, match="totals of popularity"):
        stream.drain(restarts=0)


@pytest.mark.parametrize("wrong", [{"keyspace": "Other"}, {"window_s": 0}, {"lateness_s": -1}])
def test_options_that_are_not_allowed(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        STREAM.queries(None, Options(**wrong))
