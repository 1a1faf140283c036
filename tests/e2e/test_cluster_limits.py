"""A real worker with four fifths of a core: its executor and their Python workers stay in its control group, which goes with it."""

import os
import subprocess
import sys
import time

import pytest

from cluster.backends.local import cgroups
from cluster.configuration import load
from cluster.lifecycle import Cluster
from cluster.processes import command, marked
from core.errors import ServiceError

APPLICATION = """
import sys, time
from pyspark.sql import SparkSession

session = (
    SparkSession.builder.master(sys.argv[1])
    .config("spark.executor.memory", "512m").config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1").config("spark.driver.memory", "512m")
    .config("spark.python.authenticate.socketTimeout", "120s").getOrCreate()
)
session.sparkContext.parallelize(range(1), 1).foreach(lambda _: time.sleep(300))
"""


@pytest.fixture
def cluster(cluster_sets):
    sets = [
        "spark.workers=1",
        "spark.memory=512m",
        "spark.daemon_memory=256m",
        "spark.cpus=0.8",
        "spark.pin=true",
    ]
    cluster = Cluster(load([*cluster_sets, *sets], {}))
    yield cluster
    cluster.down()


def enforceable():
    try:
        cgroups.remove(cgroups.create("recscale-test-enforceable", 0.5))
    except ServiceError:
        return False
    return True


def groups(cluster):
    return list(cgroups.places(cgroups._name(cluster.settings.run_dir.resolve(), "spark-worker-1")))


def members(group):
    return {int(line) for line in (group / "cgroup.procs").read_text().split()}


def test_worker_executor_and_python_workers_share_what_the_worker_was_given(cluster, tmp_path):
    if not enforceable():
        with pytest.raises(ServiceError, match=r"cannot be limited to 0\.8 CPUs.*Next: run as root"):
            cluster.up({"spark"})
        return
    cluster.up({"spark"})
    (group,) = groups(cluster)
    quota = group / "cpu.cfs_quota_us"
    assert (quota if quota.exists() else group / "cpu.max").read_text().split()[0] == "80000"
    (tmp_path / "application.py").write_text(APPLICATION)
    argv = [sys.executable, str(tmp_path / "application.py"), cluster.spark_master]
    with (tmp_path / "driver.log").open("w") as log:
        driver = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
    try:
        ours = wait_for_python(cluster, driver)
        commands = "\n".join(command(process, 5000) for process in ours)
        for name in ("deploy.worker.Worker", "CoarseGrainedExecutorBackend", "pyspark.daemon"):
            assert name in commands
        assert {process.pid for process in ours} <= members(group)
        assert driver.pid not in members(group)
        assert {tuple(process.cpu_affinity()) for process in ours} == {(min(os.sched_getaffinity(0)),)}
        assert "nr_throttled" in (group / "cpu.stat").read_text()
    finally:
        driver.kill()
        driver.wait()
    cluster.down()
    assert not group.exists()
    assert groups(cluster) == []


def wait_for_python(cluster, driver, seconds=120):
    """Return the worker's processes once a Python worker is among them."""
    marker = f"{cluster.settings.run_dir}:spark-worker-1"
    deadline = time.monotonic() + seconds
    while True:
        ours = marked(marker)
        if any("pyspark.daemon" in command(process, 5000) for process in ours):
            return ours
        assert driver.poll() is None, "the application ended"
        assert time.monotonic() < deadline, "no Python worker came"
        time.sleep(0.2)
