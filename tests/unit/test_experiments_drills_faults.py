"""When a drill's fault falls, and which processes it may kill."""

import os
import re
import subprocess
import sys
import time

import pytest

from cluster.settings import SERVICE_MARKER
from core.errors import JobError
from experiments.studies.drills import victims
from experiments.studies.drills.fault import Fault

# ---- the fault


def event(name, phase="fit", pass_=1, ago=0.0):
    return {"event": name, "phase": phase, "pass_": pass_, "at": time.perf_counter() - ago}


def test_a_blow_falls_once_in_the_middle_of_its_phase_and_is_mended():
    done = []
    fault = Fault("fit", 1, 10.0, lambda: done.append("hit") or "victim", lambda: done.append("mend"))
    fault({"event": "tick"})
    fault(event("phase_start", pass_=0, ago=9.0))
    fault(event("phase_start", "score", ago=9.0))
    fault(event("phase_start", ago=4.0))
    assert done == []
    fault(event("phase_start", ago=6.0))
    assert done == ["hit"]
    fault({"event": "tick"})
    fault({"event": "tick"})
    assert done == ["hit", "mend"]
    assert fault.victim == "victim"
    assert fault.after_s >= 6.0
    assert fault.mended_s >= 0
    assert fault.struck() > 0


def test_a_phase_that_is_over_too_soon_is_no_drill():
    fault = Fault("fit", 0, 100.0, lambda: "victim")
    with pytest.raises(JobError, match=r"phase fit\b.*never reached"):
        fault.struck()
    fault(event("phase_start", pass_=0, ago=1.0))
    fault(event("phase_end", pass_=0))
    fault({"event": "tick"})
    with pytest.raises(JobError, match="over before the fault"):
        fault.struck()


# ---- victims


@pytest.fixture
def marked(tmp_path):
    """Small programs that carry the mark of a worker of this folder, and one of another folder's."""
    started = []

    def start(run, name, words):
        code = f"import time; print('up', flush=True); time.sleep(60)  # {words}"
        environment = {**os.environ, SERVICE_MARKER: f"{run}:{name}"}
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, start_new_session=True
        )
        process.stdout.readline()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_only_what_carries_the_mark_of_this_folder_is_found_and_killed(tmp_path, marked):
    ours = marked(tmp_path, "spark-worker-2", "CoarseGrainedExecutorBackend")
    first = marked(tmp_path, "spark-worker-1", "CoarseGrainedExecutorBackend")
    python = marked(tmp_path, "spark-worker-1", "pyspark.daemon")
    theirs = marked(tmp_path / "other", "spark-worker-2", "CoarseGrainedExecutorBackend")
    assert [process.pid for process in victims.executors(tmp_path)] == [first.pid, ours.pid]
    assert {process.pid for process in victims.leftovers(tmp_path)} == {first.pid, ours.pid, python.pid}
    assert victims.owner(victims.executors(tmp_path)[-1]) == "spark-worker-2"
    assert victims.kill(victims.service(tmp_path, "spark-worker-2")) == 1
    assert ours.wait(10) == -9
    assert theirs.poll() is None
    with pytest.raises(JobError, match=r"spark-worker-2\b"):
        victims.service(tmp_path, "spark-worker-2")
    moment, left = victims.gone(lambda: victims.leftovers(tmp_path), 0.0)
    assert moment is None
    assert len(left) == 2
    victims.kill(victims.leftovers(tmp_path))
    moment, left = victims.gone(lambda: victims.leftovers(tmp_path), 10.0)
    assert moment is not None
    assert left == []


def test_a_driver_that_this_process_did_not_start_is_not_found(tmp_path):
    with pytest.raises(JobError, match=re.escape(str(tmp_path / "driver.log"))):
        victims.driver(tmp_path)
