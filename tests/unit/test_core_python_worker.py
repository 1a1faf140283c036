"""What a Python worker does between tasks, on which the speed of every Python task depends."""

import importlib
import os
import socket
import sys
import types
import zipfile
import zipimport

import pytest

from core.python_worker import quicken_python_worker


def written(path, **modules):
    """Write modules (name=text) into a zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in modules.items():
            archive.writestr(f"{name}.py", text)
    return path


def test_an_unchanged_zip_is_read_once_and_a_changed_one_again(tmp_path, monkeypatch):
    path = written(tmp_path / "modules.zip", first="")
    monkeypatch.syspath_prepend(str(path))
    assert importlib.util.find_spec("first")
    importlib.invalidate_caches()
    with monkeypatch.context() as patch:
        patch.setattr(zipimport, "_read_directory", lambda path: pytest.fail(f"read again: {path}"))
        importlib.invalidate_caches()
    written(path, first="", second="")
    os.utime(path, ns=(1, 1))
    importlib.invalidate_caches()
    assert importlib.util.find_spec("second")
    path.unlink()
    importlib.invalidate_caches()
    assert importlib.util.find_spec("second") is None


@pytest.fixture
def connected():
    """Connect two TCP sockets of this machine."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as one,
    ):
        other, _ = server.accept()
        with other:
            yield one, other


def test_a_worker_neither_delays_what_it_sends_nor_what_it_acknowledges(connected, monkeypatch):
    """As `python -m pyspark.daemon` has it: the loop calls `worker` of the main module for each task."""
    daemon = types.ModuleType("__main__")
    exec("def worker(sock, authenticated): return sock, authenticated", vars(daemon))
    monkeypatch.setitem(sys.modules, "__main__", daemon)
    quicken_python_worker()
    quick = daemon.worker
    quicken_python_worker()
    assert daemon.worker is quick
    one, _ = connected
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    assert daemon.worker(one, True) == (one, True)
    assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)


def test_a_process_that_is_no_daemon_stays_as_it_is(monkeypatch):
    program = types.ModuleType("__main__")
    program.worker = quicken_python_worker  # of another module
    monkeypatch.setitem(sys.modules, "__main__", program)
    quicken_python_worker()
    assert program.worker is quicken_python_worker
