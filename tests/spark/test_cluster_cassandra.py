"""Real Cassandra nodes: they start, join, keep their data, die, are stopped; one that is already there is only used."""

import socket

import pytest
from cassandra.cluster import Cluster as Driver

from cluster.configuration import load
from cluster.lifecycle import Cluster
from cluster.processes import free_port, marks
from cluster.services.cassandra import CassandraSettings
from core.errors import JobError, ServiceError
from jobs.stores.cassandra.store import CassandraStore
from tests.conftest import cassandra_sets, users


@pytest.fixture
def sets(tmp_path):
    return cassandra_sets(tmp_path / "run")


@pytest.fixture
def cluster(sets):
    cluster = Cluster(load(sets, {}))
    yield cluster
    cluster.down()
    assert marks(str(cluster.settings.run_dir)) == set()


def ask(cluster, *statements, host="127.0.0.1"):
    """Run statements and return the rows of the last."""
    driver = Driver([host], port=cluster.settings.of(CassandraSettings).port, protocol_version=4)
    try:
        session = driver.connect()
        return [list(session.execute(statement, timeout=60)) for statement in statements][-1]
    finally:
        driver.shutdown()


def test_a_node_keeps_its_data_when_it_is_stopped_and_an_external_one_is_left_alone(cluster, sets, tmp_path):
    assert cluster.endpoint("cassandra") == []
    assert cluster.up({"cassandra"}) == ["cassandra-1"]
    (node,) = cluster.ensure("cassandra")
    ask(
        cluster,
        "CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TABLE kept.rows (id int PRIMARY KEY)",
        "INSERT INTO kept.rows (id) VALUES (7)",
    )
    user = Cluster(load([f"run_dir={tmp_path / 'other'}", f"cassandra.contact_points={node}"], {}))
    assert user.ensure("cassandra") == [node]
    assert {status.name: status.state for status in user.status()}["cassandra"] == "external"
    user.down()
    assert cluster.up({"cassandra"}) == []
    cluster.down()
    with pytest.raises(ServiceError, match=r"does not answer; start it, or unset cassandra.contact_points"):
        user.ensure("cassandra")
    assert cluster.up({"cassandra"}) == ["cassandra-1"]
    assert [row.id for row in ask(cluster, "SELECT id FROM kept.rows")] == [7]


def test_fewer_copies_than_asked_for_are_refused_and_not_made_silently(spark, in_cassandra):
    CassandraStore(spark, "single").write("users", users(spark, 10))
    spark.conf.set("spark.recscale.cassandra.rf", "2")
    store = CassandraStore(spark, "single")
    for action in (lambda: store.read("users"), lambda: store.write("users", users(spark, 20))):
        with pytest.raises(JobError, match=r"recscale_single .* 1 of the 2 .*DROP KEYSPACE recscale_single"):
            action()
    spark.conf.set("spark.recscale.cassandra.rf", "1")
    assert CassandraStore(spark, "single").read("users").count() == 10


def test_a_taken_port_names_its_holder_and_the_setting(sets):
    port = free_port("127.0.0.1")
    cluster = Cluster(load([*sets, f"cassandra.port={port}"], {}))
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ServiceError, match=r"--set cassandra.port="),
    ):
        cluster.up({"cassandra"})
    assert marks(str(cluster.settings.run_dir)) == set()
