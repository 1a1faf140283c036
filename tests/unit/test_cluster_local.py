"""Processes: which are ours, which are not, and how all of ours end. Small programs stand in for servers."""

import json
import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from cluster import lifecycle, processes, services
from cluster.backends.local.backend import Local
from cluster.configuration import load
from cluster.dependencies import backwards, layers, stopping
from cluster.processes import free_port
from cluster.readiness import wait
from cluster.service import Address, Port, Probe, Service, ServiceKind
from cluster.settings import ROOT, SERVICE_MARKER
from core.errors import ServiceError
from tests.waiting import eventually

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def backend(tmp_path):
    settings = load([f"run_dir={tmp_path / 'run'}"], {})
    settings.run_dir.mkdir()
    backend = Local(settings)
    yield backend
    for name in set(backend.running()) | backend.orphans():
        backend.stop(name)


@pytest.fixture
def foreign():
    """A process that nobody here started."""
    process = subprocess.Popen([sys.executable, "-c", SLEEP])
    yield process
    process.kill()
    process.wait()


def program(code, name="thing", **values):
    return Service(name=name, group="things", url="", argv=(sys.executable, "-c", code), **values)


def write_record(backend, name, **values):
    record = {
        "group": "things",
        "url": "",
        "page": "",
        "digest": "",
        "requires": [],
        "ports": {},
        "grace_s": 1,
    }
    path = backend.settings.run_dir / "services" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**record, **values}))


def test_a_service_has_a_session_of_its_own_and_is_found_again(backend):
    running = backend.start(program(SLEEP))
    assert running.alive
    assert os.getsid(running.pid) != os.getsid(0)
    again = Local(backend.settings)
    assert again.running()["thing"].pid == running.pid
    assert again.stop("thing")
    assert not psutil.pid_exists(running.pid) or not processes.lives(psutil.Process(running.pid))
    assert again.running() == {}


def test_stopping_what_does_not_run_is_harmless(backend):
    assert backend.stop("thing") is False


@pytest.mark.parametrize("same_start", [False, True])
def test_a_foreign_process_with_the_number_of_a_stale_pid_file_is_not_killed(backend, foreign, same_start):
    started = psutil.Process(foreign.pid).create_time() if same_start else 1.0
    write_record(backend, "thing", pid=foreign.pid, started=started)
    assert backend.running()["thing"].alive is False
    assert backend.stop("thing") is False
    assert foreign.poll() is None
    assert backend.running() == {}


def test_a_damaged_pid_file_does_not_hide_the_process(backend):
    pid = backend.start(program(SLEEP)).pid
    (backend.settings.run_dir / "services" / "thing.json").write_text("{")
    assert backend.orphans() == {"thing"}
    assert backend.stop("thing")
    assert not processes.lives(psutil.Process(pid)) if psutil.pid_exists(pid) else True


def test_helpers_are_ended_with_their_leader_even_out_of_its_group(backend):
    code = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True)\n"
    backend.start(program(code + SLEEP))
    marker = f"{backend.settings.run_dir}:thing"
    eventually(lambda: len(processes.marked(marker)) == 2)
    backend.stop("thing")
    assert processes.marked(marker) == []


def test_helpers_are_ended_though_their_leader_is_dead(backend):
    code = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {SLEEP!r}])\n"
    running = backend.start(program(code + SLEEP))
    marker = f"{backend.settings.run_dir}:thing"
    eventually(lambda: len(processes.marked(marker)) == 2)
    os.kill(running.pid, signal.SIGKILL)
    eventually(lambda: not backend.running()["thing"].alive)
    assert backend.running()["thing"].exit == "ended by SIGKILL"
    assert backend.stop("thing")
    assert processes.marked(marker) == []


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(7)", "ended with exit status 7"),
        ("pass", "ended with exit status 0"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "ended by SIGTERM"),
        ("raise SystemExit(255)", "ended with exit status 255"),
    ],
)
def test_how_a_service_ended_is_known_to_commands_that_did_not_start_it(backend, code, status):
    backend.start(program(code))
    other = Local(backend.settings)
    eventually(lambda: not other.running()["thing"].alive)
    assert other.running()["thing"].exit == backend.running()["thing"].exit == status


def test_how_a_service_of_an_earlier_command_ended_is_known(backend):
    """The command that started it is gone, and with it the only parent that the system tells a status to."""
    code = f"""
from cluster.backends.local.backend import Local
from cluster.service import Service
from cluster.configuration import load
Local(load(["run_dir={backend.settings.run_dir}"], {{}})).start(Service("thing", "things", "", {(sys.executable, "-c", SLEEP)!r}))
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    running = backend.running()["thing"]
    assert running.alive
    os.kill(running.pid, signal.SIGKILL)
    eventually(lambda: not backend.running()["thing"].alive)
    assert backend.running()["thing"].exit == "ended by SIGKILL"


def test_a_service_lives_on_without_its_keeper_and_nothing_is_left_of_either(backend):
    running = backend.start(program(SLEEP))
    kept = psutil.Process(running.pid).parent()
    kept.kill()
    eventually(lambda: not processes.lives(kept))
    assert backend.running()["thing"].alive
    os.kill(running.pid, signal.SIGKILL)
    eventually(lambda: not backend.running()["thing"].alive)
    assert backend.running()["thing"].exit == "ended by itself"
    backend.stop("thing")
    assert list((backend.settings.run_dir / "services").iterdir()) == []


def test_a_stopped_service_leaves_no_keeper_and_no_file(backend):
    running = backend.start(program(SLEEP))
    kept = psutil.Process(running.pid).parent()
    assert Local(backend.settings).stop("thing")
    assert not processes.lives(kept)
    assert list((backend.settings.run_dir / "services").iterdir()) == []


def test_one_that_will_not_listen_is_ended_by_force(backend, tmp_path):
    ready = tmp_path / "ready"
    code = f"import signal, time, pathlib\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\npathlib.Path({str(ready)!r}).touch()\n"
    backend.start(program(code + SLEEP, grace_s=0.2))
    eventually(ready.exists)
    assert backend.stop("thing")
    assert backend.running() == {}


def test_services_of_another_folder_are_not_ours(backend, tmp_path):
    other = Local(load([f"run_dir={tmp_path / 'other'}"], {}))
    other.settings.run_dir.mkdir()
    running = other.start(program(SLEEP))
    try:
        assert backend.running() == {}
        assert backend.orphans() == set()
        assert backend.stop("thing") is False
        assert psutil.pid_exists(running.pid)
    finally:
        other.stop("thing")


def test_what_bends_spark_elsewhere_does_not_reach_a_service(backend, monkeypatch, tmp_path):
    monkeypatch.setenv("SPARK_HOME", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    backend.start(program("import os; print(dict(os.environ))", env={"SPARK_LOCAL_IP": "127.0.0.1"}))
    eventually(lambda: not backend.running()["thing"].alive)
    text = backend.log("thing").read_text()
    assert "/elsewhere" not in text
    assert "SPARK_LOCAL_IP" in text
    assert SERVICE_MARKER in text


def test_a_taken_port_names_its_holder_and_the_setting(backend):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = Port("http", Address("127.0.0.1", server.getsockname()[1]), "mlflow.port")
        with pytest.raises(ServiceError) as caught:
            backend.start(program(SLEEP, ports=(port,)))
    message = str(caught.value)
    assert f"pid {os.getpid()}" in message
    assert "--set mlflow.port=" in message
    assert "RECSCALE_MLFLOW_PORT=" in message
    assert backend.running() == {}


def test_a_host_that_is_not_of_this_machine_is_said_so(backend):
    port = Port("http", Address("192.0.2.1", 5000), "mlflow.port")
    with pytest.raises(ServiceError, match=r"thing .*--set host=127\.0\.0\.1"):
        backend.start(program(SLEEP, ports=(port,)))


def test_a_missing_program_is_said_so(backend):
    with pytest.raises(ServiceError, match=r"thing cannot start.*setup\.sh"):
        backend.start(Service(name="thing", group="things", url="", argv=("/no/such/program",)))
    assert backend.running() == {}


def test_a_service_that_dies_early_is_noticed_before_its_deadline(backend):
    probe = Probe("tcp", f"127.0.0.1:{free_port('127.0.0.1')}", deadline_s=600)
    service = program("import sys; print('no room for me'); sys.exit(7)", ready=probe, hint="make room")
    backend.start(service)
    with pytest.raises(ServiceError) as caught:
        wait([service], backend, lambda _: None)
    message = str(caught.value)
    assert message.startswith("thing ")
    assert "status 7" in message
    assert "no room for me" in message
    assert message.endswith("make room")


def test_a_service_that_is_never_ready_fails_at_its_deadline(backend):
    probe = Probe("tcp", f"127.0.0.1:{free_port('127.0.0.1')}", deadline_s=0.3)
    service = program(SLEEP, ready=probe)
    backend.start(service)
    with pytest.raises(ServiceError, match=r"thing .*ready after 0 s"):
        wait([service], backend, lambda _: None)


def test_the_log_before_this_one_is_kept(backend):
    for text in ("first", "second"):
        backend.start(program(f"print({text!r})"))
        eventually(lambda: not backend.running()["thing"].alive)
        backend.stop("thing")
    log = backend.log("thing")
    assert log.read_text() == "second\n"
    assert log.with_name("thing.log.1").read_text() == "first\n"


def test_order_follows_what_is_required():
    a, b, c = (
        program("", name, requires=requires)
        for name, requires in (("a", ("b", "x")), ("b", ()), ("c", ("a",)))
    )
    assert [[s.name for s in layer] for layer in layers([a, b, c])] == [["b"], ["a"], ["c"]]
    assert [s.name for s in backwards([a, b, c])] == ["c", "a", "b"]
    with pytest.raises(ValueError, match="a, b"):
        layers([program("", "a", requires=("b",)), program("", "b", requires=("a",))])


def test_nodes_of_one_kind_stop_at_the_same_time_and_after_what_depends_on_them():
    first, second, user, other = (
        program("", name, requires=requires)
        for name, requires in (
            ("n-1", ()),
            ("n-2", ("n-1",)),
            ("user", ("n-2", "n-1", "gone")),
            ("other", ()),
        )
    )
    assert stopping([first, second, user, other]) == [["user", "other"], ["n-2", "n-1"]]
    circle = [program("", "a", requires=("b",)), program("", "b", requires=("a",))]
    assert stopping(circle) == [["a", "b"]]
    assert stopping([]) == []


def test_a_service_that_does_not_end_keeps_no_other_of_its_group_from_ending(tmp_path, monkeypatch):
    programs = tuple(program(SLEEP, f"n-{number}") for number in (1, 2, 3))
    monkeypatch.setattr(services, "SERVICES", {"n": ServiceKind(lambda *_: programs)})
    cluster = lifecycle.Cluster(load([f"run_dir={tmp_path}"], {}))
    assert cluster.up() == ["n-1", "n-2", "n-3"]
    stop = Local.stop

    def stops(self, name):
        ran = stop(self, name)
        if name == "n-2":
            raise ServiceError("n-2 does not stop")
        return ran

    monkeypatch.setattr(Local, "stop", stops)
    with pytest.raises(ServiceError, match="n-2"):
        cluster.down()
    assert {one.name for one in cluster.status() if one.state == "running"} == set()
