"""A cluster of several machines: a master, two workers that join it, and a driver, each with a network of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import unset_settings
from tests.e2e.place import Place
from tests.hosts.network import Network

pytestmark = pytest.mark.timeout(1200)

MASTER = "spark://10.77.0.1:7077"
SECRET = "d1ff1cu1t-t0-gu355-4nd-3a5y-t0-f1nd"
FIXED = """
model.name = "als"
data.store = "parquet"
model.blocks = 2
"""
LOSES = """
model.rank = 4
spark."network.timeout" = "20s"
spark."network.timeoutInterval" = "5s"
spark."executor.heartbeatInterval" = "2s"
"""


class Hosts:
    """What a person types on each of the machines."""

    def __init__(self, network, folder):
        self.network = network
        self.folder = folder

    def sets(self, host):
        return [f"host={self.network.hosts[host]}", f"run_dir={self.folder / host}", "spark.memory=1g"]

    def cluster(self, host, *words, code=0, sets=()):
        flags = [part for pair in (*self.sets(host), *sets) for part in ("--set", pair)]
        command = [sys.executable, "-m", "cluster", *words, *flags]
        done = subprocess.run(
            self.network.inside(host, command), capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def join(self, host, *sets):
        return self.cluster(host, "worker", "--master", MASTER, sets=("spark.workers=1", *sets))

    def listed(self):
        """The workers that the master's page shows, as another machine sees it."""
        code = "import urllib.request as u; print(u.urlopen('http://10.77.0.1:8080/json/').read().decode())"
        page = subprocess.run(
            self.network.inside("driver", [sys.executable, "-c", code]),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return {w["host"]: w for w in json.loads(page.stdout)["workers"] if w["state"] == "ALIVE"}


class Driver(Place):
    """The place where experiments run, on a machine of its own; its folder is one that all machines share."""

    def __init__(self, hosts):
        super().__init__(hosts.folder, [*hosts.sets("driver"), f"spark.master={MASTER}"])
        self._network = hosts.network

    def command(self, *arguments):
        return self._network.inside("driver", super().command(*arguments))

    def fails(self, *arguments):
        """Everything that a command says that ends with a failed trial."""
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        unset_settings(patch)
        patch.setenv("RECSCALE_SPARK_SECRET", SECRET)
        with Network(["master", "one", "two", "driver"]) as network:
            found = Hosts(network, tmp_path_factory.mktemp("hosts"))
            found.cluster("master", "up", "spark", sets=("spark.workers=0",))
            found.join("one")
            found.join("two")
            yield found


@pytest.fixture
def driver(hosts):
    return Driver(hosts)


def test_workers_join_from_other_machines_again_and_in_another_shape(hosts):
    found = hosts.listed()
    assert {host: worker["memory"] for host, worker in found.items()} == {
        "10.77.0.2": 1024,
        "10.77.0.3": 1024,
    }
    assert "starting" not in hosts.join("one")
    # Another command there, which names no master, knows what was joined.
    said = hosts.cluster("one", "up", "spark")
    assert "spark-worker-1  running" in said
    assert "start" not in said
    assert hosts.listed()["10.77.0.2"]["id"] == found["10.77.0.2"]["id"]
    assert "starting spark-worker-1" in hosts.join("two", "spark.memory=1536m")
    assert hosts.listed()["10.77.0.3"]["memory"] == 1536


def test_a_master_that_is_silent_is_named_with_what_to_look_at(hosts):
    said = hosts.cluster("driver", "worker", "--master", "spark://10.77.0.1:7099", code=3)
    assert "spark-master at spark://10.77.0.1:7099 does not answer" in said
    assert "make setup HOST=" in said
    assert "starting" not in said
    assert hosts.network.pids("driver") == []


def test_an_experiment_runs_on_both_encrypted_and_the_secret_stays_in_the_environment(hosts, driver):
    wire = hosts.network.sniff()
    driver.run("run", driver.spec("small", "model.rank = [4]", workers=2, fixed=FIXED))
    crossed, readable = hosts.network.heard(wire)
    assert crossed > 100_000
    assert readable == 0
    trials = driver.runs("small")
    assert [run.info.status for run in trials] == ["FINISHED"]
    for run in trials:
        assert run.data.tags["recscale.executors_lost"] == "0"
        assert 0 < run.data.metrics["rmse"] < 2
        assert run.data.metrics["coverage"] > 0.5
    assert files_with(SECRET.encode(), hosts.folder) == []


def test_without_the_secret_a_driver_is_refused_and_told_why(driver, monkeypatch):
    monkeypatch.delenv("RECSCALE_SPARK_SECRET")
    text = driver.fails("run", driver.spec("none", "model.rank = [4]", workers=2, fixed=FIXED))
    assert f"the Spark master at {MASTER} wants a secret" in text
    assert "RECSCALE_SPARK_SECRET" in text
    monkeypatch.setenv("RECSCALE_SPARK_SECRET", "another")
    text = driver.fails("run", driver.spec("other", "model.rank = [4]", workers=2, fixed=FIXED))
    assert f"the Spark master at {MASTER} does not take this application's secret" in text


def test_an_application_outlives_a_machine_that_is_unplugged_and_the_record_says_so(hosts, driver):
    spec = driver.spec("unplugged", "model.iterations = [60]", workers=2, fixed=FIXED + LOSES)
    with driver.started("run", spec) as process:
        driver.wait_for(process, "unplugged", "fit")
        words = [word for host in hosts.network.hosts for word in command_lines(hosts.network.pids(host))]
        hosts.network.unplug("two")
        assert process.wait(300) == 0, driver.output() + driver.logs()
    assert any("CoarseGrainedExecutorBackend" in word for word in words)
    assert not any(SECRET in word for word in words)
    (trial,) = driver.runs("unplugged")
    assert trial.info.status == "FINISHED"
    assert int(trial.data.tags["recscale.executors_lost"]) >= 1
    assert "executor(s) were lost" in trial.data.tags["mlflow.note.content"]
    assert 0 < trial.data.metrics["rmse"] < 2
    assert files_with(SECRET.encode(), hosts.folder) == []


def test_down_stops_the_worker_of_its_machine(hosts):
    assert "spark-worker-1" in hosts.cluster("one", "down")
    assert hosts.network.pids("one") == []


def files_with(text, folder):
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


def command_lines(pids):
    for pid in pids:
        text = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
        yield from text.split("\0")
