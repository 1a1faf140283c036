"""Experiments whose driver sits in the master's container: the same models as on processes, and what disturbs them."""

import json
import time

import pytest

from cluster.image import image
from experiments.model_equality import SAME_MODEL, distance
from tests.containers.conftest import docker
from tests.e2e.place import Place, publish

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture
def place(containers):
    folder = containers.run_dir.parent
    place = Place(
        folder, [item for item in containers.sets if not item.startswith("backend=")], keeps_kernels=False
    )
    yield place
    assert containers.names() == []  # whatever an experiment started, it stopped


def applications(place, name):
    found = {}
    for path in sorted((place.run_dir / "experiments" / name).glob("*/*/outcome.json")):
        outcome = json.loads(path.read_text())
        found[outcome["shape"]["backend"]] = outcome
    return found


def test_both_backends_fit_the_same_model_in_one_experiment(place):
    grid = 'backend = ["local", "docker"]\nmodel = ["als"]'
    spec = place.spec("both", grid, fixed="rank = 4\niterations = 2")
    said = place.run("run", spec)
    assert "docker: ok" in said
    both = applications(place, "both")
    prints = [both[name]["applications"][0]["fingerprint"] for name in ("local", "docker")]
    assert 0 <= distance(*prints) <= SAME_MODEL
    trials = place.runs("both")
    assert len(trials) == 2
    rmse = [run.data.metrics["rmse"] for run in trials]
    assert abs(rmse[0] - rmse[1]) < 1e-4
    found = {run.data.params["backend"]: run.data.tags for run in trials}
    assert set(found) == {"local", "docker"}
    inside = applications(place, "both")["docker"]["environment"]
    assert inside["backend.foundation"].startswith("docker ")
    tag = image(place.settings.docker.base).tag
    says = "import platform; print(platform.python_version())"
    assert inside["version.python"] == docker("run", "--rm", tag, "python", "-c", says)


def test_demo_runs_with_its_drivers_inside(containers, place):
    publish(place.folder / "data")
    inside = Place(place.folder, [*containers.sets, f"data={place.folder / 'data'}"], keeps_kernels=False)
    said = inside.run("demo", "--repeats", "1")
    assert said.splitlines()[-1].startswith("demo: ok ")
    assert "data: movielens/latest-small" in said
    trials = inside.runs("demo")
    assert [run.info.status for run in trials] == ["FINISHED"] * 8


def test_interrupted_driver_leaves_nothing_in_the_container(place):
    spec = place.spec("cut", 'backend = ["docker"]', warmups=30, fixed='model = "bias"')
    with place.started("run", spec) as process:
        place.wait_for(process, "cut", "fit")
        process.terminate()
        process.wait(120)
    assert "interrupted" in place.output()
    assert not [words for words in place.processes() if "-m jobs" in words]


def test_killed_worker_is_survived_and_recorded(place):
    spec = place.spec("killed", 'backend = ["docker"]', workers=2, warmups=3, fixed='model = "als"\nrank = 8')
    with place.started("run", spec) as process:
        place.wait_for(process, "killed", "fit", count=2)
        docker("kill", "--signal", "KILL", "spark-worker-2")
        end = time.perf_counter() + 300
        while process.poll() is None and time.perf_counter() < end:
            time.sleep(0.5)
        assert process.returncode == 0, place.output() + place.logs()
    assert "executor(s) lost" in place.output()
    (run,) = place.runs("killed")
    assert int(run.data.tags["recscale.executors_lost"]) >= 1
