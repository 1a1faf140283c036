"""A run folder in which experiments run as a person runs them, and a small invented data set."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from cluster import configuration
from cluster.lifecycle import Cluster
from datasets.sources import SOURCES
from experiments.run.identity import preprocess_hash
from tests.conftest import ROOT, keep, keep_kernels, kill

SMALL = """
question = "How do two small models do?"
repeats = 1
warmups = {warmups}
applications = {applications}
partitions = 2

{data}
shape.workers = {workers}
shape.cores = 1
shape.memory = "1g"
job.top_n = {top_n}
job.k = 5
{fixed}

[grid]
{grid}
"""


FEW = 'data.name = "synthetic/ml-latest-small"\ndata.rows = 3000'

PREPARED = ROOT / ".run" / "tests" / "store" / preprocess_hash("parquet")[:12]
"""Generated sets that some test has preprocessed with this code: each is an application that other tests need not run."""


class Place:
    """A run folder with settings of its own, in which experiments run as a person runs them."""

    def __init__(self, folder, sets, *, kept=None):
        self.folder = folder
        self.sets = sets
        self.settings = configuration.load(sets, {})
        self.run_dir = self.settings.run_dir
        if kept is not None:
            keep(self.run_dir, *kept)
            return
        keep_kernels(self.run_dir)
        for folder in PREPARED.glob("synthetic-*"):
            _copy_whole(folder, self.run_dir / "store" / folder.name)

    def command(self, *arguments):
        flags = [word for item in self.sets for word in ("--cluster-set", item)]
        return [sys.executable, "-m", "experiments", *arguments, *flags]

    def run(self, *arguments, code=0):
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=1000, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr + self.logs()
        for manifest in self.run_dir.glob("store/synthetic-*/manifest.json"):
            if manifest.with_name("ratings").is_symlink():  # tables in files, so all of them are here
                _copy_whole(manifest.parent, PREPARED / manifest.parent.name)
        return done.stdout

    def spec(self, name, grid, workers=1, warmups=0, applications=1, fixed="", data=FEW, top_n=0):
        path = self.folder / f"{name}.toml"
        values = {"workers": workers, "warmups": warmups, "applications": applications, "top_n": top_n}
        path.write_text(SMALL.format(grid=grid, fixed=fixed, data=data, **values))
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

    def wait_for(self, process, name, phase, count=1, folders="*/*/app-*"):
        """Wait until an application of an experiment has begun a phase so many times, over all applications.

        Preprocessing is named like an experiment, and the folders of its applications are "*".
        """
        end = time.perf_counter() + 480
        while time.perf_counter() < end:
            assert process.poll() is None, self.output() + self.logs()
            events = [
                json.loads(line)
                for path in sorted((self.run_dir / "experiments" / name).glob(f"{folders}/events.jsonl"))
                for line in path.read_text().splitlines()
                if line.endswith("}")
            ]
            if sum(item["event"] == "phase_start" and item["phase"] == phase for item in events) >= count:
                return
            time.sleep(0.2)
        pytest.fail(f"{phase} did not start: {self.output()}{self.logs()}")

    def kill(self, name):
        kill(Cluster(self.settings), name)

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


def _copy_whole(folder, to):
    """Copy a folder unless it is there; others see the whole of it or nothing."""
    if to.exists():
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=".") as half:
        made = Path(shutil.copytree(folder, Path(half) / "copy", symlinks=True))
        with suppress(OSError):  # another test was quicker
            made.rename(to)


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
