"""Experiments on a real cluster of their own: from a spec to recorded runs, with faults and interruptions."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from cluster import settings as cluster_settings
from cluster.lifecycle import Cluster
from datasets.sources import SOURCES

pytestmark = pytest.mark.timeout(1200)

SMALL = """
question = "How do two small models do?"
repeats = 1
warmups = {warmups}
applications = {applications}

[fixed]
dataset = "synthetic/ml-latest-small"
"dataset.rows" = 3000
workers = {workers}
cores = 1
memory = "1g"
top_n = 0
k = 5
{fixed}

[grid]
{grid}
"""


class Place:
    """A run folder with settings of its own, in which experiments run as a person runs them."""

    def __init__(self, folder, sets):
        self.folder = folder
        self.sets = sets
        self.settings = cluster_settings.load(sets, {})
        self.run_dir = self.settings.run_dir

    def command(self, *arguments):
        flags = [word for item in self.sets for word in ("--cluster-set", item)]
        return [sys.executable, "-m", "experiments", *arguments, *flags]

    def run(self, *arguments, code=0):
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=1000, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr + self.logs()
        return done.stdout

    def spec(self, name, grid, workers=1, warmups=0, applications=1, fixed=""):
        path = self.folder / f"{name}.toml"
        path.write_text(
            SMALL.format(grid=grid, workers=workers, warmups=warmups, applications=applications, fixed=fixed)
        )
        return str(path)

    def runs(self, name, kind="trial"):
        client = MlflowClient(tracking_uri=f"sqlite:///{self.run_dir / 'mlflow.db'}")
        where = [client.get_experiment_by_name(name).experiment_id]
        found = client.search_runs(where, "", ViewType.ACTIVE_ONLY, order_by=["attributes.start_time ASC"])
        return [run for run in found if run.data.tags["recscale.kind"] == kind]

    @contextmanager
    def started(self, *arguments):
        """Run an experiment beside the test; whatever it leaves is stopped."""
        with (self.folder / "output").open("w") as out:
            process = subprocess.Popen(self.command(*arguments), stdout=out, stderr=out)
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    process.wait(120)

    def output(self):
        return (self.folder / "output").read_text()

    def wait_for(self, process, name, phase, count=1):
        """Wait until an application of an experiment has begun a phase so many times, over all applications."""
        end = time.perf_counter() + 240
        while time.perf_counter() < end:
            assert process.poll() is None, self.output() + self.logs()
            events = [
                json.loads(line)
                for path in sorted((self.run_dir / "experiments" / name).glob("*/*/app-*/events.jsonl"))
                for line in path.read_text().splitlines()
                if line.endswith("}")
            ]
            if sum(item["event"] == "phase_start" and item["phase"] == phase for item in events) >= count:
                return
            time.sleep(0.2)
        pytest.fail(f"{phase} did not start: {self.output()}{self.logs()}")

    def kill_worker(self, name):
        (found,) = (item for item in Cluster(self.settings).status() if item.name == name)
        os.kill(found.pid, signal.SIGKILL)

    def logs(self):
        paths = [*self.run_dir.glob("experiments/**/driver.log")]
        return "".join(f"\n== {path}\n{path.read_text()[-2000:]}" for path in paths[-2:])

    def processes(self):
        """Whatever still runs for this folder."""
        found = []
        for process in psutil.process_iter(["cmdline", "pid"]):
            words = " ".join(process.info["cmdline"] or [])
            if str(self.run_dir) in words and process.pid != os.getpid():
                found.append(words)
        return found


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    from cluster.processes import free_port  # noqa: PLC0415 - a port is free only now

    ports = []
    for _ in range(3):
        ports.append(free_port("127.0.0.1", avoid=ports))
    names = ("spark.master_port", "spark.master_ui_port", "mlflow.port")
    return [f"{name}={port}" for name, port in zip(names, ports, strict=True)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory, sets):
    """One run folder for the tests that can share its prepared data, with no cluster running between them."""
    folder = tmp_path_factory.mktemp("experiments")
    clean = {name: value for name, value in os.environ.items() if name.startswith("RECSCALE_")}
    for name in clean:
        del os.environ[name]
    yield Place(folder, [*sets, f"run_dir={folder / 'run'}", "spark.workers=1", "spark.memory=1g"])
    os.environ.update(clean)


def publish(folder):
    """Write a small folder in the publisher's layout in which every line is good: 40 users, 30 movies."""
    place = SOURCES["movielens"].sample("latest-small", folder)
    movies = [f"{item},Film {item} ({1980 + item}),Drama|Comedy" for item in range(1, 31)]
    ratings = [
        f"{user},{item},{0.5 * (1 + (user * 3 + item * item) % 10)},{1_000_000_000 + user * 100 + item}"
        for user in range(1, 41)
        for item in range(1, 31)
        if (user + 3 * item) % 4
    ]
    (place / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies, ""]))
    (place / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *ratings, ""]))
    (place / "tags.csv").write_text("userId,movieId,tag,timestamp\n")


def test_demo_from_a_publishers_folder_to_a_compared_experiment(shared, tmp_path):
    publish(tmp_path / "data")
    place = Place(tmp_path, [*shared.sets, f"run_dir={tmp_path / 'run'}", f"data={tmp_path / 'data'}"])
    text = place.run("demo", "--repeats", "1")
    assert text.splitlines()[-1].startswith("demo: ok ")
    for label in ("als w1\u00d71c", "als w2\u00d71c", "bias w1\u00d71c", "popularity w2\u00d71c"):
        assert label in text
    assert "data: movielens/latest-small" in text
    assert "harness: " in text
    assert place.processes() == []
    trials = place.runs("demo")
    assert [run.info.status for run in trials] == ["FINISHED"] * 6
    assert {run.data.params["workers"] for run in trials} == {"1", "2"}
    (parent,) = place.runs("demo", "experiment")
    assert parent.info.status == "FINISHED"
    assert "| trial |" in parent.data.tags["mlflow.note.content"]
    report = json.loads((place.run_dir / "reports" / "demo.json").read_text())
    by_label = {trial["label"]: trial for trial in report["trials"]}
    assert "rmse" in by_label["als w1\u00d71c"]["metrics"]
    assert "rmse" not in by_label["popularity w1\u00d71c"]["metrics"]
    assert by_label["als w1\u00d71c"]["seconds"].keys() == {"fit", "score", "recommend", "total"}
    second = by_label["als w2\u00d71c"]
    assert second["speedup"]["refused"] is None or "oversubscribed" in second["speedup"]["refused"]
    metrics = next(run for run in trials if run.info.run_name == "als w1\u00d71c").data.metrics
    assert metrics["spark/fit/tasks"] > 0
    assert metrics["overhead/start_s"] > 0
    assert metrics["phase.fit_s_median"] > 0

    again = place.run("demo", "--repeats", "1")
    assert "6 finished before and skipped, 0 to run" in again
    assert "starting spark" not in again
    assert len(place.runs("demo")) == 6


def test_changed_parameter_runs_only_that_trial_again(shared):
    spec = shared.spec("grows", 'model = ["bias", "popularity"]')
    shared.run("run", spec)
    assert len(shared.runs("grows")) == 2
    spec = shared.spec("grows", 'model = ["bias", "popularity"]\n[grid.bias]\nreg_user = [3.0]')
    text = shared.run("run", spec)
    assert "2 trials, 1 finished before and skipped, 1 to run" in text
    found = shared.runs("grows")
    assert len(found) == 3
    assert found[-1].data.params["reg_user"] == "3.0"
    assert len(shared.runs("grows", "experiment")) == 1
    text = shared.run("report", spec)
    assert len([line for line in text.splitlines() if line.startswith(("bias w", "popularity w"))]) == 2


LONG = 'model = ["als"]\n[grid.als]\niterations = [40]\nrank = [8]\ncheckpoint = [5]'


def test_death_of_the_only_worker_is_a_recorded_failure(shared):
    spec = shared.spec("orphaned", LONG, warmups=8)
    with shared.started("run", spec) as process:
        shared.wait_for(process, "orphaned", "fit", count=2)
        shared.kill_worker("spark-worker-1")
        assert process.wait(200) == 1
    assert "spark-worker-1 died while the application ran" in shared.output()
    (run,) = shared.runs("orphaned")
    assert run.info.status == "FAILED"
    assert "spark-worker-1 died" in run.data.tags["recscale.error"]
    assert run.data.metrics["phase_cold/fit_s"] > 0  # what was measured before is kept
    assert shared.processes() == []


def test_death_of_one_worker_of_two_is_survived_and_said(shared):
    spec = shared.spec("halved", LONG, workers=2, warmups=2)
    with shared.started("run", spec) as process:
        shared.wait_for(process, "halved", "fit")
        shared.kill_worker("spark-worker-2")
        assert process.wait(300) == 0, shared.output() + shared.logs()
    assert "executor(s) lost" in shared.output()
    (run,) = shared.runs("halved")
    assert run.info.status == "FINISHED"
    assert int(run.data.tags["recscale.executors_lost"]) >= 1
    assert run.data.tags["recscale.died"] == "spark-worker-2"


def test_interrupted_experiment_leaves_nothing_and_goes_on(shared):
    spec = shared.spec("stopped", 'model = ["popularity"]', applications=2)
    with shared.started("run", spec) as process:
        shared.wait_for(process, "stopped", "fit", count=2)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
    assert "interrupted" in shared.output()
    assert shared.processes() == []
    (run,) = shared.runs("stopped")
    assert run.info.status == "KILLED"
    assert run.data.tags["recscale.applications"] == "1"
    assert [item.info.status for item in shared.runs("stopped", "experiment")] == ["KILLED"]

    text = shared.run("run", spec)
    assert "[1/1]" in text  # the application that had ended is not run again
    (run,) = shared.runs("stopped")
    assert run.info.status == "FINISHED"
    assert run.data.tags["recscale.applications"] == "2"


def test_preprocess_and_train_use_a_cluster_that_runs_and_leave_it(shared):
    cluster = Cluster(shared.settings)
    cluster.up({"spark"})
    try:
        before = {(item.name, item.pid) for item in cluster.status() if item.state == "running"}
        options = ["--dataset", "synthetic/ml-latest-small", "--set", "dataset.rows=3000"]
        text = shared.run("preprocess", *options)
        assert "stored in" in text or "nothing to do, already in" in text  # an earlier test may have made it
        assert "3,000" in text
        text = shared.run("train", "--model", "bias", *options, "--set", "top_n=0", "--set", "k=5")
        assert "bias w1\u00d71c" in text
        assert "RMSE of bias" in text
        assert {(item.name, item.pid) for item in cluster.status() if item.state == "running"} == before
    finally:
        cluster.down()
    assert shared.processes() == []
