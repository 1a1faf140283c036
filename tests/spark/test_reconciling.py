"""A lake and Cassandra's tables that are right are found right; a planted loss, double, swap or change is found and named."""

import json
import shutil
import uuid
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer
from pyspark.sql import functions as F

from datasets.topics.connection import Connection
from datasets.topics.declared import DEAD_LETTERS
from jobs.apps.forget import JOB as FORGET
from jobs.apps.reconcile import JOB
from jobs.reconciling import erased, forgetting
from jobs.reconciling.offsets import Place, Ranges
from jobs.stores.cassandra.access import Connection as Nodes
from jobs.stores.cassandra.access import connect
from jobs.stores.cassandra.store import CassandraStore
from jobs.streaming.tables import Table
from jobs.streams.feedback import STREAM as FEEDBACK
from jobs.streams.lake import STREAM as LAKE
from tests.spark.streaming import context_of, drained, fresh_topics

T0 = 1_700_000_000_000
TYPES = ("like", "dislike", "watched", "played")
BAD = (b"{", b'{"id": 7}', b"", b'{"user": "u3", ')
USED = ("ratings", "events")


def invented(number):
    """Return the topic and the content of a message; each 7th is sent twice, each 11th takes back an earlier one."""
    at = T0 + number // 4 * 60_000
    if number % 3 == 0:
        return "ratings", {"id": f"r{number}", "user": f"u{number % 13}", "item": f"i{number % 17}", "rating": 1 + number % 5,
                           "timestamp": at, "rated_at": at - 1}  # fmt: skip
    event = {"id": f"e{number}", "user": f"u{number % 13}", "type": TYPES[number % 4], "timestamp": at}
    if number % 11 == 0 and number > 221:
        earlier = number - 221  # of the same user and item
        return "events", event | {"type": "retract", "item": f"i{earlier % 17}", "retracts": f"e{earlier}"}
    return "events", event | {"item": f"i{number % 17}"}


@pytest.fixture(scope="module")
def ledger(kafka, tmp_path_factory):
    """Messages of both topics in Kafka; the file with what the broker acknowledged."""
    connection = Connection.of([kafka], {})
    fresh_topics(kafka, *USED, DEAD_LETTERS)
    producer = Producer({**connection.librdkafka(), "partitioner": "murmur2_random"})
    offsets: dict[tuple[str, int], list[int]] = {}

    def noted(_, message):
        offsets.setdefault((message.topic(), message.partition()), []).append(message.offset())

    for number in range(600):
        topic, one = invented(number)
        for _ in range(2 if number % 7 == 0 else 1):
            producer.produce(topic, json.dumps(one).encode(), one["user"].encode(), on_delivery=noted)
    for number, text in enumerate(BAD * 3):
        producer.produce("events", text, f"u{number + 1}".encode(), on_delivery=noted)
    assert producer.flush(30) == 0
    path = tmp_path_factory.mktemp("ledger") / "it.jsonl"
    lines = [
        {"topic": topic, "partition": partition, "acknowledged": len(set(found)), "ranges": [list(pair) for pair in inclusive(found)]}
        for (topic, partition), found in offsets.items()
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return connection, path


def inclusive(offsets):
    return [(first, end - 1) for first, end in Ranges.of_offsets(sorted(offsets))]


@pytest.fixture(scope="module")
def streamed(tmp_path_factory):
    """Folder with what both streams have left, once it was asked for."""
    return {"folder": tmp_path_factory.mktemp("streamed"), "keyspace": f"reconciled_{uuid.uuid4().hex[:8]}"}


@pytest.fixture
def run(spark, in_cassandra, ledger, streamed, tmp_path):
    """Return a copy of the run folder with what both streams have left."""
    connection, _ = ledger
    whole = streamed["folder"] / "run"
    if not whole.exists():
        lake, feedback = (
            context_of(spark, *connection.addresses, whole, name) for name in ("lake", "feedback")
        )
        drained(LAKE, lake, {"topics": USED}, most=200)
        drained(FEEDBACK, feedback, {"keyspace": f"recscale_{streamed['keyspace']}"}, most=200)
    return Path(shutil.copytree(whole, tmp_path / "run"))


@pytest.fixture
def run_job(context, spark, run, ledger, streamed):
    """Run a job on the run folder and Cassandra."""

    def made(job, name, **params):
        given = context(name, {"folder": str(run), "brokers": list(ledger[0].addresses), **params})
        store = CassandraStore(spark, streamed["keyspace"])
        return job.run(replace(given, store=store))

    return made


@pytest.fixture
def reconcile(run_job, ledger):
    """Run the job; returns its result, and the findings as (check, what, partition, messages, where)."""

    def compare(**params):
        result = run_job(JOB, "reconcile", **{"ledgers": [str(ledger[1])], **params})
        found = [
            (row[0], row[1], row[3], row[4], row[5]) for row in result.table[1:] if row[1] != "all equal"
        ]
        return result, found

    return compare


def table(spark, run, name):
    return Table.of(run / "lake", name).read(spark)


def append(rows, run, name):
    rows.write.format("delta").mode("append").partitionBy("ingest_date").save(str(run / "lake" / name))


def delete(spark, run, name, condition):
    spark.sql(f"DELETE FROM delta.`{run / 'lake' / name}` WHERE {condition}")


def two(spark, run, topic, partition):
    """Two messages of one partition in the lake that differ; the first ones of all may be one that was sent twice."""
    rows = table(spark, run, topic).where(f"partition = {partition}").orderBy("offset").limit(3).collect()
    return rows[0], rows[2]


def busy(spark, run, topic):
    """A partition with rows of a topic."""
    return table(spark, run, topic).groupBy("partition").count().orderBy(F.desc("count")).first()[0]


def test_what_is_right_is_found_right(reconcile, ledger):
    result, found = reconcile()
    assert found == []
    acknowledged = sum(json.loads(line)["acknowledged"] for line in ledger[1].read_text().splitlines())
    assert acknowledged == 600 + 86 + 12
    assert result.counts["differing"] == 0
    compared = json.loads(result.info["compared"])
    assert compared["read = lake + dead letters"] == compared["acknowledged are read"] == acknowledged
    assert compared["contents = Kafka's"] == acknowledged
    assert compared["events in Cassandra = the lake's"] == 600
    assert compared["windows and late ones of ratings = the lake's"] == 200 + 29


def test_a_planted_loss_is_named(spark, run, reconcile):
    partition = busy(spark, run, "events")
    one, _ = two(spark, run, "events", partition)
    delete(spark, run, "events", f"partition = {partition} AND offset = {one['offset']}")
    _, found = reconcile()
    first = found[0]
    assert first[1].startswith("lost")
    assert first[2:] == (partition, 1, f"offsets {one['offset']}")


def test_a_planted_double_is_named(spark, run, reconcile):
    partition = busy(spark, run, "events")
    one, _ = two(spark, run, "events", partition)
    again = table(spark, run, "events").where(f"partition = {partition} AND offset = {one['offset']}")
    append(again, run, "events")
    _, found = reconcile()
    assert (
        "read = lake + dead letters",
        "doubled in the lake",
        partition,
        1,
        f"offsets {one['offset']}",
    ) in found


def test_a_planted_swap_is_named(spark, run, reconcile):
    partition = busy(spark, run, "ratings")
    one, other = (row["offset"] for row in two(spark, run, "ratings", partition))
    rows = table(spark, run, "ratings").where(f"partition = {partition} AND offset IN ({one}, {other})")
    exchanged = rows.withColumn("offset", F.lit(one + other) - F.col("offset"))
    held = spark.createDataFrame(exchanged.collect(), exchanged.schema)
    delete(spark, run, "ratings", f"partition = {partition} AND offset IN ({one}, {other})")
    append(held, run, "ratings")
    _, found = reconcile()
    assert found == [
        ("contents = Kafka's", "the lake: contents exchanged", partition, 2, f"offsets {one} and {other}")
    ]


def test_other_bytes_of_a_dead_letter_are_named(spark, run, reconcile):
    dead = table(spark, run, "dead_letters").orderBy("partition", "offset").first()
    where = f"partition = {dead['partition']} AND offset = {dead['offset']}"
    spark.sql(f"UPDATE delta.`{run / 'lake' / 'dead_letters'}` SET value = unhex('00') WHERE {where}")
    _, found = reconcile()
    assert found == [("contents = Kafka's", "dead letters: contents differ from Kafka's", dead["partition"], 1, f"offsets {dead['offset']}")]  # fmt: skip


def test_a_message_in_both_places_or_erased_and_there_is_named(spark, run, reconcile):
    dead = table(spark, run, "dead_letters").orderBy("partition", "offset").first()
    erased.add(run / "lake", {Place("events", dead["partition"]): Ranges.of_offsets([dead["offset"]])})
    _, found = reconcile(contents=False)
    assert ("read = lake + dead letters", "erased, and yet a dead letter", dead["partition"], 1, f"offsets {dead['offset']}") in found  # fmt: skip


def test_what_was_acknowledged_and_not_read_is_named(run, reconcile, tmp_path):
    more = tmp_path / "more.jsonl"
    more.write_text('{"topic": "events", "partition": 1, "acknowledged": 2, "ranges": [[100000, 100001]]}\n')
    result, found = reconcile(ledgers=[str(more)], contents=False)
    assert found == [("acknowledged are read", "acknowledged, and not read", 1, 2, "offsets 100000-100001")]
    assert result.counts["differing"] == 2


def test_what_differs_in_cassandra_is_named(spark, run, reconcile, streamed):
    session = connect(Nodes.of(spark.conf))
    space = f"recscale_{streamed['keyspace']}"
    row = session.execute(f"SELECT * FROM {space}.events WHERE user = 'u1' LIMIT 1").one()
    window = session.execute(f"SELECT * FROM {space}.popularity LIMIT 1").one()
    key = [row["user"], row["at"], row["id"]]
    session.execute(f"DELETE FROM {space}.events WHERE user = %s AND at = %s AND id = %s", key)
    session.execute(
        f"INSERT INTO {space}.feedback (user, item, at, latest) VALUES ('nobody', 'i', %s, 'x')", [row["at"]]
    )
    where = "window_start = %s AND window_s = %s AND topic = %s AND item = %s"
    of_window = [window["window_start"], window["window_s"], window["topic"], window["item"]]
    session.execute(
        f"UPDATE {space}.popularity SET count = %s WHERE {where}", [window["count"] + 1, *of_window]
    )
    try:
        _, found = reconcile(contents=False)
    finally:
        columns = ", ".join(row)
        marks = ", ".join(["%s"] * len(row))
        session.execute(f"INSERT INTO {space}.events ({columns}) VALUES ({marks})", list(row.values()))
        session.execute(f"DELETE FROM {space}.feedback WHERE user = 'nobody'")
        session.execute(
            f"UPDATE {space}.popularity SET count = %s WHERE {where}", [window["count"], *of_window]
        )
    assert [(check, what, count) for check, what, _, count, _ in found] == [
        ("events in Cassandra = the lake's", "missing in Cassandra", 1),
        ("feedback = the latest", "in Cassandra, and not in the lake", 1),
        (f"windows and late ones of {window['topic']} = the lake's", "counted more than there are", 1),
    ]
    assert found[0][4].startswith("user at id: u1 ")
    assert found[0][4].endswith(row["id"])
    assert "nobody i" in found[1][4]


def test_streams_that_have_not_read_the_same_are_not_compared(run, reconcile, tmp_path):
    different = "feedback has read what the lake has", "not compared, one has read less"
    for kept, other in (("feedback", "lake"), ("lake", "feedback")):  # one of them has never read a topic
        home = run / "streams" / kept / "ratings"
        home.rename(tmp_path / "away")
        _, found = reconcile(contents=False)
        assert different in {(check, what) for check, what, *_ in found}, other
        (tmp_path / "away").rename(home)
    commits = run / "streams" / "feedback" / "events" / "checkpoint" / "commits"
    (last,) = sorted(commits.glob("[0-9]*"), key=lambda path: int(path.name))[-1:]
    last.unlink()
    last.with_name(f".{last.name}.crc").unlink()
    _, found = reconcile(contents=False)
    assert {(check, what) for check, what, *_ in found} == {different}


def test_a_person_is_erased_everywhere_and_the_rest_adds_up(spark, run, run_job, streamed):
    lake = run / "lake"
    erased_rows = {
        topic: sum(one.count for one in places.values())
        for topic, places in forgetting.found(spark, lake, "u3").items()
    }
    result = run_job(FORGET, "forget", user="u3")
    assert erased_rows[DEAD_LETTERS] == 4  # one by its key, three by their bytes
    assert {topic: result.counts[topic] for topic in (*USED, DEAD_LETTERS)} == erased_rows
    assert result.counts["cassandra.events"] > result.counts["cassandra.feedback"] > 0
    session = connect(Nodes.of(spark.conf))
    for name in ("events", "feedback", "retractions"):
        assert not list(
            session.execute(f"SELECT * FROM recscale_{streamed['keyspace']}.{name} WHERE user = 'u3'")
        )
    for path in lake.rglob("*.parquet"):
        if "_delta_log" not in path.parts:
            rows = pq.read_table(path).to_pylist()
            assert not [row for row in rows if row.get("user") == "u3" or row.get("key") == b"u3"]
    assert not [path for path in lake.rglob("*.json*") if b'"u3"' in path.read_bytes()]
    assert [row[1] for row in result.table[1:]] == ["all equal"] * (len(result.table) - 1)
    assert result.counts["compared"] > result.counts["differing"] == 0
    again = run_job(FORGET, "forget", user="u3").counts
    assert {name: count for name, count in again.items() if name != "compared"} == {
        "cassandra.events": 0,
        "cassandra.feedback": 0,
        "cassandra.retractions": 0,
        "differing": 0,
    }
    # An erasure that ends before it has removed files leaves them; the next one does so.
    delete(spark, run, "ratings", "user = 'u4'")
    assert files_naming(lake / "ratings", "u4")
    forgetting.from_lake(spark, lake, {})
    assert not files_naming(lake / "ratings", "u4")


def files_naming(folder, user):
    found = (path for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts)
    return [path for path in found if any(row["user"] == user for row in pq.read_table(path).to_pylist())]
