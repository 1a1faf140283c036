"""The commands, probes, the lock and the cleaning: what they say and how they end, without a JVM."""

import fcntl
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import BaseRequestHandler, TCPServer

import pytest

from cluster import cluster_state
from cluster.__main__ import main
from cluster.backends.local.backend import Local
from cluster.clean import sweep
from cluster.configuration import load
from cluster.log_files import follow
from cluster.probe import answers, holds
from cluster.processes import free_port
from cluster.service import Probe, Service
from cluster.settings import ROOT
from core.errors import ServiceError
from core.lock import LOCK, locked
from tests.waiting import eventually


def options(cluster_sets):
    return [part for pair in cluster_sets for part in ("--set", pair)]


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/json/" else 500)
        self.end_headers()
        self.wfile.write(
            json.dumps({"workers": [{"port": 1, "state": "DEAD"}, {"port": 2, "state": "ALIVE"}]}).encode()
        )

    def log_message(self, *_):
        pass


def test_probes_answer_for_what_is_there_only(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        page = f"http://{address}/json/"
        assert answers(Probe("http", page))
        assert answers(Probe("http", page, {"workers": [{"port": 2, "state": "ALIVE"}]}))
        assert not answers(Probe("http", page, {"workers": [{"port": 1, "state": "ALIVE"}]}))
        assert not answers(Probe("http", f"http://{address}/other"))
        assert answers(Probe("tcp", f"127.0.0.1:{free_port('127.0.0.1')},{address}"))
        server.shutdown()
    assert not answers(Probe("tcp", address))
    assert not answers(Probe("http", page))


class Echo(BaseRequestHandler):
    def handle(self):
        self.request.sendall(self.request.recv(4096))


def test_an_answer_that_is_no_http_is_none():
    """As a client gets it that has met itself, which happens on a free port among those that clients are given."""
    with TCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert not answers(Probe("http", f"http://127.0.0.1:{server.server_address[1]}/json/"))
        server.shutdown()


def no_log():
    raise AssertionError("the log was asked for")


def listens(target, expect):
    return target.endswith(expect["port"])


def test_probes_of_a_log_a_program_and_a_function_answer_alone_and_together(tmp_path):
    log = tmp_path / "log"
    line, program = Probe("log", r"^ready on \d+$"), Probe("command", f"test -e '{log}'")
    asked = Probe("call", "here:1,there:1", {"port": "1"}, call=listens)
    assert not answers(line, lambda: log)
    assert not answers(line)  # nobody has its output
    assert not answers(program)
    assert not answers(Probe("command", "no-such-program-anywhere"))
    assert answers(
        asked & Probe("call", "here:1", {"port": "1"}, call=listens), no_log
    )  # a copy of a log takes its time
    log.write_text("not ready on 1\n")
    assert not answers(line, lambda: log)
    assert answers(program)
    assert not answers(line & program & asked, lambda: log)
    log.write_text("begin\nready on 1\nmore\n")
    assert answers(line & program & asked, lambda: log)
    assert not answers(line & Probe("call", "here:1,there:2", {"port": "1"}, call=listens), lambda: log)
    assert (Probe("tcp", "a:1", deadline_s=5) & Probe("tcp", "b:1", deadline_s=7)).deadline_s == 7


def test_json_holds_what_is_expected_whatever_else_it_has():
    value = {"a": 1, "b": [{"c": 2, "d": 3}, {"c": 4}]}
    assert holds(value, {"a": 1, "b": [{"c": 4}, {"c": 2}]})
    assert not holds(value, {"a": 1, "b": [{"c": 4, "d": 3}]})
    assert not holds(value, {"e": None})


def test_a_second_command_waits_and_says_for_whom(tmp_path, caplog):
    second = locked(tmp_path, patience_s=0)
    with locked(tmp_path), pytest.raises(ServiceError, match=f"pid {os.getpid()}"), second:
        pass
    with (tmp_path / LOCK).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        threading.Timer(0.3, lambda: fcntl.flock(file, fcntl.LOCK_UN)).start()
        with locked(tmp_path):
            pass
    assert caplog.messages[-1].startswith("waiting for another command")


def test_a_folder_that_cannot_be_written_names_the_setting(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ServiceError, match="RECSCALE_RUN_DIR"), locked(tmp_path / "file" / "run"):
        pass


def test_following_a_log_gives_its_end_what_is_added_and_a_new_file(tmp_path):
    log = tmp_path / "log"
    log.write_text("one\ntwo\nthree\n")
    text = follow(log, 2)
    assert [next(text), next(text)] == ["two\n", "three\n"]
    threading.Timer(0.1, lambda: log.open("a").write("four\n")).start()
    assert next(text) == "four\n"
    log.rename(tmp_path / "log.1")
    log.write_text("five\n")
    assert next(text) == "five\n"


def test_status_and_down_without_anything_make_no_folder(tmp_path, cluster_sets, capsys):
    assert main(["status", *options(cluster_sets)]) == 0
    assert main(["down", *options(cluster_sets)]) == 0
    output = capsys.readouterr().out
    assert "spark-worker-2" in output
    assert "stopped" in output
    assert "nothing was running" in output
    assert not (tmp_path / "run").exists()


@pytest.fixture
def process(tmp_path):
    """MLflow's place taken by a process that only sleeps."""
    run = tmp_path / "run"
    run.mkdir()
    backend = Local(load([f"run_dir={run}"], {}))
    sleeps = (sys.executable, "-c", "import time; print('slept', flush=True); time.sleep(60)")
    url = "http://127.0.0.1:4999"
    yield backend.start(Service("mlflow", "mlflow", url, sleeps))
    backend.stop("mlflow")


def test_what_runs_is_shown_under_whichever_backend_it_was_started(process, cluster_sets, tmp_path, capsys):
    cluster_state.remember(tmp_path / "run", ["backend=docker"])  # as an earlier cluster of this folder had
    assert main(["status", *options(cluster_sets)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mlflow")]
    assert line.split()[:4] == ["mlflow", "running", str(process.pid), "http://127.0.0.1:4999"]
    eventually(process.log.read_text)
    assert main(["logs", "mlflow", *options(cluster_sets)]) == 0
    assert "slept" in capsys.readouterr().out
    assert main(["up", "mlflow", *options([*cluster_sets, "backend=docker"])]) == 3
    assert "make down BACKEND=local" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["up", "--set", "spark.wrokers=1"], 2, "did you mean 'spark.workers'"),
        (["up", "sprak"], 2, "did you mean 'spark'"),
        (["logs", "spark-mster"], 2, "did you mean 'spark-master'"),
        (["logs", "spark-master"], 3, "`make setup`"),
    ],
)
def test_wrong_names_and_absent_logs_are_said_so(arguments, status, says, cluster_sets, tmp_path, capsys):
    assert main([*arguments, *options(cluster_sets)]) == status
    assert says in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments", [[], ["help"]])
def test_help_names_every_command(arguments, capsys):
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert all(name in output for name in ("up", "down", "status", "logs", "doctor", "clean", "mlflow"))


def test_an_external_service_that_does_not_answer_is_an_error_and_is_shown(cluster_sets, capsys):
    silent = f"spark.master=spark://127.0.0.1:{free_port('127.0.0.1')}"
    assert main(["status", *options([*cluster_sets, silent])]) == 0
    assert "external (does not answer)" in capsys.readouterr().out


def test_clean_removes_what_was_made_keeps_downloads_and_says_so(cluster_sets, tmp_path, capsys):
    run = tmp_path / "run"
    (run / "data").mkdir(parents=True)
    (run / "data" / "ratings.csv").write_text("1,2,3\n")
    (run / "reports").mkdir()
    (run / "reports" / "demo.html").write_text("<p>\n")
    (run / LOCK).touch()
    assert main(["clean", *options(cluster_sets)]) == 0
    output = capsys.readouterr().out
    assert f"removed {run / 'reports'} (4 B)" in output
    assert "(data): `python -m cluster clean --all`" in output
    assert (run / "data" / "ratings.csv").exists()
    assert not (run / "reports").exists()
    assert main(["clean", "--all", *options(cluster_sets)]) == 0
    assert not (run / "data").exists()


def test_cleaning_refuses_a_folder_that_was_not_filled_here(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ServiceError, match=re.escape(str(tmp_path)) + f".*{re.escape(LOCK)}"):
        sweep(tmp_path, everything=True)
    assert (tmp_path / "thesis.tex").exists()


def test_the_package_starts_as_a_module_and_a_closed_pipe_is_no_error(tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "RECSCALE_RUN_DIR": str(tmp_path / "run")}
    line = f"{sys.executable} -m cluster status | head -n 0; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
