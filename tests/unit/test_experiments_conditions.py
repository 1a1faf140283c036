"""What a trial's key depends on of the settings: each of them is decided, and the key goes by the decision."""

import dataclasses
import json
from pathlib import Path

import pytest

from cluster.settings import CassandraSettings, Settings, SparkSettings, load
from experiments.conditions import conditions, where
from experiments.trial import Data, Shape, Trial
from jobs.request import Request

SHAPE = Shape(2, 1, "1g")
# With these a trial whose tables lie in Cassandra is another one; the others say where things are, run beside it, or are in
# the key by other ways: the trial's shape and store, the hash of the place (Java, image, driver's memory, encryption).
CHANGES_ALL = {"spark.driver_memory": "3g", "spark.daemon_memory": "1g"}
CHANGES_CASSANDRA = {
    "cassandra.nodes": 3, "cassandra.rf": 3, "cassandra.heap": "2g", "cassandra.image": "cassandra:5.0",
    "cassandra.contact_points": ("10.0.0.1",), "cassandra.seeds": ("10.0.0.2",),
}  # fmt: skip
CHANGES_NOTHING = {
    "backend": "docker", "data": Path("/data"), "run_dir": Path("/run"), "host": "127.0.0.9", "advertised": "me", "store": "parquet",
    "maven": "http://127.0.0.1:1", "spark.master_port": 1, "spark.master_ui_port": 2, "spark.driver_host": "me",
    "spark.workers": 7, "spark.cores": 3, "spark.memory": "9g", "spark.cpus": 0.5, "spark.pin": True,
    "spark.java_home": Path("/java"), "cassandra.datacenter": "elsewhere", "cassandra.port": 3, "cassandra.storage_port": 4, "mlflow.uri": "http://127.0.0.1:1",
    "mlflow.port": 5, "mlflow.allowed_hosts": ("me",), "history.servers": 1, "history.port": 6, "history.memory": "3g",
    "docker.base": "debian:12", "docker.network": "other",
}  # fmt: skip
ELSEWHERE = {"spark.master": "spark://10.0.0.1:7077", "spark.joins": True, "spark.encrypt": True}
"""Whose workers they are, and encryption: in the key by `experiments.remote_workers.facts`."""

BASE = dataclasses.replace(load([], {}), cassandra=CassandraSettings(nodes=1))


def trial(store):
    return Trial("train", "als", {"model": "als"}, SHAPE, Data("movielens/1m", store=store), {})


def known(settings, store):
    return json.dumps(conditions(settings, trial(store), store), sort_keys=True)


def changed(name, value):
    section, _, key = name.rpartition(".")
    if not section:
        return dataclasses.replace(BASE, **{key: value})
    return dataclasses.replace(BASE, **{section: dataclasses.replace(getattr(BASE, section), **{key: value})})


def test_every_setting_is_decided():
    names = set()
    for field in dataclasses.fields(Settings):
        value = getattr(BASE, field.name)
        if dataclasses.is_dataclass(value):
            names |= {f"{field.name}.{item.name}" for item in dataclasses.fields(value)}
        else:
            names.add(field.name)
    assert names == {*CHANGES_ALL, *CHANGES_CASSANDRA, *CHANGES_NOTHING, *ELSEWHERE}


@pytest.mark.parametrize("store", ["parquet", "cassandra"])
@pytest.mark.parametrize(("name", "value"), CHANGES_ALL.items())
def test_what_every_application_uses_changes_the_key(name, value, store):
    assert known(changed(name, value), store) != known(BASE, store)


@pytest.mark.parametrize(("name", "value"), CHANGES_CASSANDRA.items())
def test_cassandra_changes_the_key_of_trials_that_use_it_and_no_others(name, value):
    assert known(changed(name, value), "cassandra") != known(BASE, "cassandra")
    assert known(changed(name, value), "parquet") == known(BASE, "parquet")


@pytest.mark.parametrize("store", ["parquet", "cassandra"])
@pytest.mark.parametrize(("name", "value"), CHANGES_NOTHING.items())
def test_places_and_what_runs_beside_are_tags(name, value, store):
    assert known(changed(name, value), store) == known(BASE, store)
    if not name.startswith(("docker.", "maven")):
        assert where(changed(name, value))[f"settings.{name}"] == str(value)


def test_spark_settings_of_the_harness_are_in_the_key():
    spark = conditions(BASE, trial("parquet"), "parquet")["spark"]
    assert spark["spark.speculation"] == "false"
    assert spark["spark.driver.memory"] == SparkSettings.driver_memory


def test_a_trials_key_takes_them_and_not_the_number_of_applications():
    one = trial("parquet")
    keys = {one.key("d", "c", "l", "p", {"spark": {"a": value}}) for value in ("1", "2")}
    assert len(keys) == 2
    assert one.key("d", "c", "l", "p") == dataclasses.replace(one, applications=9).key("d", "c", "l", "p")


def test_every_field_of_a_request_is_decided():
    """What a request says comes from the trial, from the conditions, or only names a place."""
    of_trial = {
        "job",
        "params",
        "spark",
        "store",
        "dataset",
        "dataset_options",
        "executors",
        "warmups",
        "repeats",
    }
    places = {"store_root", "work", "events", "keep", "dataset_path", "per_user", "application"}
    assert {field.name for field in dataclasses.fields(Request)} == of_trial | places
