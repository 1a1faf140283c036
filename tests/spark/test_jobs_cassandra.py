"""What Cassandra's store does beyond the stores' contract: types, keys, foreign keyspaces, and nodes that go away."""

import datetime as dt
import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid

import pytest
from cassandra import InvalidRequest
from cassandra.cluster import NoHostAvailable
from pyspark.sql import functions as F

from cluster.configuration import load
from cluster.lifecycle import Cluster
from cluster.processes import free_port
from cluster.services.cassandra import CassandraSettings
from core.errors import JobError
from jobs.retention import Retention
from jobs.stores.cassandra.access import VERSION, Connection, Keyspace, connect, disconnect, keyspace_name
from jobs.stores.cassandra.retry import forget_sessions
from jobs.stores.cassandra.store import CassandraStore
from jobs.stores.cassandra.versions import Claims
from tests.conftest import cassandra_sets, connected, users
from tests.waiting import eventually

AT = dt.datetime(2020, 1, 2, 3, 4, 5, 678000, tzinfo=dt.UTC)


@pytest.fixture
def root():
    return f"things-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def store(spark, in_cassandra, root):
    made = CassandraStore(spark, root)
    yield made
    made.close()


@pytest.fixture
def session(spark, in_cassandra):
    return connect(Connection.of(spark.conf))


def tables(session, keyspace):
    rows = session.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [keyspace])
    return {row["table_name"] for row in rows}


def test_every_type_comes_back_equal(spark, store):
    schema = (
        "item int, key string, year int, share double, at timestamp, genres array<string>, tags map<string,int>, "
        "features map<string,float>, long bigint, yes boolean"
    )
    rows = [
        (1, "ключ " + "x" * 295, 1999, 0.1, AT, ["a", ""], {"t": 1}, {"f": 0.5}, 2**40, True),
        (2, "quote ' and , and \n", None, None, None, None, None, None, None, None),
        (3, "", 0, float("inf"), AT, [], {}, {}, -1, False),
    ]
    store.write("items", spark.createDataFrame(rows, schema))
    found = store.read("items")
    assert found.schema.simpleString() == spark.createDataFrame(rows, schema).schema.simpleString()
    assert sorted(map(tuple, found.collect())) == sorted(
        map(tuple, spark.createDataFrame(rows, schema).collect())
    )


def test_a_row_is_read_by_its_key(spark, store):
    rows = [(1, [3, 2], [0.5, 0.25]), (2, [], [])]
    store.write(
        "recommendations_als", spark.createDataFrame(rows, "user int, items array<int>, scores array<float>")
    )
    assert store.get("recommendations_als", 1) == {"user": 1, "items": [3, 2], "scores": [0.5, 0.25]}
    assert store.get("recommendations_als", 3) is None
    assert store.get("recommendations_knn", 1) is None


def test_equal_rows_of_a_table_without_a_key_all_stay(spark, store):
    rows = [("file", "line", "reason")] * 3
    store.write("rejected", spark.createDataFrame(rows, "file string, text string, reason string"))
    assert store.read("rejected").count() == 3


def test_a_time_that_would_be_cut_off_is_refused(spark, store):
    rows = [(1, AT.replace(microsecond=678901))]
    with pytest.raises(Exception, match=r"'at' .*678901.*milliseconds.*STORE=parquet"):
        store.write("items", spark.createDataFrame(rows, "item int, at timestamp"))
    assert not store.has("items")


def test_a_type_without_counterpart_is_named(spark, store):
    with pytest.raises(JobError, match=r"'pair'.* struct<"):
        store.write("items", spark.range(1).select(F.col("id").alias("item"), F.struct("id").alias("pair")))


def test_a_keyspace_of_something_else_is_left_alone(spark, store, session, root):
    keyspace = keyspace_name(root)
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {replication}")
    session.execute(f"CREATE TABLE {keyspace}.theirs (id int PRIMARY KEY)")
    with pytest.raises(JobError, match=rf"{keyspace} .*recscale_meta"):
        store.write("users", spark.createDataFrame([(1, "a")], "user int, key string"))
    assert tables(session, keyspace) == {"theirs"}


def test_a_keyspace_of_another_version_says_how_to_make_it_again(spark, store, session, root):
    store.write("users", spark.createDataFrame([(1, "a")], "user int, key string"))
    session.execute(f"INSERT INTO {keyspace_name(root)}.recscale_meta (key, value) VALUES ('version', '0')")
    other = CassandraStore(spark, root)
    with pytest.raises(JobError, match=rf"version 0\b.*\b{VERSION}\b(.|\n)*make preprocess"):
        other.read("users")


CLAIMANT = """
    import sys
    from jobs.stores.cassandra.access import Connection, Keyspace
    from jobs.stores.cassandra.versions import KeyspaceVersions

    port, name = sys.argv[1:]
    keyspace = Keyspace(Connection(("127.0.0.1",), int(port), "datacenter1", 1), name)
    versions = KeyspaceVersions(keyspace, beat_s=0.3)
    print(versions.open("users").physical, flush=True)
    versions.claims.hold("users", "users_00000000")
    keyspace.create("users_00000000", {"user": "int"}, ["user"], [])
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_read_and_wrote_goes_when_its_claims_have_lapsed(
    spark, in_cassandra, session, root
):
    """It reads the first version and fills a table; both stay while it lives, and longer than a claim of it lasts."""
    store = CassandraStore(spark, root, Retention(versions=1))
    keyspace, users = keyspace_name(root), spark.createDataFrame([(1, "a")], "user int, key string")
    store.write("users", users)
    where = Connection.of(spark.conf)
    claims = Claims(Keyspace(where, keyspace), 60)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CLAIMANT), str(where.port), keyspace],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        try:
            opened = other.stdout.readline().strip()
            assert other.stdout.readline().strip() == "writing"
            store.write("users", users)
            store.close()  # of its own claims
            assert {opened, "users_00000000"} == claims.of("users").keys()
            assert tables(session, keyspace) >= {opened, "users_00000000"}
            assert store.versions("users") == [2, 1]
            for _ in range(8):
                time.sleep(0.5)
                assert {opened, "users_00000000"} == claims.of("users").keys()
        finally:
            other.kill()
    eventually(lambda: not claims.of("users"), 60)
    store.write("users", users)
    store.close()
    kept = {name for name in tables(session, keyspace) if name.startswith("users_")}
    assert len(kept) == 1
    assert not kept & {opened, "users_00000000"}


def test_a_keyspace_from_before_versions_is_brought_up_to_date(spark, store, session, root):
    keyspace = keyspace_name(root)
    store.write("users", spark.createDataFrame([(1, "a")], "user int, key string"))
    (row,) = session.execute(f"SELECT physical, columns FROM {keyspace}.recscale_versions")
    for statement in (
        f"DROP TABLE {keyspace}.recscale_versions",
        f"DROP TABLE {keyspace}.recscale_claims",
        f"CREATE TABLE {keyspace}.recscale_catalogue (name text PRIMARY KEY, physical text, columns text)",
        f"INSERT INTO {keyspace}.recscale_meta (key, value) VALUES ('version', '1')",
    ):
        session.execute(statement, timeout=60)
    session.execute(
        f"INSERT INTO {keyspace}.recscale_catalogue (name, physical, columns) VALUES ('users', %s, %s)",
        [row["physical"], row["columns"]],
    )
    later = CassandraStore(spark, root)
    assert later.versions("users") == [1]
    assert later.read("users").count() == 1
    assert later.write("users", spark.createDataFrame([(2, "b")], "user int, key string")) == 2
    assert "recscale_catalogue" not in tables(session, keyspace)


def test_long_names_of_data_sets_stay_apart():
    first, second = (keyspace_name(f"synthetic-ml-latest-small-{'x' * 60}-{n}") for n in (1, 2))
    assert first != second
    assert max(len(first), len(second)) <= 48


def test_where_none_answers_it_says_how_to_start_one():
    nobody = Connection(("127.0.0.1",), free_port("127.0.0.1"), "datacenter1", 1)
    with pytest.raises(JobError, match=r"make setup CASSANDRA=1"):
        Keyspace(nobody, "recscale_things").entry("ratings")


WRITER = """
    import sys
    from pyspark.sql import SparkSession
    from cluster.lifecycle import Cluster
    from cluster.configuration import load
    from experiments.run.stores import spark_settings_of
    from core.errors import JobError
    from jobs.stores.cassandra.store import CassandraStore
    from tests.conftest import users

    *sets, root = sys.argv[1:]
    cluster = Cluster(load(sets, {}))
    given = spark_settings_of("cassandra", cluster.settings, cluster.ensure("cassandra"), cluster.driver_host.jars("connector"))
    spark = SparkSession.builder.master("local[2]").config(map={**given, "spark.ui.enabled": "false"}).getOrCreate()
    store = CassandraStore(spark, root)
    for key, rows in ("old", 1000), ("new", 3_000_000):
        try:
            store.write("users", users(spark, rows, key))
            print("ANSWER", key, "written", flush=True)
        except JobError as error:
            print("ANSWER", error, flush=True)
"""


@pytest.mark.timeout(600)
@pytest.mark.long
def test_a_node_that_dies_during_a_write_loses_and_doubles_nothing(spark, tmp_path, root):
    """The writer is an application of its own, as it is for users: the next one has not seen the node go."""
    sets = cassandra_sets(tmp_path)
    cluster = Cluster(load(sets, {}))
    command = [sys.executable, "-c", textwrap.dedent(WRITER), *sets, root]
    try:
        (node,) = cluster.ensure("cassandra")
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as writer:
            answers = (line.removeprefix("ANSWER ") for line in writer.stdout if line.startswith("ANSWER "))
            try:
                assert next(answers).strip() == "old written"
                _kill_when_written(cluster, keyspace_name(root))
                told = next(answers)
                assert [
                    name for name in (keyspace_name(root), "unchanged", "make setup") if name not in told
                ] == []
            finally:
                writer.kill()
        cluster.up({"cassandra"})
        with connected(spark, cluster.settings, node):
            store = CassandraStore(spark, root)
            assert store.read("users").where("key = 'old'").count() == 1000
            store.write("users", store.read("users").withColumn("key", F.lit("new")))
            assert store.read("users").where("key = 'new'").count() == 1000
            disconnect(Connection.of(spark.conf))
    finally:
        cluster.down()


def _kill_when_written(cluster, keyspace):
    """Kill the node as soon as a table of users that no version names has a row."""
    where = Connection(("127.0.0.1",), cluster.settings.of(CassandraSettings).port, "datacenter1", 1)
    session = connect(where)
    finished = session.execute(f"SELECT physical FROM {keyspace}.recscale_versions").one()["physical"]
    end = time.monotonic() + 240
    while time.monotonic() < end:
        written = {name for name in tables(session, keyspace) if name.startswith("users_")} - {finished}
        if any(_has_a_row(session, f"{keyspace}.{table}") for table in written):
            os.kill(cluster._backend.running()["cassandra-1"].pid, signal.SIGKILL)
            disconnect(where)
            return
        time.sleep(0.1)
    raise AssertionError("no row was written in four minutes")


def _has_a_row(session, table):
    """A node lists a table before it can read it: in between it calls the request invalid, or fails on an unknown CF."""
    try:
        return session.execute(f"SELECT user FROM {table} LIMIT 1").one() is not None
    except InvalidRequest:
        return False
    except NoHostAvailable as error:
        if any("Unknown CF" in str(cause) for cause in error.errors.values()):
            return False
        raise


def test_the_connectors_sessions_are_forgotten_and_the_next_read_opens_another(spark, store, session):
    def of_the_connector():
        rows = session.execute("SELECT driver_name, client_options FROM system_views.clients")
        return {row["client_options"]["CLIENT_ID"] for row in rows if "Java" in (row["driver_name"] or "")}

    store.write("users", users(spark, 3))
    assert store.read("users").count() == 3
    before = of_the_connector()
    assert before
    forget_sessions(spark)
    eventually(lambda: not before & of_the_connector(), seconds=20)
    assert store.read("users").count() == 3
    assert of_the_connector()
