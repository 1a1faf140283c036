"""Real jobs that are slow for one reason get that verdict and no other, healthy ones get none; Spark shows the same logs."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from cluster.configuration import load
from cluster.lifecycle import Cluster
from cluster.processes import free_port
from cluster.services.history import HistorySettings
from experiments.results.events import Tail
from experiments.results.outcome import Application
from experiments.results.parts import Launched
from experiments.telemetry import telemetry
from experiments.telemetry.bottleneck.verdict import judged
from jobs.runtime.request import Result
from tests.e2e.troubled import APPLICATIONS

pytestmark = pytest.mark.long

CAUSES = {
    "healthy": [],
    "python": [],
    "skewed": ["skewed"],
    "starved": ["starved"],
    "driver": ["driver-bound"],
    "sorting": [],
    "spilling": ["spilling"],
    "allocating": ["GC-bound"],
    "shuffling": ["shuffle-bound"],
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Run an application when it is first asked for, and keep its log."""
    place = tmp_path_factory.mktemp("troubled")

    def of(name):
        folder = place / name
        if not folder.exists():
            program = Path(__file__).with_name("troubled.py")
            done = subprocess.run(
                [sys.executable, str(program), name, str(folder)],
                capture_output=True, text=True, timeout=280, check=False, env={**os.environ, "PYSPARK_PYTHON": sys.executable},
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
        return folder

    return of


@pytest.mark.parametrize(
    ("name", "phase"), [(name, phase) for name, (_, phases) in APPLICATIONS.items() for phase in phases]
)
def test_each_gets_its_own_verdict_and_no_other(folders, name, phase):
    folder = folders(name)
    found = telemetry.read(folder / "eventlog").digest(Tail(folder / "events.jsonl").new())
    assert found["ended"]
    assert not found["truncated"]
    (one,) = (
        item
        for item in judged(
            [Application.of(0, Launched(Result("train", "ok"), "ok", None, None, None, 1.0), found)]
        )
        if item.phase == phase
    )
    assert one.causes == CAUSES[phase], (one.lost, one.saved, one.totals)
    assert all(one.sentence(cause).startswith(f"{phase}: ") for cause in one.causes)


def test_a_log_cut_off_in_the_middle_of_a_phase_tells_the_phase_so_far(folders, tmp_path):
    folder = folders("roomy")
    (log,) = (path for path in (folder / "eventlog").iterdir() if not path.name.startswith("."))
    lines = log.read_bytes().splitlines(keepends=True)
    last = max(
        n
        for n, line in enumerate(lines)
        if b'"spark.jobGroup.id":"skewed#1"' in line and b"JobStart" in line[:40]
    )
    ends = [
        n for n, line in enumerate(lines) if n > last and line.startswith(b'{"Event":"SparkListenerTaskEnd"')
    ]
    cut = ends[3]
    (tmp_path / (log.name + ".inprogress")).write_bytes(
        b"".join(lines[:cut]) + lines[cut][: len(lines[cut]) // 2]
    )
    said = Tail(folder / "events.jsonl").new()
    begun = next(n for n, event in enumerate(said) if event.get("phase") == "skewed")
    found = telemetry.read(tmp_path).digest(said[: begun + 1])
    assert (found["truncated"], found["ended"]) == (True, False)
    assert [(use["phase"], use["complete"]) for use in found["phases"]] == [
        ("healthy", True), ("python", True), ("skewed", False),
    ]  # fmt: skip
    assert found["groups"]["skewed#1"]["tasks"] >= 3
    assert found["phases"][-1]["busy_s"] > 0


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def test_sparks_history_server_lists_and_opens_the_applications(folders, cluster_sets):
    sets = [*cluster_sets, f"history.port={free_port('127.0.0.1')}", "history.memory=512m"]
    cluster = Cluster(load(sets, {}))
    place = cluster.settings.run_dir / "experiments" / "demo" / "key" / "attempt" / "app-0"
    shutil.copytree(folders("roomy") / "eventlog", place / "eventlog")
    flags = [word for pair in sets for word in ("--cluster-set", pair)]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "experiments", "history", *flags],
            capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        page = f"http://127.0.0.1:{cluster.settings.of(HistorySettings).port}"
        assert f"Spark's history of 1 application(s): {page}" in done.stdout
        end = time.monotonic() + 60
        while not (listed := get(f"{page}/api/v1/applications")):
            assert time.monotonic() < end, "nothing is listed"
            time.sleep(0.5)
        (one,) = listed
        assert one["name"] == "roomy"
        assert one["attempts"][0]["completed"] is True
        stages = get(f"{page}/api/v1/applications/{one['id']}/stages")
        assert {"COMPLETE"} == {stage["status"] for stage in stages}
        assert sum(stage["numCompleteTasks"] for stage in stages) > 40
    finally:
        assert cluster.down() == ["spark-history"]
