"""A real MLflow server: started, asked, stopped with every helper, used as an external one."""

import os
import signal
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from cluster.__main__ import main
from cluster.configuration import load
from cluster.lifecycle import Cluster
from cluster.processes import marked
from cluster.services.mlflow import MlflowSettings
from core.errors import ServiceError
from experiments.record.recorder import Recorder
from tests.waiting import eventually


def get(url, host=None):
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def cluster(cluster_sets):
    cluster = Cluster(load([*cluster_sets, "mlflow.allowed_hosts=mlflow.example:81"], {}))
    yield cluster
    cluster.down()
    assert members(cluster) == []


def members(cluster):
    return marked(f"{cluster.settings.run_dir}:mlflow")


def test_the_server_starts_answers_its_hosts_and_stops_with_all_its_processes(cluster):
    assert cluster.address("mlflow") is None
    assert cluster.up({"mlflow"}) == ["mlflow"]
    uri = cluster.address("mlflow")
    port = cluster.settings.of(MlflowSettings).port
    assert uri == f"http://127.0.0.1:{port}"
    page = f"{uri}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert [
        get(page, host) for host in (None, f"localhost:{port}", "localhost:1234", "mlflow.example:81")
    ] == [200] * 4
    assert get(page, "evil.example") == 403
    assert get(f"{uri}/") == 200
    assert cluster.up({"mlflow"}) == []

    processes = members(cluster)
    assert len(processes) == 1, [
        process.cmdline() for process in processes
    ]  # a second would import all again
    assert cluster.down() == ["mlflow"]
    assert members(cluster) == []
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)
    assert cluster.address("mlflow") is None
    assert (cluster.settings.run_dir / "mlflow.db").exists()


def test_a_server_that_was_killed_is_seen_as_dead_and_started_again(cluster):
    cluster.up({"mlflow"})
    (leader,) = (status.pid for status in cluster.status() if status.name == "mlflow")
    os.kill(leader, signal.SIGKILL)
    eventually(cluster.died, seconds=20)
    assert [status.detail for status in cluster.died()] == ["ended by SIGKILL"]
    assert cluster.address("mlflow") is None
    assert cluster.up({"mlflow"}) == ["mlflow"]
    assert leader not in {process.pid for process in members(cluster)}


@pytest.fixture
def behind_a_proxy(monkeypatch):
    """An environment whose proxies are not there, and which excepts nothing from them."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "socks5://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")  # what is set here is as it was when the test is over
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("behind_a_proxy")
def test_an_external_server_is_used_and_never_stopped(cluster, cluster_sets, tmp_path, capsys):
    assert main(["mlflow", *(word for pair in cluster_sets for word in ("--set", pair))]) == 0
    uri = cluster.address("mlflow")
    assert f"MLflow: {uri}/#/experiments?workflowType=machine_learning" in capsys.readouterr().out
    guest = Cluster(load([f"run_dir={tmp_path / 'guest'}", f"mlflow.uri={uri}"], {}))
    assert guest.up({"mlflow"}) == []
    assert guest.address("mlflow") == uri
    assert [(status.state, status.detail) for status in guest.status() if status.name == "mlflow"] == [
        ("external", "answers")
    ]
    assert guest.down() == []
    assert get(f"{uri}/health") == 200
    assert Recorder(uri, None).known() == {}


def test_a_server_that_was_killed_while_it_made_its_tables_starts_again(cluster):
    """A killed one leaves what it had begun; nothing of it may stand where the next one looks."""
    database = cluster.settings.run_dir / "mlflow.db"

    def begun():
        return [path for path in database.parent.glob("mlflow.db.*/mlflow.db") if path.stat().st_size > 0]

    with ThreadPoolExecutor() as pool:
        started = pool.submit(cluster.up, {"mlflow"})
        eventually(begun, seconds=60)
        assert not database.exists()
        for process in members(cluster):
            process.kill()
        with pytest.raises(ServiceError):
            started.result()
    assert not database.exists()
    assert cluster.up({"mlflow"}) == ["mlflow"]
    assert database.exists()
