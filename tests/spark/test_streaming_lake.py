"""The lake: every message once, in its table or among the dead letters, whatever is taken away in between."""

import json
import shutil

import pytest
from confluent_kafka import Producer
from kafka import KafkaAdminClient, TopicPartition

from core.errors import JobError, UsageError
from datasets.publishers.lake import delta_log
from datasets.topics.declared import DEAD_LETTERS
from jobs.apps.dead_letters import JOB as DEAD_LETTERS_JOB
from jobs.streaming import offsets
from jobs.streaming.tables import Table
from jobs.streams.lake import STREAM
from tests.spark.streaming import (
    context_of,
    drained,
    fresh_topics,
    rating,
    send,
    started,
    wait,
    without_topics,
)

ONLY = {"topics": ("ratings",)}


@pytest.fixture
def place(spark, kafka, tmp_path):
    fresh_topics(kafka, "ratings", DEAD_LETTERS)
    return context_of(spark, kafka, tmp_path / "run", "lake")


def held(place):
    """(topic, partition, offset) of the table and of the dead letters, with doubles."""
    key = ("topic", "partition", "offset")
    good = Table.of(place.lake, "ratings").read(place.spark).select(*key)
    bad = Table.of(place.lake, DEAD_LETTERS).read(place.spark).select(*key)
    return sorted(map(tuple, good.collect())), sorted(map(tuple, bad.collect()))


def sent(count):
    return [("ratings", number % 2, number // 2) for number in range(count)]


def test_each_message_is_in_one_of_both_tables(place, kafka):
    bad = {
        3: (b"u1", b"{oops"), 4: (None, rating(4)[1]), 7: rating(7, rating="five"), 10: rating(10, timestamp=4_070_908_800_000),
        11: (b"other", rating(11)[1]), 12: (b"u1", None),
    }  # fmt: skip
    messages = [bad.get(number, rating(number)) for number in range(40)]
    messages[20] = rating(20, more={"a": 1})
    send(kafka, "ratings", messages, headers=[("mine", b"1")])
    _send_compressed(kafka, b"{oops" + b" " * 2_000_000)
    bad[40] = b"u1", b"{oops" + b" " * 2_000_000
    drained(STREAM, place, ONLY)
    good, dead = held(place)
    assert sorted(good + dead) == sorted(sent(41))
    assert {partition + 2 * offset for _, partition, offset in dead} == set(bad)
    table = Table.of(place.lake, "ratings").read(place.spark)
    row = table.where("offset = 10 and partition = 0").first()
    assert (row.id, row.user, row.rating, row.rated_at.year, row.batch) == ("r20", "u6", 3.5, 1970, 0)
    assert json.loads(row.extra)["more"] == {"a": 1}
    assert row.intended.date() == row.ingest_date
    (told,) = (one for one in map(json.loads, place.events.path.open()) if one["event"] == "visible")
    commit = delta_log.file(Table.of(place.lake, "ratings").path, 1)  # 0 made the table
    assert (told["query"], told["batchId"], told["since"]) == ("lake.ratings", 0, commit.stat().st_ctime)
    prepared = json.loads(commit.read_text().splitlines()[0])["commitInfo"]["timestamp"] / 1000
    assert prepared - 0.1 < told["since"] < told["clock"]  # a file's times may be some milliseconds old
    letters = Table.of(place.lake, DEAD_LETTERS).read(place.spark)
    found = {(one.partition + 2 * one.offset): one for one in letters.collect()}
    assert [(found[number].reason, found[number].field) for number in sorted(bad)] == [
        ("not JSON", None), ("no key", "user"), ("wrong type", "rating"), ("time in the future", "timestamp"),
        ("key differs from field", "user"), ("no value", None), ("not JSON", None),
    ]  # fmt: skip
    assert len(found[40].value) == 2_000_005
    assert (found[3].key, bytes(found[3].value)) == (b"u1", b"{oops")
    options = {**place.connection.spark(), "subscribe": DEAD_LETTERS, "includeHeaders": "true"}
    copies = place.spark.read.format("kafka").options(**options).load().collect()
    headers = [{one.key: bytes(one.value).decode() for one in copy.headers} for copy in copies]
    told = {
        (int(one["__connect.errors.partition"]) + 2 * int(one["__connect.errors.offset"])) for one in headers
    }
    assert told == set(bad)
    (large,) = [one for one in headers if "__connect.errors.omitted.bytes" in one]
    assert (large["__connect.errors.offset"], large["__connect.errors.omitted.bytes"]) == ("20", "2000008")
    assert {one["mine"] for one in headers if one is not large} == {"1"}
    assert max(len(copy.value or b"") for copy in copies) < 1000
    assert {one["__connect.errors.exception.message"] for one in headers} >= {
        "not JSON",
        "wrong type: rating",
    }


def _send_compressed(kafka, value):
    """Send a message that is larger than the broker's limit until it is compressed."""
    producer = Producer(
        {"bootstrap.servers": kafka, "message.max.bytes": 4_000_000, "compression.type": "lz4"}
    )
    producer.produce("ratings", value, b"u1", partition=0, headers=[("big", b"1")])
    assert producer.flush(20) == 0


def test_a_batch_comes_again_and_counts_once(place, kafka):
    """A crash after a step of a batch looks as the next start finds it: what the later steps wrote is not there."""
    checkpoint = place.home("ratings") / "checkpoint"
    wanted = []
    for number, taken in enumerate(((), (DEAD_LETTERS,), ("ratings", DEAD_LETTERS))):
        first = 10 * number
        bad = first + 1
        wanted.append(("ratings", bad % 2, bad // 2))
        messages = [(b"u1", b"{oops") if one == bad else rating(one) for one in range(first, first + 10)]
        before = {name: Table.of(place.lake, name).version() for name in ("ratings", DEAD_LETTERS)}
        send(kafka, "ratings", messages)
        drained(STREAM, place, ONLY)
        last, _ = offsets.committed(checkpoint)
        (checkpoint / "commits" / str(last)).unlink()
        (checkpoint / "commits" / f".{last}.crc").unlink()
        for name in taken:
            _back_to(place, name, max(0, before[name]))
        drained(STREAM, place, ONLY)
        good, dead = held(place)
        assert dead == sorted(wanted)
        assert good == sorted(set(sent(first + 10)) - set(dead))


def _back_to(place, name, version):
    """Take a table's commits after a version away, as a crash before them would have left it."""
    log = Table.of(place.lake, name).path / "_delta_log"
    for path in log.iterdir():
        number = path.name.lstrip(".").partition(".")[0]
        if number.isdigit() and int(number) > version:
            path.unlink()
    place.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def test_letters_that_are_mended_are_sent_once_and_others_refused(place, kafka, context, tmp_path):
    file = tmp_path / "letters.jsonl"

    def asked(action):
        params = {"lake": str(place.lake), "file": str(file), "action": action, "brokers": [kafka]}
        return DEAD_LETTERS_JOB.run(context("dead_letters", params)).counts

    separated = "{oops\u2028".encode()  # the end of a line for some, and not in JSON
    send(kafka, "ratings", [(b"u1", separated), rating(1)])
    drained(STREAM, place, ONLY)
    assert asked("take") == {"taken": 1, "sent before": 0}
    with pytest.raises(JobError, match="not mended, and none was sent: ratings-0 offset 0: not JSON"):
        asked("send")
    key, value = rating(1000, user="u1")
    letter = json.loads(file.read_text())
    file.write_text(json.dumps({**letter, "value": {"base64": "\u00e9"}}))
    with pytest.raises(UsageError, match="line 1: key and value must be texts"):
        asked("send")
    file.write_text(json.dumps({**letter, "key": key.decode(), "value": value.decode()}) + "\n")
    assert [asked("send") for _ in range(2)] == [
        {"sent": 1, "sent before": 0}, {"sent": 0, "sent before": 1},
    ]  # fmt: skip
    drained(STREAM, place, ONLY)
    good, dead = held(place)
    assert (len(good), dead) == (2, [("ratings", 0, 0)])
    assert asked("take") == {"taken": 0, "sent before": 1}


def test_a_checkpoint_is_its_query_s_own(place, kafka, tmp_path):
    send(kafka, "ratings", [*(rating(number) for number in range(4)), (b"u1", b"{oops")])
    drained(STREAM, place, ONLY)
    with started(STREAM, place, ONLY, drain=False), pytest.raises(JobError, match="in use"):
        drained(STREAM, place, ONLY)
    binding = place.home("ratings") / "binding.json"
    kept = json.loads(binding.read_text(encoding="utf-8"))
    binding.write_text(json.dumps({**kept, "query": "events", "topic": "events"}), encoding="utf-8")
    with pytest.raises(JobError, match="belongs to another query"):
        drained(STREAM, place, ONLY)
    binding.write_text(json.dumps(kept), encoding="utf-8")
    shutil.move(place.home("ratings"), tmp_path / "away")
    with pytest.raises(JobError, match="ratings has rows of the topic ratings"):
        drained(STREAM, place, ONLY)
    _back_to(place, "ratings", 0)
    with pytest.raises(JobError, match="dead_letters has rows of the topic ratings"):
        drained(STREAM, place, ONLY)
    shutil.move(tmp_path / "away", place.home("ratings"))
    fresh_topics(kafka, "ratings")
    with pytest.raises(JobError, match="made anew"):
        drained(STREAM, place, ONLY)


def test_expired_messages_are_told_and_can_be_done_without(place, kafka):
    send(kafka, "ratings", [rating(number) for number in range(4)])
    drained(STREAM, place, ONLY)
    send(kafka, "ratings", [rating(number) for number in range(4, 12)])
    _expire(place, kafka, 4)
    with pytest.raises(JobError, match=r"offsets 2 to 3 expired"):
        drained(STREAM, place, ONLY)
    drained(STREAM, place, ONLY, accept_loss=True)
    good, dead = held(place)
    assert not dead
    assert good == sorted([*sent(4), *(("ratings", part, offset) for part in (0, 1) for offset in (4, 5))])


def _expire(place, kafka, before):
    admin = KafkaAdminClient(bootstrap_servers=[kafka])
    admin.delete_records({TopicPartition("ratings", part): before for part in (0, 1)}, timeout_ms=20_000)
    admin.close()


def test_a_missing_topic_is_named(place, kafka):
    without_topics(kafka, "tracks")
    with pytest.raises(JobError, match="no topic tracks"):
        drained(STREAM, place, {"topics": ("tracks",)})


def test_a_query_that_fails_is_started_again_and_gives_up_naming_the_offset(place, kafka):
    send(kafka, "ratings", [rating(number) for number in range(6)])
    dead = Table.of(place.lake, DEAD_LETTERS).path
    with started(STREAM, place, ONLY) as group:
        table = Table.of(place.lake, "ratings").path
        log = table / "_delta_log"
        away = log.rename(table / "away")
        log.write_text("no folder", encoding="utf-8")
        with pytest.raises(
            JobError, match=r"failed 3 times at ratings-0 offsets 0 to 2, ratings-1 offsets 0 to 2"
        ):
            _restarts(group, 2)
        log.unlink()
        away.rename(log)
    assert dead.exists()
    drained(STREAM, place, ONLY)
    assert held(place)[0] == sorted(sent(6))


def _restarts(group, restarts):
    (one,) = group.running
    object.__setattr__(one.pace, "restarts", restarts)
    wait(group)
    raise AssertionError
