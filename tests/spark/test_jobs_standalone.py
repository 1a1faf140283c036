"""On a real standalone master and worker, executors have only what is shipped to them; `local[*]` cannot show that."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pyspark
import pytest

from datasets.dataset import find
from jobs.request import Request, Result
from tests.conftest import keep_kernels

SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Standalone:
    """One master and one worker, which know nothing of this project's folder."""

    def __init__(self, folder):
        self.folder = folder
        self.port, self.ui = free_port(), free_port()
        self.url = f"spark://127.0.0.1:{self.port}"
        self.processes = []

    def start(self):
        master = ["--host", "127.0.0.1", "--port", str(self.port), "--webui-port", str(self.ui)]
        self.run("master.Master", *master)
        self.wait(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() is None)
        work = [
            "--host",
            "127.0.0.1",
            "--cores",
            "1",
            "--memory",
            "1g",
            "--webui-port",
            "0",
            "-d",
            str(self.folder),
        ]
        self.run("worker.Worker", *work, self.url)
        self.wait(
            lambda: (
                b'"aliveworkers" : 1' in urllib.request.urlopen(f"http://127.0.0.1:{self.ui}/json/").read()
            )
        )

    def run(self, role, *arguments):
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment |= {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1"}
        log = (self.folder / f"{role}.log").open("w")
        command = [SPARK_CLASS, f"org.apache.spark.deploy.{role}", *arguments]
        self.processes.append(
            subprocess.Popen(
                command, env=environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        )

    def wait(self, ready):
        end = time.monotonic() + 90
        while time.monotonic() < end:
            try:
                if ready():
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise AssertionError("\n".join(path.read_text()[-1500:] for path in self.folder.glob("*.log")))

    def stop(self):
        for process in reversed(self.processes):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


@pytest.fixture
def standalone(tmp_path):
    keep_kernels(tmp_path)
    cluster = Standalone(tmp_path)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def application(folder, job, url, **changes):
    settings = {
        "spark.master": url,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.executor.memory": "512m",
        "spark.ui.enabled": "false",
        "spark.default.parallelism": "2",
        "spark.sql.shuffle.partitions": "2",
        "spark.executorEnv.NUMBA_CACHE_DIR": str(folder / "numba"),
    }
    asked = Request(
        job=job, spark=settings, store="parquet", store_root=str(folder / "store"), work=str(folder / "app" / job),
        events=str(folder / f"{job}.jsonl"), executors=1, **changes,
    )  # fmt: skip
    asked.save(folder / f"{job}.request.json")
    command = [sys.executable, "-m", "jobs", job, "--request", f"{folder}/{job}.request.json"]
    done = subprocess.run(
        [*command, "--result", f"{folder}/{job}.json"],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    result = Result.load(folder / f"{job}.json")
    assert done.returncode == 0, f"{result.error}\n{done.stderr[-3000:]}"
    return result


@pytest.mark.timeout(600)  # two applications on a cluster of its own
def test_executors_run_the_shipped_packages(standalone, tmp_path):
    source = find("movielens/100k").source.sample("100k", tmp_path / "data")
    application(
        tmp_path, "preprocess", standalone.url, dataset="movielens/100k", dataset_path=str(source),
        params={"max_rejected_share": 0.9},
    )  # fmt: skip
    params = {"model": "als", "rank": 4, "iterations": 2, "blocks": 2, "test": 0.3, "k": 3, "top_n": 3}
    result = application(tmp_path, "train", standalone.url, params=params)
    assert result.info["executors"] == "1"
    assert result.metrics["coverage"] == 1.0
    assert [phase.phase for phase in result.phases] == ["fit", "score", "recommend"]
    assert list((tmp_path / "app" / "train").glob("recscale-*.zip"))
