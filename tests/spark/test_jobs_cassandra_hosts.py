"""Cassandra as others run it: behind a password and TLS, and on a disk that fills."""

import os
import subprocess
import sys
import textwrap
import time

import pyarrow as pa
import pytest

from cluster.configuration import load
from cluster.lifecycle import Cluster
from cluster.services import cassandra as node
from core.errors import JobError
from jobs.stores.cassandra.access import (
    CERTIFICATES,
    PASSWORD,
    TRUST_PASSWORD,
    TRUST_STORE,
    USER,
    Connection,
    connect,
    disconnect,
)
from jobs.stores.cassandra.store import CassandraStore
from tests.conftest import ROOT, cassandra_sets, connected, users

SECRET = "trust-me"


def keytool(*arguments):
    subprocess.run(["keytool", "-storepass", SECRET, *arguments], check=True, capture_output=True)


@pytest.fixture
def certificates(tmp_path):
    """A key store for a node, the authority's certificate as PEM, and a trust store with it."""
    keys, pem, trust = tmp_path / "node.p12", tmp_path / "node.pem", tmp_path / "trust.p12"
    keytool(
        *("-genkeypair", "-keystore", str(keys), "-alias", "node", "-keyalg", "RSA", "-dname", "CN=node"),
        *("-ext", "san=ip:127.0.0.1"),
    )
    keytool("-exportcert", "-keystore", str(keys), "-alias", "node", "-rfc", "-file", str(pem))
    keytool("-importcert", "-keystore", str(trust), "-alias", "node", "-file", str(pem), "-noprompt")
    return keys, pem, trust


@pytest.fixture
def guarded(spark, tmp_path, monkeypatch, certificates):
    """A node that talks to clients over TLS only, and to those that know the password."""
    options = {
        "authenticator": "PasswordAuthenticator",
        "authorizer": "CassandraAuthorizer",
        "client_encryption_options": {
            "enabled": True,
            "optional": False,
            "keystore": str(certificates[0]),
            "keystore_password": SECRET,
        },
    }
    plain = node._configuration
    monkeypatch.setattr(node, "_configuration", lambda *arguments: plain(*arguments) | options)
    cluster = Cluster(load(cassandra_sets(tmp_path / "run"), {}))
    try:
        (address,) = cluster.ensure("cassandra")
        with connected(spark, cluster.settings, address):
            yield Connection.of(spark.conf)
    finally:
        cluster.down()


def test_user_password_and_tls_come_from_the_environment(spark, guarded, monkeypatch, certificates):
    _, pem, trust = certificates
    with pytest.raises(JobError, match=f"{CERTIFICATES} and "):
        connect(guarded)
    monkeypatch.setenv(CERTIFICATES, str(pem))
    monkeypatch.setenv(TRUST_STORE, str(trust))
    monkeypatch.setenv(TRUST_PASSWORD, SECRET)
    monkeypatch.setenv(USER, "cassandra")
    monkeypatch.setenv(PASSWORD, "wrong")
    with pytest.raises(JobError, match=f"{USER} and {PASSWORD}"):
        connect(guarded)
    monkeypatch.setenv(PASSWORD, "cassandra")
    wait_for_user(guarded)
    store = CassandraStore(spark, "guarded")
    store.write("users", users(spark, 10))
    assert store.read("users").count() == 10
    assert store.get("users", 3) == {"user": 3, "key": "a"}
    disconnect(guarded)


def wait_for_user(where):
    """Return when the node has made its first user, ten seconds after its start."""
    end = time.monotonic() + 60
    while True:
        try:
            connect(where)
        except JobError:
            if time.monotonic() > end:
                raise
            time.sleep(1)
        else:
            return


FULL = """
    import os, subprocess, sys
    sys.path.insert(0, {root!r})
    os.environ["PYTHONPATH"] = {root!r}
    from pathlib import Path
    from pyspark.sql import SparkSession
    from cluster.lifecycle import Cluster
    from cluster.configuration import load
    from experiments.run.stores import spark_settings_of
    from jobs.stores.cassandra.access import connect
    from core.errors import JobError
    from jobs.stores.cassandra.store import CassandraStore
    from tests.conftest import cassandra_sets, users
    from tests.spark.test_jobs_cassandra_hosts import many

    cluster = Cluster(load(cassandra_sets(Path(sys.argv[1]) / "run"), {{}}))
    try:
        given = spark_settings_of("cassandra", cluster.settings, cluster.ensure("cassandra"), cluster.driver_host.jars("connector"))
        spark = SparkSession.builder.master("local[2]").config(map={{**given, "spark.ui.enabled": "false"}}).getOrCreate()
        store = CassandraStore(spark, "full")
        store.write("users", users(spark, 1000, "old"))
        try:
            store.write("users", many(spark))
        except JobError as error:
            print("ANSWER", error)
        subprocess.run(["mount", "-o", "remount,size=2g", sys.argv[1]], check=True)
        cluster.up({{"cassandra"}})
        connect.cache_clear()
        print("ANSWER", sum(store.get("users", user) == {{"user": user, "key": "old"}} for user in range(1000)))
    finally:
        cluster.down()
"""


@pytest.mark.timeout(600)
@pytest.mark.long
def test_a_node_whose_disk_is_full_keeps_the_old_table(tmp_path):
    """A disk of its own, which needs no root: a user namespace may mount a tmpfs."""
    script, disk = tmp_path / "full.py", tmp_path / "disk"
    script.write_text(textwrap.dedent(FULL).format(root=str(ROOT)))
    disk.mkdir()
    command = f"mount -t tmpfs -o size=110m tmpfs {disk} && exec {sys.executable} {script} {disk}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True, timeout=540, check=False
    )
    answers = [
        line.removeprefix("ANSWER ") for line in done.stdout.splitlines() if line.startswith("ANSWER ")
    ]
    assert len(answers) == 2, done.stderr[-3000:]
    assert "unchanged" in answers[0]
    assert "full" in answers[0]
    assert answers[1] == "1000"


def many(spark):
    """Some 120 MB that compress badly."""

    def noise(batches):
        for batch in batches:
            keys = [os.urandom(1024).hex() for _ in range(batch.num_rows)]
            yield pa.RecordBatch.from_arrays([batch["id"].cast(pa.int32()), pa.array(keys)], ["user", "key"])

    return spark.range(60_000).mapInArrow(noise, "user int, key string")
