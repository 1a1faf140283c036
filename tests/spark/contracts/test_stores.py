"""What every store must do."""

import uuid

import pytest

from jobs.errors import JobError
from jobs.stores import STORES


@pytest.fixture(params=sorted(STORES))
def store(request, spark, tmp_path):
    if request.param == "cassandra":
        request.getfixturevalue("in_cassandra")
    return STORES[request.param](spark, str(tmp_path / f"tables-{uuid.uuid4().hex[:8]}"))


def frame(spark, *values):
    return spark.createDataFrame([(value, f"key {value}") for value in values], "id int, key string")


def values(store):
    return sorted(row["id"] for row in store.read("things").collect())


def test_what_is_written_is_read(spark, store):
    store.write("things", frame(spark, 1, 2))
    assert store.has("things")
    assert values(store) == [1, 2]
    assert store.read("things").dtypes == [("id", "int"), ("key", "string")]


def test_a_write_replaces(spark, store):
    store.write("things", frame(spark, 1, 2))
    store.write("things", frame(spark, 3))
    assert values(store) == [3]


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
