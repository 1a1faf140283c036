"""What a trial's key depends on of the settings: each of them is decided, and the key goes by the decision."""

import dataclasses
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from cluster.configuration import flat, load
from cluster.jvm import artifacts
from cluster.service import Service
from cluster.services import SERVICES
from cluster.services.cassandra import CassandraSettings
from cluster.settings import SparkSettings
from cluster.shape import Shape
from experiments.record.run_tags import changes
from experiments.run import environment
from experiments.run.conditions import basis, common, conditions, owner, where
from experiments.run.requests import store_of
from experiments.spec.trial import Data, Trial
from jobs.runtime.request import Request

SHAPE = Shape(2, 1, "1g")
# With these a trial whose tables lie in Cassandra is another one; the others say where things are, run beside it, or are in
# the key by other ways: the trial's shape and store, the hash of the place (Java, image, driver's memory, encryption).
CHANGES_ALL = {"spark.driver_memory": "3g", "spark.daemon_memory": "1g"}
CHANGES_CASSANDRA = {
    "cassandra.nodes": 3, "cassandra.rf": 3, "cassandra.heap": "2g", "cassandra.image": "cassandra:5.0",
    "cassandra.contact_points": ("10.0.0.1",), "cassandra.seeds": ("10.0.0.2",), "cassandra.datacenter": "elsewhere",
}  # fmt: skip
CHANGES_NOTHING = {
    "backend": "docker", "data": Path("/data"), "run_dir": Path("/run"), "host": "127.0.0.9", "advertised": "me", "store": "parquet",
    "maven": "http://127.0.0.1:1", "spark.master_port": 1, "spark.master_ui_port": 2, "spark.driver_host": "me",
    "spark.workers": 7, "spark.cores": 3, "spark.memory": "9g", "spark.cpus": 0.5, "spark.pin": True,
    "spark.java_home": Path("/java"), "cassandra.port": 3, "cassandra.storage_port": 4, "mlflow.uri": "http://127.0.0.1:1",
    "mlflow.port": 5, "mlflow.allowed_hosts": ("me",), "history.servers": 1, "history.port": 6, "history.memory": "3g",
    "kafka.bootstrap_servers": ("10.0.0.3",), "kafka.brokers": 3, "kafka.port": 7, "kafka.controller_port": 8,
    "kafka.heap": "1g", "kafka.max_message": "2m", "docker.base": "debian:12", "docker.network": "other",
}  # fmt: skip
ELSEWHERE = {"spark.master": "spark://10.0.0.1:7077", "spark.joins": True, "spark.encrypt": True}
"""Whose workers they are, and encryption: in the key by `experiments.run.environment.of_workers`."""

BASE = load([], {}).having(CassandraSettings(nodes=1))


def trial(store):
    return Trial("train", "als", {}, SHAPE, Data("movielens/1m", store=store), {}, model={"name": "als"})


def known(settings, store):
    return json.dumps(conditions(settings, trial(store), store), sort_keys=True)


def changed(name, value):
    section, _, key = name.rpartition(".")
    if not section:
        return dataclasses.replace(BASE, **{key: value})
    if section in SERVICES:
        return BASE.having(dataclasses.replace(BASE.of(SERVICES[section].section), **{key: value}))
    return dataclasses.replace(BASE, **{section: dataclasses.replace(getattr(BASE, section), **{key: value})})


def test_every_setting_is_decided():
    assert {*flat(BASE)} == {*CHANGES_ALL, *CHANGES_CASSANDRA, *CHANGES_NOTHING, *ELSEWHERE}


@pytest.mark.parametrize("store", ["parquet", "lake", "cassandra"])
@pytest.mark.parametrize(("name", "value"), CHANGES_ALL.items())
def test_what_every_application_uses_changes_the_key(name, value, store):
    assert known(changed(name, value), store) != known(BASE, store)


@pytest.mark.parametrize(("name", "value"), CHANGES_CASSANDRA.items())
def test_cassandra_changes_the_key_of_trials_that_use_it_and_no_others(name, value):
    assert known(changed(name, value), "cassandra") != known(BASE, "cassandra")
    assert known(changed(name, value), "parquet") == known(BASE, "parquet")


@pytest.mark.parametrize("store", ["parquet", "lake", "cassandra"])
@pytest.mark.parametrize(("name", "value"), CHANGES_NOTHING.items())
def test_places_and_what_runs_beside_are_tags(name, value, store):
    assert known(changed(name, value), store) == known(BASE, store)


@pytest.mark.parametrize(
    ("name", "value"), {**CHANGES_ALL, **CHANGES_CASSANDRA, **CHANGES_NOTHING, **ELSEWHERE}.items()
)
def test_every_setting_is_a_tag_and_those_of_all_trials_keys_are_compared(name, value):
    assert where(changed(name, value))[f"settings.{name}"] == str(value)
    for store, keyed in (("cassandra", {**CHANGES_ALL, **CHANGES_CASSANDRA}), ("parquet", CHANGES_ALL)):
        noted = common(changed(name, value), {store})
        assert (noted != common(BASE, {store})) == (name in keyed or name in ELSEWHERE)
        assert json.loads(json.dumps(noted)) == noted


def test_tags_hold_no_credentials():
    settings = load(["mlflow.uri=https://me:word@one:5000", "maven=https://me:word@two/jars"], {})
    assert where(settings)["settings.mlflow.uri"] == "https://one:5000"
    assert where(settings)["settings.maven"] == "https://two/jars"


@pytest.mark.parametrize(("name", "value"), [("rf", 2), ("heap", "2g")])
def test_nodes_that_are_started_for_a_trial_are_in_its_key(name, value):
    none = BASE.having(CassandraSettings(nodes=0))
    other = none.having(dataclasses.replace(none.of(CassandraSettings), **{name: value}))
    assert known(none, "cassandra") == known(BASE, "cassandra")
    assert known(other, "cassandra") != known(none, "cassandra")


def test_the_connectors_settings_and_jars_are_in_the_key(monkeypatch):
    before = known(BASE, "cassandra")
    spark = conditions(BASE, trial("cassandra"), "cassandra")["spark"]
    assert spark["spark.cassandra.connection.reconnectionDelayMS.max"] == "10000"
    assert "spark.jars" not in conditions(BASE, trial("parquet"), "parquet")["spark"]
    locked = artifacts.locked
    for changed_one in ("connector", "cassandra"):
        monkeypatch.setattr(
            artifacts, "locked", lambda name, one=changed_one: locked(name)[: 1 if name == one else None]
        )
        assert known(BASE, "cassandra") != before


def test_deltas_settings_and_jars_are_in_the_key_of_trials_that_keep_tables_in_it(monkeypatch):
    before, spark = known(BASE, "lake"), conditions(BASE, trial("lake"), "lake")["spark"]
    assert spark["spark.sql.extensions"] == "io.delta.sql.DeltaSparkSessionExtension"
    locked = artifacts.locked
    monkeypatch.setattr(artifacts, "locked", lambda name: locked(name)[: 1 if name == "streams" else None])
    assert known(BASE, "lake") != before


@pytest.mark.parametrize("name", ["contact_points", "seeds"])
def test_servers_of_others_are_told_apart_by_their_hosts_and_not_by_ports(name):
    one, port, other, both = (
        known(BASE.having(CassandraSettings(nodes=1, **{name: points})), "cassandra")
        for points in (("10.0.0.1",), ("10.0.0.1:9999",), ("10.0.0.2",), ("10.0.0.2", "10.0.0.1"))
    )
    assert one == port
    assert len({one, other, both}) == 3


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("spark://two:7077,one:7078", "spark://one,two"),
        ("spark://localhost:7077", "spark://127.0.0.1"),
        ("k8s://https://10.77.0.1:6443", "k8s://https://10.77.0.1"),
        ("yarn", "yarn"),
        ("local[2]", "local[2]"),
        ("[fe80::5]:9043", "[fe80::5]"),
        ("fe80::5", "fe80::5"),
        ("::1", "127.0.0.1"),
    ],
)
def test_somebody_elses_server_is_known_by_its_host(address, found):
    assert owner(address) == found


def test_nodes_that_run_in_another_way_than_the_settings_say_make_another_trial():
    odd = {"cassandra-1": "with another heap"}
    for store, same in (("cassandra", False), ("parquet", True)):
        used = [conditions(BASE, trial(store), store, otherwise) for otherwise in ({}, odd)]
        assert (used[0] == used[1]) == same


def test_jvm_options_that_change_a_time_belong_to_the_place(monkeypatch):
    monkeypatch.setattr(environment, "host", lambda: {"host.cores": 4})
    hashes = set()
    for options in ("", "-Dhttp.proxyPort=3128", "-Xmx1g"):
        monkeypatch.setenv("JAVA_TOOL_OPTIONS", options)
        hashes.add(environment.place_hash("1g", SimpleNamespace(foundation="java 17")))
    assert len(hashes) == 2


def test_a_new_parent_says_which_setting_changed():
    def made(*sets):
        return basis("c", "l", "p", {"movielens-1m": "d1"}, common(load(sets, {}), {"cassandra"}))

    one, three = made("cassandra.nodes=1"), made("cassandra.nodes=3", "cassandra.rf=3", "cassandra.port=9142")
    assert changes(one, one) == []
    nodes, copies = changes(one, three)
    assert re.search(r"^cassandra\.nodes\b.*\b1\b.*\b3$", nodes)
    assert re.search(r"^cassandra\.rf\b.*\b1\b.*\b3$", copies)
    older = {key: value for key, value in one.items() if key not in ("keys", "settings")}
    assert len(changes(older, one)) == 1


def test_spark_settings_of_the_harness_are_in_the_key():
    spark = conditions(BASE, trial("parquet"), "parquet")["spark"]
    assert spark["spark.speculation"] == "false"
    assert spark["spark.driver.memory"] == SparkSettings.driver_memory


def test_a_trials_key_takes_them_and_not_the_number_of_applications():
    one = trial("parquet")
    keys = {one.key("d", "c", "l", "p", {"spark": {"a": value}}) for value in ("1", "2")}
    assert len(keys) == 2
    assert one.key("d", "c", "l", "p") == dataclasses.replace(one, applications=9).key("d", "c", "l", "p")


OF_TRIAL = {
    "job": {"job": "generate"},
    "params": {"params": {"top_n": 9}},
    "model": {"model": {"name": "als", "rank": 9}},
    "spark": {"spark": {"spark.locality.wait": "0s"}},
    "store": {"data": Data("movielens/1m", store="cassandra")},
    "dataset": {"data": Data("movielens/10m", store="parquet")},
    "dataset_options": {"data": Data("movielens/1m", {"rows": 9}, store="parquet")},
    "executors": {"shape": Shape(3, 1, "1g")},
    "warmups": {"warmups": 3},
    "repeats": {"repeats": 7},
}
PLACES = {"store_root", "work", "events", "keep", "dataset_path", "per_user", "application"}


def key(one, identity="d"):
    return one.key(identity, "c", "l", "p", conditions(BASE, one, store_of(one)))


def test_every_field_of_a_request_is_decided():
    """What a request says comes from the trial and its conditions, or only names a place."""
    assert {field.name for field in dataclasses.fields(Request)} == OF_TRIAL.keys() | PLACES


@pytest.mark.parametrize("name", OF_TRIAL)
def test_what_a_request_asks_for_changes_the_key(name):
    one = trial("parquet")
    assert key(dataclasses.replace(one, **OF_TRIAL[name])) != key(one)


@pytest.mark.parametrize(
    "changes", [{"partitions": 32}, {"shape": Shape(2, 1, "1g", 0.5)}, {"shape": Shape(2, 1, "1g", pin=True)}]
)
def test_partitions_limits_and_data_change_the_key(changes):
    one = trial("parquet")
    assert key(dataclasses.replace(one, **changes)) != key(one)
    assert key(one, "d in 8 files") != key(one, "d in 16 files")


def test_every_field_of_a_service_is_decided():
    keyed = {
        "argv",
        "env",
        "files",
        "cpus",
        "pin",
        "image",
        "memory_mb",
        "guests_mb",
        "cores",
        "external",
        "name",
        "group",
        "jars",
    }
    places = {"url", "page", "folders", "keeps", "ports", "needs", "requires"}
    aside = {"secrets", "ready", "grace_s", "hint", "refusal", "by_address", "shares"}
    assert {field.name for field in dataclasses.fields(Service)} == keyed | places | aside
