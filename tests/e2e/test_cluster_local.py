"""A real standalone master with real workers: up, again, other shapes, faults, down."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import urllib.request

import psutil
import pytest

from cluster.configuration import load
from cluster.lifecycle import Cluster
from cluster.processes import marked, marks
from cluster.settings import ROOT
from cluster.shape import Shape
from core.errors import ServiceError
from tests.conftest import keep_kernels, kill
from tests.waiting import eventually

SMALL = ["spark.memory=512m", "spark.daemon_memory=256m"]

APPLICATION = """
import sys, time
from pyspark.sql import SparkSession

session = (
    SparkSession.builder.master(sys.argv[1])
    .config("spark.executor.memory", "512m").config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1").config("spark.driver.memory", "512m").getOrCreate()
)

def sleep(_):
    print("in a worker", flush=True)
    time.sleep(300)

print("ready", flush=True)
session.sparkContext.parallelize(range(2), 2).foreach(sleep)
"""


@pytest.fixture
def cluster(cluster_sets):
    cluster = Cluster(load([*cluster_sets, *SMALL], {}))
    yield cluster
    cluster.down()
    assert left(cluster) == set()


def left(cluster):
    """Names of services of this cluster that have living processes."""
    return marks(str(cluster.settings.run_dir))


def listed(cluster):
    """(cores, memory) of each worker that the master lists as alive."""
    page = f"http://127.0.0.1:{cluster.settings.spark.master_ui_port}/json/"
    with urllib.request.urlopen(page, timeout=10) as answer:
        workers = json.loads(answer.read())["workers"]
    return sorted((worker["cores"], worker["memory"]) for worker in workers if worker["state"] == "ALIVE")


def states(cluster):
    return {status.name: status.state for status in cluster.status() if status.name != "mlflow"}


def pids(cluster):
    return {status.name: status.pid for status in cluster.status()}


def test_up_twice_reshaped_and_down(cluster):
    keep_kernels(cluster.settings.run_dir)
    archive = cluster.driver_host.class_archive.option
    assert archive
    everyone = ["spark-master", "spark-worker-1", "spark-worker-2"]
    assert cluster.up({"spark"}) == everyone
    assert {
        name for name, pid in pids(cluster).items() if pid and archive in psutil.Process(pid).cmdline()
    } == {*everyone}
    assert listed(cluster) == [(1, 512), (1, 512)]
    before = pids(cluster)
    assert cluster.up({"spark"}) == []
    assert pids(cluster) == before
    assert (cluster.otherwise({"spark"}), cluster.beside({"spark"})) == ({}, [])
    spark = dataclasses.replace(cluster.settings.spark, daemon_memory="300m")
    asked = Cluster(dataclasses.replace(cluster.settings, spark=spark))
    assert list(asked.otherwise({"spark"})) == everyone
    assert (asked.otherwise({"mlflow"}), asked.beside({"mlflow"})) == ({}, everyone)

    assert cluster.reshape(Shape(1, 1, "512m")) == []
    assert listed(cluster) == [(1, 512)]
    assert pids(cluster)["spark-worker-1"] == before["spark-worker-1"]

    assert cluster.reshape(Shape(2, 2, "640m")) == everyone[1:]
    assert listed(cluster) == [(2, 640), (2, 640)]
    assert pids(cluster)["spark-master"] == before["spark-master"]
    # The master lists a worker a moment before the worker hears of it.
    eventually(lambda: "Successfully registered" in cluster.log_tail("spark-worker-2"))

    assert cluster.down() == list(reversed(everyone))
    assert left(cluster) == set()
    assert set(states(cluster).values()) == {"stopped"}


def test_killed_services_are_seen_as_died_and_come_back(cluster):
    cluster.up({"spark"})
    assert (
        cluster.reshape(Shape(2, 1, "512m")) == []
    )  # afterwards it is told of those that were started before
    kill(cluster, "spark-worker-2")
    eventually(cluster.died, seconds=60)
    assert [(status.name, status.detail) for status in cluster.died()] == [
        ("spark-worker-2", "ended by SIGKILL")
    ]
    assert states(cluster)["spark-worker-2"] == "died"
    kept = pids(cluster)["spark-worker-1"]
    assert cluster.up({"spark"}) == ["spark-worker-2"]
    assert pids(cluster)["spark-worker-1"] == kept
    assert listed(cluster) == [(1, 512), (1, 512)]
    assert cluster.died() == []

    kill(cluster, "spark-master")
    eventually(cluster.died, seconds=60)
    # Workers would come back to a new master in their own time; a person waits for none of that.
    assert cluster.up({"spark"}) == ["spark-master", "spark-worker-1", "spark-worker-2"]
    assert listed(cluster) == [(1, 512), (1, 512)]


def test_executors_and_their_python_workers_end_with_the_cluster(cluster, tmp_path):
    cluster.up({"spark"})
    (tmp_path / "application.py").write_text(APPLICATION)
    with (tmp_path / "driver.log").open("w") as log:
        driver = subprocess.Popen(
            [sys.executable, str(tmp_path / "application.py"), cluster.spark_master],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        marker = f"{cluster.settings.run_dir}:spark-worker-1"
        eventually(
            lambda: any("pyspark.daemon" in " ".join(process.cmdline()) for process in marked(marker)),
            seconds=60,
        )
        children = marked(marker)
        assert len(children) >= 3
        cluster.down()
        assert left(cluster) == set()
        assert not any(process.is_running() and process.status() != "zombie" for process in children)
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()


def test_an_external_master_is_used_and_never_stopped(cluster, cluster_sets, tmp_path):
    settings = load([*cluster_sets, *SMALL, "spark.workers=0"], {})
    owner = Cluster(settings)
    owner.up({"spark"})
    sets = [*cluster_sets, f"run_dir={tmp_path / 'guest'}", f"spark.master={owner.spark_master}"]
    guest = Cluster(load(sets, {}))
    assert guest.up({"spark"}) == []
    assert guest.spark_master == owner.spark_master
    (status,) = (status for status in guest.status() if status.name == "spark-master")
    assert (status.state, status.detail, status.pid) == ("external", "answers", None)
    with pytest.raises(ServiceError, match=f"external master {owner.spark_master}"):
        guest.reshape(Shape(1, 1, "512m"))
    assert guest.down() == []
    assert states(owner) == {"spark-master": "running"}
    owner.down()
    with pytest.raises(ServiceError, match=r"does not answer.*RECSCALE_SPARK_MASTER"):
        guest.up({"spark"})


def test_a_service_that_cannot_start_shows_its_log_and_leaves_nothing(cluster_sets):
    cluster = Cluster(load([*cluster_sets, "spark.daemon_memory=1m"], {}))
    with pytest.raises(ServiceError, match=r"(?s)spark-master ended with exit status.*heap.*Next:"):
        cluster.up({"spark"})
    assert left(cluster) == set()
    assert set(states(cluster).values()) == {"stopped"}


def start_command(cluster, *words):
    settings = cluster.settings
    sets = {
        "run_dir": settings.run_dir,
        "spark.master_port": settings.spark.master_port,
        "spark.master_ui_port": settings.spark.master_ui_port,
        "spark.memory": settings.spark.memory,
        "spark.daemon_memory": settings.spark.daemon_memory,
    }
    options = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    return subprocess.Popen(
        [sys.executable, "-m", "cluster", *words, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_up_leaves_nothing(cluster, number, status):
    command = start_command(cluster, "up", "spark")
    assert any("starting spark-worker-1" in line for line in command.stdout)
    command.send_signal(number)
    command.communicate(timeout=60)
    assert command.returncode == status
    assert left(cluster) == set()
    assert set(states(cluster).values()) == {"stopped"}


def test_what_a_killed_up_has_started_is_found_again(cluster):
    command = start_command(cluster, "up", "spark")
    assert any("starting spark-worker-1" in line for line in command.stdout)
    command.kill()
    command.wait()
    (cluster.settings.run_dir / "services" / "spark-master.json").unlink()
    assert "spark-master" in left(cluster)
    cluster.up({"spark"})
    assert listed(cluster) == [(1, 512), (1, 512)]
    assert (
        len([process for name in left(cluster) for process in marked(f"{cluster.settings.run_dir}:{name}")])
        == 3
    )


def test_two_commands_at_once_make_one_cluster(cluster):
    commands = [start_command(cluster, "up", "spark") for _ in range(2)]
    outputs = [command.communicate(timeout=120)[0] for command in commands]
    assert [command.returncode for command in commands] == [0, 0], outputs
    assert sum("starting spark-master" in output for output in outputs) == 1
    assert listed(cluster) == [(1, 512), (1, 512)]
    assert psutil.pid_exists(pids(cluster)["spark-master"])
