"""Events through a real broker into a real node, and each person's list anew: one at a time, in floods, again, with two models."""

import datetime as dt
import json
import uuid
from dataclasses import replace

import numpy as np
import pytest
from confluent_kafka import Producer

from core.errors import JobError, UsageError
from jobs.apps.publish import JOB as PUBLISH
from jobs.engine.blends import Blend
from jobs.engine.list_files import Filed, read, write
from jobs.engine.lists import Known
from jobs.engine.meanings import Meanings
from jobs.engine.personal import NO_HISTORIES, Recommended
from jobs.engine.rules import Unobserved
from jobs.engine.vectors import vectors
from jobs.reconciling import checkpoints, forgetting, list_tables
from jobs.stores.cassandra.access import PREFIX, Connection, connect
from jobs.stores.cassandra.feedback import EVENTS, Through
from jobs.stores.cassandra.lists import Listed, People
from jobs.stores.cassandra.served import BEFORE, NEXT, SERVED, Models, Served
from jobs.stores.cassandra.store import CassandraStore
from jobs.streaming.refreshing import Maker
from jobs.streams import feedback
from jobs.streams.refresh import FLOOD, JOB, PLAINLY, STREAM, Options
from tests.spark.streaming import context_of, drained, fresh_topics

T0 = 1_700_000_000_000
ITEMS, K = 60, 5


def filed(seed, first=0):
    """A model of the items i`first` and on."""
    random = np.random.default_rng(seed)
    item, term = np.nonzero(random.random((ITEMS, 9)) < 0.3)
    contents = vectors(
        item.astype(np.int32),
        term.astype(np.int32),
        np.ones(len(item)),
        groups=np.zeros(9, dtype=np.int64),
        weights=np.ones(1),
        m=ITEMS,
    )
    known = Known(
        random.normal(size=(ITEMS, 4)).astype(np.float32),
        np.ones(ITEMS, dtype=np.bool_),
        Unobserved(0.05, 1.0, 0.2, ITEMS),
        contents,
        random.integers(1, 90, ITEMS).astype(np.float32),
        Blend.parse("0:0/0/1 1:0.5/0.4/0.1"),
        Meanings(near=2),
    )
    return Filed(
        known, [f"i{first + n}" for n in range(ITEMS)], [], NO_HISTORIES, f"model{seed}", "", "invented"
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of two models; the second one knows items that the first does not."""
    found = [tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")]
    write(found[0] / "lists.npz", filed(1))
    write(found[1] / "lists.npz", filed(2, first=20))
    return found


class Stream:
    """The stream, run here until it has read what there is, in a keyspace of its own."""

    def __init__(self, spark, broker, folder, model, **options):
        self.context = context_of(spark, broker, folder, "refresh")
        self.keyspace = f"recscale_refresh_{uuid.uuid4().hex[:8]}"
        self.options = {"keyspace": self.keyspace, "k": K, "model": str(model), **options}
        self.where = Connection.of(spark.conf)
        self.people, self.models = People(self.where, self.keyspace), Models(self.where, self.keyspace)
        self.version = read(model).version

    def drain(self, **pace):
        drained(STREAM, self.context, self.options, **pace)

    def listed(self, user, version=None):
        (found,) = self.people.lists([user], version or self.version)
        return found

    def events_table(self):
        rows = connect(self.where).execute(f"SELECT * FROM {self.keyspace}.events")
        return sorted(map(str, rows))

    def told(self, kind):
        lines = (self.context.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]


@pytest.fixture
def start(spark, in_cassandra, kafka, tmp_path, folders):
    """Make a stream on topics without messages: start(**options)."""
    fresh_topics(kafka, "events", "ratings")
    made = []

    def start(**options):
        made.append(Stream(spark, kafka, tmp_path / f"run{len(made)}", folders[0], **options))
        return made[-1]

    yield start
    for one in made:
        connect(one.where).execute(f"DROP KEYSPACE IF EXISTS {one.keyspace}")


@pytest.fixture
def send(kafka):
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})

    def to(*messages):
        for one in messages:
            producer.produce("events", json.dumps(one).encode(), one["user"].encode())
        assert producer.flush(30) == 0

    return to


def event(identity, user, item, ms=T0, kind="like", **more):
    return {"id": identity, "user": user, "item": item, "type": kind, "timestamp": ms, **more}


def items(listed):
    return [entry.item for entry in listed.recommended.entries]


def wanted(stream, folder, user):
    """The list that the pure function makes of what Cassandra has."""
    return Maker(read(folder)).listed(stream.people, [user], K)[user].recommended


def test_a_like_changes_the_list_and_says_why_and_through_which_message(start, send, folders):
    stream = start()
    send(event("e1", "u1", "i3"), event("e2", "u2", "i4", kind="watched"))
    stream.drain()
    before, other = stream.listed("u1"), stream.listed("u2")
    send(event("e3", "u1", "i5", T0 + 1000), event("e4", "u1", "i6", T0 + 2000, "dislike"))
    stream.drain()
    after = stream.listed("u1")
    assert items(before) != items(after)
    assert {"i3", "i5", "i6"}.isdisjoint(items(after))
    assert any(item == "i5" for entry in after.recommended.entries for _, item, _ in entry.reasons)
    assert after.recommended == wanted(stream, folders[0], "u1")
    assert (after.model, after.version) == ("model1", stream.version)
    assert after.through.partition == before.through.partition
    assert after.through.offset >= before.through.offset + 2
    assert stream.listed("u2") == other, "nobody else's list is written"
    assert stream.listed("nobody") is None
    assert [(one["people"], one["how"]) for one in stream.told("refreshed") if one["people"]] == [
        (2, PLAINLY),
        (1, PLAINLY),
    ]


def test_messages_that_are_not_plain_are_parsed_by_a_job_and_bad_ones_are_in_no_list(
    start, send, kafka, folders
):
    stream = start()
    send(event("e1", "u1", "i3"), event("e2", "u1", "i4", more=[1]), event("", "u1", "i5", T0 + 1, value=0.5))
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    for bad in (
        b"{",
        None,
        json.dumps(event("e3", "u2", "i5")).encode(),
        json.dumps(event("e4", "", "i5")).encode(),
    ):
        producer.produce("events", bad, b"u1")
    assert producer.flush(30) == 0
    stream.drain()
    assert {one["how"] for one in stream.told("refreshed") if one["people"]} == {JOB}
    (history,) = stream.people.histories(["u1"])
    assert {one.id for one in history.events} == {"e1", "e2", ""}
    assert stream.listed("u1").recommended == wanted(stream, folders[0], "u1")
    assert stream.listed("u2") is None
    send(event("e5", "u1", "i6", T0 + 1000))
    stream.drain()
    assert [one["how"] for one in stream.told("refreshed")][-1] == PLAINLY
    assert len(stream.people.histories(["u1"])[0].events) == 4


def test_a_flood_makes_the_same_rows_as_a_trickle_and_as_a_repeated_batch(start, send):
    kinds = ("like", "dislike", "watched", "played")
    messages = [
        event(f"e{n}", f"u{n % 13}", f"i{n * 7 % ITEMS}", T0 + n * 100, kinds[n * n % 4]) for n in range(90)
    ]
    send(*messages, messages[3], event("back", "u1", "i7", T0 + 90_000, "retract", retracts="e1"))
    streams = start(flood=1000), start(flood=0), start(flood=1000)
    streams[0].drain()
    streams[1].drain()
    streams[2].drain(most=7)
    (last,) = (streams[0].context.home("events") / "checkpoint" / "commits").glob("[0-9]*")
    for path in (last, last.with_name(f".{last.name}.crc")):
        path.unlink(missing_ok=True)
    streams[0].drain()
    assert [one["how"] for one in streams[1].told("refreshed")][-1] == FLOOD
    tables = [stream.events_table() for stream in streams]
    assert len(tables[0]) == 91
    assert tables[0] == tables[1] == tables[2]
    for user in {one["user"] for one in messages}:
        one, *others = (stream.listed(user)._replace(made_at=None) for stream in streams)
        assert others == [one, one]


def test_what_was_taken_back_counts_as_never_sent_and_the_later_opinion_counts(start, send):
    stream = start()
    send(event("a1", "u1", "i1"), event("b1", "u2", "i1"), event("c2", "u3", "i2", T0 + 5, "dislike"))
    send(event("d2", "u4", "i2", T0 + 5, "dislike"))
    stream.drain()
    before = items(stream.listed("u1"))
    send(event("a2", "u1", "i9", T0 + 1000), event("a3", "u1", "i9", T0 + 2000, "retract", retracts="a2"))
    send(event("c1", "u3", "i2", T0 + 1, "like"), event("d3", "u4", "i2", T0 + 9, "like"))
    stream.drain()
    assert items(stream.listed("u1")) == before == items(stream.listed("u2"))
    likes, dislikes = stream.listed("u4"), stream.listed("u3")
    assert {item for _, item, _ in likes.recommended.entries[0].reasons} == {"i2"}
    assert not any(item == "i2" for entry in dislikes.recommended.entries for _, item, _ in entry.reasons)


def test_items_that_the_model_does_not_know_are_kept_until_one_does(start, send, folders):
    stream = start()
    send(*(event(f"e{n}", "u1", f"i{ITEMS + n % 20}", T0 + n) for n in range(30)))
    stream.drain()
    popular = [f"i{n}" for n in np.argsort(-filed(1).known.popularity, kind="stable")[:K]]
    found = stream.listed("u1")
    assert (found.recommended.known, found.recommended.unknown) == (0, 20)
    assert items(found) == popular
    (warning,) = stream.told("warning")
    assert "knows 0 of the 20 items" in warning["text"]
    assert Maker(read(folders[1])).listed(stream.people, ["u1"], K)["u1"].recommended.known == 20


def test_a_model_that_is_announced_has_lists_before_it_is_served(start, send, folders):
    stream, second = start(), read(folders[1]).version
    send(event("e1", "u1", "i30"))
    stream.drain()
    assert stream.listed("u1", second) is None
    stream.models.set(NEXT, Served(second, "model2", str(folders[1])))
    send(event("e2", "u1", "i31", T0 + 1000))
    stream.drain()
    assert stream.listed("u1").recommended == wanted(stream, folders[0], "u1")
    assert stream.listed("u1", second).recommended == wanted(stream, folders[1], "u1")
    stream.models.set(SERVED, Served(second, "model2", str(folders[1])))
    stream.models.clear(NEXT)
    stream.options["model"] = ""
    old = stream.listed("u1")
    send(event("e3", "u1", "i32", T0 + 2000))
    stream.drain()
    assert stream.listed("u1") == old
    assert stream.listed("u1", second).through > old.through


def test_a_published_model_has_lists_of_all_who_were_active_before_readers_see_it(
    start, send, folders, spark, context
):
    stream, second = start(), read(folders[1]).version
    now = round(dt.datetime.now().timestamp() * 1000)
    send(event("old", "u0", "i30", now - 90 * 86_400_000))
    send(*(event(f"e{n}", f"u{n % 4 + 1}", f"i{30 + n}", now - n * 1000) for n in range(12)))
    stream.drain()
    store = CassandraStore(spark, stream.keyspace.removeprefix(PREFIX))
    place = replace(context("publish", {"folder": str(folders[1]), "k": str(K)}), store=store)
    result = PUBLISH.run(place)
    assert result.counts == {"lists": 4, "removed": 0}
    served = stream.models.all()
    assert set(served) == {SERVED, BEFORE}
    assert (served[SERVED].version, served[SERVED].folder) == (second, str(folders[1]))
    for user in ("u1", "u2", "u3", "u4"):
        found, before = stream.listed(user, second), stream.listed(user)
        assert found.recommended == wanted(stream, folders[1], user)
        assert found.through == before.through
    assert stream.listed("u0", second) is None, "made when it is read"
    (refresh,) = checkpoints.consumed(stream.context.folder / "streams")
    stream.options["model"] = ""
    send(event("later", "u1", "i50", now + 1000))
    stream.drain()
    (refresh,) = checkpoints.consumed(stream.context.folder / "streams")
    assert list_tables.check(spark, store, refresh).findings == []
    listed = stream.listed("u1", second)
    assert listed.through > stream.listed("u1").through
    # Publishing again changes no list that the stream made, and back again removes none of the two.
    place = replace(context("publish", {"folder": str(folders[1]), "k": str(K)}), store=store)
    assert PUBLISH.run(place).counts == {"lists": 4, "removed": 0}
    assert stream.listed("u1", second) == listed
    place = replace(context("publish", {"folder": str(folders[0]), "k": str(K)}), store=store)
    assert PUBLISH.run(place).counts == {"lists": 4, "removed": 0}
    assert stream.listed("u1").recommended == wanted(stream, folders[0], "u1")
    stream.people.keep_lists({"u9": listed._replace(version="a version before")}, 1)
    assert PUBLISH.run(place).counts == {"lists": 4, "removed": 1}


def test_of_two_lists_the_one_of_the_later_history_stays(start, send):
    stream = start()
    send(event("e1", "u1", "i3"))
    stream.drain()
    now = stream.listed("u1")
    earlier = Listed(
        Recommended((), 0, 0), "model1", stream.version, None, now.made_at - dt.timedelta(seconds=1)
    )
    stamp = round(now.made_at.timestamp() * 1_000_000)
    stream.people.keep_lists({"u1": earlier}, stamp - 1_000_000)
    assert stream.listed("u1") == now
    stream.people.keep_lists({"u1": earlier}, stamp + 1_000_000)
    assert stream.listed("u1").recommended.entries == ()


def test_both_streams_leave_the_same_rows_of_events(start, send, spark):
    stream = start()
    send(
        event("e1", "u1", "i3"),
        event("e1", "u1", "i3"),
        event("e2", "u1", "i3", T0, "retract", retracts="e1"),
    )
    stream.drain()
    before = stream.events_table()
    assert len(before) == 2
    context = context_of(spark, stream.context.connection.addresses[0], stream.context.folder, "feedback")
    drained(feedback.STREAM, context, {"keyspace": stream.keyspace})
    assert stream.events_table() == before


def test_a_table_of_an_older_version_gets_the_columns_that_it_lacks(start, send, spark):
    stream = start()
    columns = {name: kind for name, kind in EVENTS.columns.items() if name != "place"}
    store = CassandraStore(spark, stream.keyspace.removeprefix(PREFIX))
    store.standing(EVENTS._replace(columns=columns))
    send(event("e1", "u1", "i3"))
    context = context_of(spark, stream.context.connection.addresses[0], stream.context.folder, "feedback")
    drained(feedback.STREAM, context, {"keyspace": stream.keyspace})
    (history,) = stream.people.histories(["u1"])
    stream.drain()
    assert stream.listed("u1").through == history.through is not None


def test_lists_that_are_not_those_made_again_are_named(start, send, spark):
    stream = start()
    send(*(event(f"e{n}", f"u{n % 5}", f"i{n}", T0 + n) for n in range(25)))
    stream.drain()
    store = CassandraStore(spark, stream.keyspace.removeprefix(PREFIX))
    (refresh,) = checkpoints.consumed(stream.context.folder / "streams")

    def found():
        return {one.what: (one.count, one.where) for one in list_tables.check(spark, store, refresh).findings}

    assert list_tables.check(spark, store, refresh).compared == 5
    assert found() == {}
    one, other = stream.listed("u1"), stream.listed("u2")
    later = round(dt.datetime.now().timestamp() * 1_000_000)
    stream.people.keep_lists({"u1": one._replace(recommended=other.recommended)}, later)
    stream.people.keep_lists({"u2": other._replace(through=Through(other.through.partition, 0))}, later)
    connect(stream.where).execute(f"DELETE FROM {stream.keyspace}.lists WHERE user = 'u3'")
    assert found() == {
        list_tables.OTHER: (1, "user: u1"),
        list_tables.OLD: (1, "user: u2"),
        list_tables.MISSING: (1, "user: u3"),
    }
    send(*(event(f"f{n}", f"u{n}", "i40", T0 + 1000) for n in range(5)))
    stream.drain()
    (refresh,) = checkpoints.consumed(stream.context.folder / "streams")
    assert found() == {}


def test_a_person_who_is_erased_has_no_list_until_they_come_back(start, send, spark):
    stream = start()
    send(event("e1", "u1", "i3"), event("e2", "u2", "i3"))
    stream.drain()
    keyspace = CassandraStore(spark, stream.keyspace.removeprefix(PREFIX)).keyspace
    assert forgetting.from_cassandra(keyspace, "u1") == {"events": 1, "lists": 1}
    assert stream.listed("u1") is None
    assert stream.listed("u2") is not None
    assert forgetting.from_cassandra(keyspace, "u1") == {"events": 0, "lists": 0}
    send(event("e3", "u1", "i4", T0 + 1000))
    stream.drain()
    assert len(stream.people.histories(["u1"])[0].events) == 1
    assert stream.listed("u1") is not None


def test_models_that_cannot_be_served_are_refused(start, send, folders, tmp_path):
    stream = start()
    stream.drain()
    with pytest.raises(UsageError, match="readers see version"):
        drained(STREAM, stream.context, {**stream.options, "model": str(folders[1])})
    stream.models.clear(SERVED)
    with pytest.raises(UsageError, match="none is served yet"):
        drained(STREAM, stream.context, {**stream.options, "model": ""})
    with pytest.raises(JobError, match="no model to make lists from"):
        drained(STREAM, stream.context, {**stream.options, "model": str(tmp_path / "nothing")})
    stream.models.set(SERVED, Served("another", "model1", str(folders[0])))
    with pytest.raises(JobError, match="version another of model1 is served"):
        drained(STREAM, stream.context, {**stream.options, "model": ""})


@pytest.mark.parametrize(
    ("options", "named"),
    [({"keyspace": "other"}, "keyspace"), ({"k": 0}, "k must"), ({"flood": -1}, "flood")],
)
def test_settings_that_make_no_sense_are_refused(spark, kafka, tmp_path, options, named):
    context = context_of(spark, kafka, tmp_path / "run", "refresh")
    with pytest.raises(UsageError, match=named):
        STREAM.queries(context, Options(**options))
