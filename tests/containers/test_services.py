"""All services in containers: what they are, what a person does in them, and that they take another shape."""

import json
import os
import pty
import select
import subprocess
import time
import urllib.request

import pytest

from cluster.lifecycle import Cluster
from tests.containers.conftest import docker

pytestmark = pytest.mark.timeout(900)
ALL = ["cassandra-1", "mlflow", "spark-master", "spark-worker-1", "spark-worker-2"]


@pytest.fixture(scope="module")
def up(containers):
    """Two workers, Cassandra and MLflow."""
    containers.cluster("up", sets=("spark.workers=2", "cassandra.nodes=1"))
    return containers


def alive_workers(place):
    page = f"http://127.0.0.1:{place.ports['spark.master_ui_port']}/json/"
    with urllib.request.urlopen(page, timeout=10) as response:
        return sorted(w["host"] for w in json.load(response)["workers"] if w["state"] == "ALIVE")


def test_everything_runs_and_grows_healthy(up):
    assert up.names() == ALL
    shown = up.cluster("status", sets=("spark.workers=2", "cassandra.nodes=1"))
    assert shown.count("running") == len(ALL)
    pages = [one.url for one in Cluster(up.settings).status() if one.name.startswith("spark-worker-")]
    assert len(pages) == 2
    for page in pages:
        with urllib.request.urlopen(page, timeout=10) as response:
            assert response.status == 200
    end = time.perf_counter() + 240
    while time.perf_counter() < end:
        states = {name: up.inspect(name)["State"]["Health"]["Status"] for name in ALL}
        if set(states.values()) == {"healthy"}:
            break
        assert "unhealthy" not in states.values(), states
        time.sleep(1)
    assert set(states.values()) == {"healthy"}, states


def test_image_is_small_and_nobody_in_it_is_root(up):
    used = up.inspect("spark-master")["Image"]
    assert int(docker("image", "inspect", used, "--format", "{{.Size}}")) < 2.5e9
    for name in ALL:
        owners = set(docker("top", name, "-eo", "pid,uid").split()[3::2])
        assert owners.isdisjoint({"", "0"}), (name, owners)
        assert up.inspect(name)["HostConfig"]["CapDrop"] == ["ALL"]


def test_only_loopback_is_published(up):
    for name in ALL:
        bound = [one for all_ in up.inspect(name)["HostConfig"]["PortBindings"].values() for one in all_]
        assert all(one["HostIp"] == "127.0.0.1" for one in bound), (name, bound)


def test_person_lands_in_the_project_with_everything_on_the_path(up):
    assert docker("exec", "spark-master", "bash", "-c", "pwd; id -un").split() == ["/app", "recscale"]
    assert "preprocess" in docker("exec", "spark-master", "python", "-m", "jobs", "--help")
    where = "for program in python java spark-submit pyspark; do command -v $program; done"
    plain = docker("exec", "spark-master", "sh", "-c", where)
    assert len(plain.split()) == 4
    for shell in ("bash", "sh"):
        assert docker("exec", "spark-master", shell, "-lc", where) == plain
    program = "from pyspark.sql import SparkSession as S; s = S.builder.getOrCreate(); print(s.sparkContext.master, s.range(1000).selectExpr('sum(id)').first()[0])"
    run = f'echo "{program}" > /tmp/sum.py && spark-submit --executor-memory 512m /tmp/sum.py 2>/tmp/err || cat /tmp/err'
    said = docker("exec", "spark-master", "bash", "-c", run)
    assert said.split() == [f"spark://spark-master:{up.ports['spark.master_port']}", "499500"]


def typed(command, text, wanted):
    """Run a command on a real terminal, type, and return what was shown once it holds what is wanted."""
    parent, child = pty.openpty()
    process = subprocess.Popen(command, stdin=child, stdout=child, stderr=child, close_fds=True)
    os.close(child)
    try:
        os.write(parent, text)
        seen, end = b"", time.perf_counter() + 180
        while wanted not in seen and time.perf_counter() < end:
            if select.select([parent], [], [], 1)[0]:
                try:
                    seen += os.read(parent, 4096)
                except OSError:  # the other side closed it
                    break
        assert wanted in seen, seen.decode(errors="replace")
        os.write(parent, b"exit()\n")
        process.wait(60)
    finally:
        process.kill()
        os.close(parent)


def test_prompts_on_a_terminal(up):
    typed(["docker", "exec", "-it", "spark-master", "bash"], b"echo at-$PWD-$((6*7)); exit\n", b"at-/app-42")
    pyspark = ["docker", "exec", "-it", "spark-master", "pyspark", "--executor-memory", "512m"]
    typed(pyspark, b"print('rows', spark.range(6 + 1).count())\n", b"rows 7")


def test_workers_are_reshaped_and_the_others_stay(up):
    shape = ("spark.workers=2", "cassandra.nodes=1")
    first = {name: up.inspect(name)["Id"] for name in ALL}
    up.cluster("up", sets=("spark.workers=3", "cassandra.nodes=1"))
    assert alive_workers(up) == ["spark-worker-1", "spark-worker-2", "spark-worker-3"]
    assert {name: up.inspect(name)["Id"] for name in ALL} == first
    if (os.cpu_count() or 1) > 1:
        assert up.inspect("spark-worker-3")["HostConfig"]["NanoCpus"] == 1_000_000_000  # of one core
    limited = ("spark.workers=1", "cassandra.nodes=1", "spark.cpus=0.5", "spark.pin=true")
    up.cluster("up", sets=limited)
    assert alive_workers(up) == ["spark-worker-1"]
    host = up.inspect("spark-worker-1")["HostConfig"]
    assert (host["NanoCpus"], host["CpusetCpus"]) == (500_000_000, "0")
    up.cluster("up", sets=shape)
    assert alive_workers(up) == ["spark-worker-1", "spark-worker-2"]


def test_logs_are_shown_and_kept(up):
    assert "Starting Spark master" in up.cluster("logs", "spark-master", "--lines", "1000")
    up.cluster("down", "mlflow")
    assert "mlflow" not in up.names()
    assert (up.run_dir / "logs" / "mlflow.log").read_text()
    assert up.cluster("up", "mlflow").count("mlflow is ready")


def test_data_outlives_down_and_goes_with_clean(up):
    cql = f"from cassandra.cluster import Cluster; s = Cluster(['cassandra-1'], port={up.ports['cassandra.port']}).connect(); "
    make = "s.execute(\"create keyspace k with replication={'class':'SimpleStrategy','replication_factor':1}\"); s.execute('create table k.t (a int primary key)'); s.execute('insert into k.t (a) values (42)')"
    docker("exec", "spark-master", "python", "-c", cql + make)
    up.cluster("down")
    assert up.names() == []
    assert "recscale" not in docker("network", "ls", "--format", "{{.Name}}").split()
    up.cluster("up", sets=("spark.workers=1", "cassandra.nodes=1"))
    read = "print(s.execute('select a from k.t').one().a)"
    assert docker("exec", "spark-master", "python", "-c", cql + read) == "42"
    said = up.cluster("clean")
    assert "removed volume" in said
    assert docker("volume", "ls", "-q", "--filter", f"label=recscale.run={up.run_dir}") == ""


def test_secret_stands_in_no_file_and_no_image_and_is_not_lost_on_the_way(up):
    environment = {**os.environ, "RECSCALE_SPARK_SECRET": "not-for-files"}
    up.cluster("up", "spark", sets=("spark.workers=1",), env=environment)
    used = up.inspect("spark-master")
    assert "_SPARK_AUTH_SECRET=not-for-files" in used["Config"]["Env"]
    written = [path for path in up.run_dir.rglob("*") if path.is_file() and "kernels" not in path.parts]
    assert up.run_dir / "compose.json" in written
    assert [path for path in written if b"not-for-files" in path.read_bytes()] == []
    image = docker("image", "inspect", used["Image"]) + docker("history", "--no-trunc", used["Image"])
    assert "not-for-files" not in image + json.dumps(used["Config"]["Labels"])
    first = used["Id"]
    said = up.cluster("up", "spark", sets=("spark.workers=1",), code=3)
    assert "was started with a secret (RECSCALE_SPARK_SECRET) and this command has none" in said
    assert up.inspect("spark-master")["Id"] == first
    up.cluster("down")
