"""Pinned jars from a repository: fetched once, verified, and nothing kept of what is wrong."""

import functools
import hashlib
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cluster.configuration import load
from cluster.jvm import artifacts
from cluster.processes import free_port
from core.errors import ServiceError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A Maven repository with an invented jar in two shapes, and a lock that pins both; gives folder and address."""
    there = tmp_path / "repository" / "org" / "invented" / "thing" / "1.2"
    there.mkdir(parents=True)
    lines = []
    for classifier in ("", "linux"):
        name = "-".join(filter(None, ("thing", "1.2", classifier)))
        (there / f"{name}.jar").write_bytes(f"jar {classifier}".encode())
        digest = hashlib.sha256(f"jar {classifier}".encode()).hexdigest()
        lines.append(":".join(filter(None, ("org.invented", "thing", "1.2", classifier))) + f" {digest}\n")
    locks = tmp_path / "locks"
    locks.mkdir()
    (locks / "things.lock").write_text("# invented\n" + "".join(lines))
    monkeypatch.setattr(artifacts, "LOCKS", locks)
    handler = functools.partial(Quiet, directory=str(tmp_path / "repository"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield there, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def settings(tmp_path, maven):
    return load([f"run_dir={tmp_path / 'run'}", f"maven={maven}"], {})


def test_jars_come_once_with_their_classifiers(repository, tmp_path):
    there, maven = repository
    assert not artifacts.present("things", tmp_path / "run")
    folder = artifacts.fetch("things", settings(tmp_path, maven))
    assert sorted(path.name for path in folder.iterdir()) == ["thing-1.2-linux.jar", "thing-1.2.jar"]
    for jar in there.iterdir():
        jar.unlink()
    assert artifacts.fetch("things", settings(tmp_path, maven)) == folder
    listed = artifacts.listed("things", settings(tmp_path, maven)).split(",")
    assert listed == [(folder / jar.file).as_uri() for jar in artifacts.locked("things")]


def test_a_jar_with_another_checksum_is_refused_and_nothing_is_kept(repository, tmp_path):
    there, maven = repository
    (there / "thing-1.2.jar").write_bytes(b"another")
    with pytest.raises(
        ServiceError, match=r"thing-1.2.jar is not the file that was pinned.*nothing was kept"
    ):
        artifacts.fetch("things", settings(tmp_path, maven))
    assert list((tmp_path / "run" / "jars").iterdir()) == []


def test_without_a_way_to_the_repository_it_says_what_to_do(repository, tmp_path):
    maven = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    with pytest.raises(ServiceError, match=r"2 of 2 jars could not be downloaded(.|\n)*RECSCALE_MAVEN"):
        artifacts.fetch("things", settings(tmp_path, maven))
    assert list((tmp_path / "run" / "jars").iterdir()) == []


def test_every_lock_that_ships_pins_each_jar_once():
    for lock in sorted(artifacts.LOCKS.glob("*.lock")):
        jars = artifacts.locked(lock.stem)
        assert jars
        assert len({jar.file for jar in jars}) == len(jars)
        assert all(len(jar.sha256) == 64 for jar in jars)
