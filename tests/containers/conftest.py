"""A cluster in containers for the tests of this folder: one at a time, because names of containers are the machine's."""

import contextlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from cluster import configuration
from cluster.processes import free_port
from tests.conftest import ROOT

_PORTS = (
    *("spark.master_port", "spark.master_ui_port", "mlflow.port", "cassandra.port"),
    *("kafka.port", "kafka.controller_port"),
)


def docker(*arguments, code=0, **options):
    """Run docker and return what it prints."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=300, check=False, **options
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout.strip()


class Containers:
    """A run folder of its own, used through the command line as a person does."""

    def __init__(self, run_dir, *more):
        run_dir.mkdir(parents=True)
        (ROOT / ".run" / "jars").mkdir(parents=True, exist_ok=True)
        (run_dir / "jars").symlink_to(ROOT / ".run" / "jars")
        # This host's machine code of the kernels is the containers', too.
        with contextlib.suppress(FileNotFoundError):
            shutil.copytree(ROOT / ".run" / "numba", run_dir / "numba")
        ports = []
        for _ in _PORTS:
            ports.append(free_port("127.0.0.1", avoid=ports))
        self.run_dir = run_dir
        self.sets = [
            *("backend=docker", f"run_dir={run_dir}", "spark.memory=1g", "spark.driver_memory=1g"),
            *("cassandra.heap=512m", *more),
            *(f"{key}={port}" for key, port in zip(_PORTS, ports, strict=True)),
        ]
        self.ports = dict(zip(_PORTS, ports, strict=True))

    @property
    def settings(self):
        return configuration.load(self.sets, {})

    def cluster(self, command, *arguments, code=0, env=None, sets=()):
        flags = [word for item in (*self.sets, *sets) for word in ("--set", item)]
        done = subprocess.run(
            [sys.executable, "-m", "cluster", command, *arguments, *flags],
            capture_output=True, text=True, timeout=900, check=False, env=env, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def names(self):
        """Names of the containers that belong to this folder, whatever their state."""
        return sorted(
            docker(
                "ps", "-a", "--filter", f"label=recscale.run={self.run_dir}", "--format", "{{.Names}}"
            ).split()
        )

    def inspect(self, name):
        return json.loads(docker("inspect", name))[0]


@pytest.fixture(scope="module", autouse=True)
def no_archive_of_this_host():
    """Take from every JVM's options the archive of this host's classes, which no container sees: a JVM that misses it maps none at all."""
    given = os.environ["JAVA_TOOL_OPTIONS"].split()
    kept = [word for word in given if not word.startswith("-XX:SharedArchiveFile=")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", " ".join(kept))
        yield


@pytest.fixture(scope="module")
def containers(tmp_path_factory):
    """A place whose containers, network and volumes are gone after the module's tests."""
    place = Containers(tmp_path_factory.mktemp("containers") / "run")
    try:
        yield place
    finally:
        place.cluster("clean")
