"""What every store must do."""

import threading
import time
import uuid
from contextlib import closing

import pytest

from core.errors import JobError
from jobs.prepare import stored
from jobs.retention import Retention
from jobs.stores import STORES
from jobs.stores.lake.store import KEEP_EMPTY


@pytest.fixture(params=sorted(STORES))
def opened(request, spark, tmp_path):
    """Open the same tables as another process would; what is opened is closed in the end."""
    if request.param == "cassandra":
        request.getfixturevalue("in_cassandra")
    root, stores = str(tmp_path / f"tables-{uuid.uuid4().hex[:8]}"), []

    def store(retention=None):
        stores.append(STORES[request.param](spark, root, retention))
        return stores[-1]

    yield store
    for made in stores:
        made.close()
    spark.conf.unset(KEEP_EMPTY)  # the store lake sets it for its session, and this one is every test's


@pytest.fixture
def store(opened):
    return opened()


def frame(spark, *values):
    return spark.createDataFrame([(value, f"key {value}") for value in values], "id int, key string")


def ids(rows):
    return sorted(row["id"] for row in rows.collect())


def values(store, version=None):
    return ids(store.read("things", version))


def test_what_is_written_is_read(spark, store):
    store.write("things", frame(spark, 1, 2))
    assert store.has("things")
    assert values(store) == [1, 2]
    assert store.read("things").dtypes == [("id", "int"), ("key", "string")]
    assert sorted((row["id"], row["key"]) for row in store.rows("things")) == [(1, "key 1"), (2, "key 2")]


def test_a_write_replaces_and_versions_can_be_named(spark, store):
    assert store.versions("things") == []
    assert [store.write("things", frame(spark, *some)) for some in ((1, 2), (3,))] == [1, 2]
    assert store.versions("things") == [2, 1]
    assert values(store) == values(store, 2) == [3]
    assert values(store, 1) == [1, 2]


def test_a_table_may_be_replaced_by_what_is_made_from_it(spark, store):
    store.write("things", frame(spark, 1, 2, 3))
    store.write("things", store.read("things").where("id > 1"))
    assert values(store) == [2, 3]


def test_a_missing_table_names_the_command_that_makes_it(store):
    assert not store.has("things")
    with pytest.raises(JobError, match="make preprocess DATASET="):
        store.read("things")


def test_an_empty_table_keeps_its_columns(spark, store):
    store.write("things", frame(spark, 1).where("id > 1"))
    assert store.read("things").columns == ["id", "key"]
    assert values(store) == []


def test_a_write_that_fails_leaves_the_old_table(spark, store):
    store.write("things", frame(spark, 1))
    broken = frame(spark, 2, 3).selectExpr("if(id = 3, raise_error('planted'), id) as id", "key")
    with pytest.raises(Exception, match="planted"):
        store.write("things", broken.selectExpr("int(id) as id", "key"))
    assert values(store) == [1]
    assert store.versions("things") == [1]


def test_a_frame_computes_its_own_versions_rows_however_often_the_table_is_replaced(spark, opened):
    reader, writer = opened(), opened()
    writer.write("things", frame(spark, 1, 2))
    lazy = reader.read("things").where("id > 1")
    for value in (10, 11, 12):
        writer.write("things", frame(spark, value))
    assert ids(lazy) == [2]
    assert values(reader, 1) == [1, 2]
    assert values(writer) == [12]
    reader.close()
    writer.write("things", frame(spark, 13))
    assert writer.versions("things") == [5, 4]
    with pytest.raises(JobError, match="version 1 of table 'things'"):
        reader.read("things", 1)


def test_what_a_summary_names_stays_until_no_summary_names_it(spark, opened):
    one, other = opened(Retention(versions=1)), opened(Retention(versions=1))
    stored.finish(one, spark, {}, {"things": one.write("things", frame(spark, 1))})
    one.close()
    for value in (2, 3):
        other.write("things", frame(spark, value))
    with closing(opened()) as reader:
        assert values(reader, 1) == [1]
    stored.finish(other, spark, {}, {"things": 3})
    other.write("things", frame(spark, 4))
    assert opened().versions("things") == [4, 3]


def test_what_a_writer_has_written_stays_until_it_writes_again_or_is_closed(spark, opened):
    slow, quick = opened(Retention(versions=1)), opened(Retention(versions=1))
    assert slow.write("things", frame(spark, 1)) == 1
    for value in (2, 3):
        quick.write("things", frame(spark, value))
    with closing(opened()) as reader:
        assert values(reader, 1) == [1]
    slow.close()
    assert quick.write("things", frame(spark, 4)) == 4
    assert quick.versions("things") == [4]


def test_a_reader_that_never_lets_go_keeps_a_version_for_the_longest_time_only(spark, opened):
    reader, writer = opened(), opened(Retention(versions=1, held_s=0))
    writer.write("things", frame(spark, 1))
    assert values(reader) == [1]
    writer.write("things", frame(spark, 2))
    assert writer.versions("things") == [2]
    assert values(reader) == [2]


def test_of_two_writers_at_a_time_the_last_to_publish_wins_whole(spark, opened, tmp_path):
    """The slow one has begun and cannot end before the quick one has published and removed what need not stay."""
    slow, quick = opened(Retention(versions=1)), opened(Retention(versions=1))
    quick.write("things", frame(spark, 1))
    begun, go, numbers = tmp_path / "begun", tmp_path / "go", []

    def wait(batches):
        begun.touch()
        while not go.exists():
            time.sleep(0.05)
        yield from batches

    waiting = frame(spark, 20, 21, 22).coalesce(1).mapInPandas(wait, "id int, key string")
    writer = threading.Thread(target=lambda: numbers.append(slow.write("things", waiting)))
    writer.start()
    try:
        while not begun.exists():
            assert writer.is_alive()
            time.sleep(0.05)
        number = quick.write("things", frame(spark, 10, 11))
        assert values(quick) == [10, 11]
        kept = quick.read("things")
    finally:
        go.touch()
        writer.join()
    assert numbers == [number + 1]
    assert values(slow) == [20, 21, 22]
    assert ids(kept) == [10, 11]
