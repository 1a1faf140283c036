"""A host that has Docker and Python alone: the jars are fetched by the Java of the image."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cluster.backends.docker import image
from cluster.configuration import load
from cluster.jvm import artifacts

pytestmark = pytest.mark.timeout(600)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def mirror(tmp_path):
    """A Maven repository with the pinned jars that this clone has fetched."""
    ours = load([], {})
    for name in image.JARS:
        folder = artifacts.fetch(name, ours)
        for jar in artifacts.locked(name):
            there = tmp_path / "maven" / jar.group.replace(".", "/") / jar.artifact / jar.version
            there.mkdir(parents=True, exist_ok=True)
            if not (there / jar.file).exists():  # some are in both lists
                (there / jar.file).symlink_to(folder / jar.file)
    handler = functools.partial(Quiet, directory=str(tmp_path / "maven"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_jars_come_through_the_image(mirror, tmp_path):
    sets = [
        "backend=docker",
        f"run_dir={tmp_path / 'run'}",
        f"maven={mirror}",
        "spark.java_home=/no/java/here",
    ]
    image.fetch_jars(load(sets, {}))
    for name in image.JARS:
        assert artifacts.present(name, tmp_path / "run")
    assert "Step" in (tmp_path / "run" / "logs" / "image.log").read_text()
