"""What goes wrong with containers is said with its cure, and leaves no half of a cluster behind."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from cluster.backends.docker import engine, image
from cluster.backends.docker.backend import Docker
from cluster.configuration import load
from cluster.processes import free_port
from tests.containers.conftest import docker
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(600)


@contextmanager
def made(*arguments):
    docker(*arguments)
    name = arguments[arguments.index("--name") + 1]
    try:
        yield
    finally:
        docker("rm", "-f", name)


def tag():
    return image.image(load([], {}).docker.base).tag


@pytest.fixture(scope="module")
def place(containers):
    containers.cluster("image")
    return containers


def test_no_docker(place, tmp_path):
    (tmp_path / "python").symlink_to(sys.executable)
    said = place.cluster("up", code=3, env={**os.environ, "PATH": str(tmp_path)})
    assert "no program `docker`" in said
    assert "apt-get install docker.io" in said
    assert "BACKEND=local" in said
    found = place.cluster("doctor", code=3, env={**os.environ, "PATH": str(tmp_path)})
    assert "no program `docker`" in found


def test_daemon_that_does_not_run(place, tmp_path):
    away = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path / 'docker.sock'}"}
    said = place.cluster("up", code=3, env=away)
    assert "daemon does not answer: start it" in said
    assert "systemctl start docker" in said
    assert "daemon does not answer" in place.cluster("status", code=3, env=away)


def test_socket_that_this_account_may_not_use():
    """Docker's own words to another account, and what is made of them."""
    if os.getuid() != 0:
        pytest.fail("this test becomes another account, which root alone can")
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "docker", "version"],
        capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], "HOME": "/tmp"},
    )  # fmt: skip
    assert done.returncode != 0
    assert "usermod -aG docker" in engine.explain(done.stderr, "docker version")


def test_port_in_use(place):
    port = place.ports["spark.master_port"]
    with made("run", "-d", "--name", "holds-the-port", "-p", f"127.0.0.1:{port}:1", tag(), "sleep", "600"):
        said = place.cluster("up", code=3)
    assert f"port 127.0.0.1:{port} is taken by" in said
    assert "--set spark.master_port=" in said
    assert place.names() == []


def test_foreign_container_of_the_same_name_is_left_alone(place):
    with made("create", "--name", "spark-worker-2", tag(), "sleep", "1"):
        said = place.cluster("up", code=3)
        assert "name spark-worker-2 is taken" in said
        assert "docker rename spark-worker-2" in said
        assert docker("ps", "-aq", "--filter", "name=spark-worker-2")
    assert place.names() == []


def test_cluster_of_another_folder_is_left_alone(place, tmp_path):
    other = tmp_path / "other"
    with made("create", "--name", "mlflow", "--label", f"recscale.run={other}", tag(), "sleep", "1"):
        said = place.cluster("up", code=3)
    assert f"belongs to the cluster of {other}" in said
    assert "make down BACKEND=docker" in said


def test_too_little_memory(place):
    said = place.cluster("up", code=3, sets=("spark.memory=900g",))
    assert "GiB and Docker has" in said
    assert "MEMORY=1g" in said
    assert place.names() == []


def test_container_that_dies_at_once(place):
    said = place.cluster("up", code=3, sets=("spark.daemon_memory=1m", "spark.workers=1"))
    assert "spark-master ended with exit status 1" in said
    assert "Too small" in said  # the end of its log
    assert place.names() == []


def test_exit_status_is_told_of_what_docker_started_again(place):
    """Its state says 0 from then on."""
    name, once = "spark-worker-1", "test -e /tmp/once && exec sleep 600; touch /tmp/once; exit 7"
    entry = json.loads(place.cluster("compose", sets=("spark.workers=1",)))["services"][name]
    labels = [word for label in entry["labels"].items() for word in ("--label", "=".join(label))]
    with made("run", "-d", "--name", name, "--restart", entry["restart"], *labels, tag(), "sh", "-c", once):
        state = ("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", name)
        eventually(lambda: docker(*state) == "1 running", seconds=60)
        found = Docker(place.settings).running()[name]
    assert not found.alive
    assert found.exit == "ended with exit status 7 and was started again by Docker (restart 1)"


@pytest.fixture
def full_volume(place):
    """The volume of the first Cassandra node, on a disk of 8 MB."""
    name = f"recscale-{place.settings.folder_hash}-cassandra-1"
    docker("volume", "create", "--label", f"recscale.run={place.run_dir}", name)
    there = docker("volume", "inspect", name, "--format", "{{.Mountpoint}}")
    options = f"size=8m,uid={image.user()},mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", there], check=True)
    yield name
    subprocess.run(["umount", there], check=True)


def test_full_disk_in_a_volume(place, full_volume):
    said = place.cluster("up", "cassandra", code=3, sets=("cassandra.nodes=1",))
    assert "cassandra-1 ended with" in said
    assert "its disk is full" in said
    assert "docker system df" in said
    assert place.names() == []


@pytest.fixture
def own_base():
    """A base image of which nothing is built yet."""
    name = f"recscale-tests-base:{os.getpid()}"
    docker(
        "build", "-q", "-t", name, "-", input=f"FROM {load([], {}).docker.base}\nLABEL tests={os.getpid()}\n"
    )
    yield name
    docker("rmi", "-f", name)


def test_image_without_network(place, own_base, tmp_path):
    """Every download goes to a proxy that is not there."""
    nowhere = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    (tmp_path / "config.json").write_text(
        f'{{"proxies": {{"default": {{"httpProxy": "{nowhere}", "httpsProxy": "{nowhere}"}}}}}}'
    )
    away = {**os.environ, "DOCKER_CONFIG": str(tmp_path)}
    said = place.cluster("up", code=3, env=away, sets=(f"docker.base={own_base}",))
    assert "packages could not be downloaded" in said
    assert "run it again" in said
    assert place.names() == []


def test_base_image_that_is_nowhere(place):
    said = place.cluster("image", code=3, sets=("docker.base=localhost:1/no-such-image:1",))
    assert "the base image localhost:1/no-such-image:1 is not here and cannot be pulled" in said


def test_other_backend_of_the_same_folder_is_refused(place):
    place.cluster("up", "mlflow")
    try:
        said = place.cluster("up", "mlflow", code=3, sets=("backend=local",))
        assert "make down BACKEND=docker" in said
    finally:
        place.cluster("down")
    assert place.names() == []


def test_compose_file_is_taken_by_compose_itself(place, tmp_path):
    file = tmp_path / "compose.json"
    file.write_text(place.cluster("compose", sets=("spark.workers=3", "cassandra.nodes=3", "cassandra.rf=3")))
    done = subprocess.run(
        [*engine.composer(), "-f", str(file), "config", "--services"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {"spark-worker-3", "cassandra-3", "mlflow"} <= set(done.stdout.split())
