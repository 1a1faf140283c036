"""Experiments whose driver sits in the master's container: the same models as on processes, and what disturbs them."""

import json
from pathlib import Path

import pytest

from cluster.backends.docker.image import image
from experiments.results.model_equality import SAME_MODEL, distance
from jobs.runtime.request import Request
from tests.containers.conftest import docker
from tests.e2e.place import Place, publish

pytestmark = pytest.mark.timeout(900)
MOVIELENS = 'data.name = "movielens/latest-small"'


@pytest.fixture
def place(containers):
    """A place whose data are a publisher's files in a folder of its own, which is mounted in the containers."""
    folder = containers.run_dir.parent
    if not (folder / "data").exists():
        publish(folder / "data")
    sets = [item for item in containers.sets if not item.startswith("backend=")]
    # What is kept for other tests is this host's: a link to this clone's folder leads nowhere in a container.
    place = Place(folder, [*sets, f"data={folder / 'data'}"], kept=("classes",))
    yield place
    assert containers.names() == []  # whatever an experiment started, it stopped


def outcomes(place, name):
    found = {}
    for path in sorted((place.run_dir / "experiments" / name).glob("*/*/outcome.json")):
        outcome = json.loads(path.read_text())
        found[outcome["shape"]["backend"], outcome["values"]["model.name"]] = outcome
    return found


def test_both_backends_fit_the_same_models_of_a_publishers_files_in_one_experiment(place):
    grid = 'shape.backend = ["docker", "local"]\nmodel.name = ["als", "bias"]'
    als = "model.als.rank = 4\nmodel.als.iterations = 2"
    said = place.run("run", place.spec("both", grid, applications='"shared"', fixed=als, data=MOVIELENS))
    assert said.count("docker: ok") == 2
    (preprocessed,) = (place.run_dir / "experiments" / "preprocess").glob("*/request.json")
    request = Request.load(preprocessed)
    assert (request.spark["spark.driver.host"], request.dataset) == ("spark-master", "movielens/latest-small")
    assert Path(request.dataset_path).is_relative_to(place.settings.data)  # read inside, at its own path
    both = outcomes(place, "both")
    for model in ("als", "bias"):
        prints = [both[name, model]["applications"][0]["fingerprint"] for name in ("docker", "local")]
        assert 0 <= distance(*prints) <= SAME_MODEL
        assert {both[name, model]["applications"][0]["share"]["of"] for name in ("docker", "local")} == {2}
    trials = {
        (run.data.params["shape.backend"], run.data.params["model.name"]): run for run in place.runs("both")
    }
    assert trials.keys() == both.keys()
    for model in ("als", "bias"):
        rmse = [trials[name, model].data.metrics["rmse"] for name in ("docker", "local")]
        assert abs(rmse[0] - rmse[1]) < 1e-4
    inside = both["docker", "als"]["environment"]
    assert inside["backend.foundation"].startswith("docker ")
    tag = image(place.settings.docker.base).tag
    says = "import platform; print(platform.python_version())"
    assert inside["version.python"] == docker("run", "--rm", tag, "python", "-c", says)


def test_interrupted_driver_leaves_nothing_in_the_container(place):
    spec = place.spec(
        "cut", 'shape.backend = ["docker"]', warmups=30, fixed='model.name = "bias"', data=MOVIELENS
    )
    with place.started("run", spec) as process:
        place.wait_for(process, "cut", "fit")
        process.terminate()
        process.wait(120)
    assert "interrupted" in place.output()
    assert not [words for words in place.processes() if "-m jobs" in words]
