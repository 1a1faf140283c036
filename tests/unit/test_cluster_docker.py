"""Services as a compose file, Docker's complaints, and what `up` was told; no engine is needed."""

import json
import re
import tomllib

import pytest

from cluster import cluster_state
from cluster.__main__ import main
from cluster.backends.docker import backend as docker
from cluster.backends.docker import compose, contents, engine
from cluster.backends.docker import image as image_module
from cluster.backends.docker.backend import DockerPlace
from cluster.backends.docker.driver import DockerDriverHost
from cluster.backends.docker.image import Image, image
from cluster.configuration import load
from cluster.service import Address, Port, Probe, Service
from cluster.services import SERVICES, described
from cluster.services.cassandra import CassandraSettings
from cluster.settings import ROOT
from core.errors import ServiceError, UsageError
from experiments.run.stores import files_of

IMAGE = Image("f0und", "recscale:whole")


def rendered(*sets, run_dir="/somewhere/run"):
    settings = load(["backend=docker", f"run_dir={run_dir}", *sets], {})
    place = DockerPlace(settings)
    services = described(settings, place)
    return compose.document(services, settings, IMAGE)


@pytest.mark.parametrize(
    ("ready", "asked"),
    [
        (Probe("command", "test -e '/a file'") & Probe("tcp", "one:1"), ["CMD", "test", "-e", "/a file"]),
        (Probe("log", "ready"), ["one", "80"]),
        (Probe("call", "one:70,one:80", call=lambda *_: True), ["one", "80"]),
    ],
)
def test_a_container_is_asked_what_can_be_asked_inside(ready, asked):
    port = Port("web", Address("one", 80), None)
    service = Service("one", "one", "one:80", ("serve",), ports=(port,), ready=ready)
    entry = compose.document([service], load(["backend=docker"], {}), IMAGE)["services"]["one"]
    assert entry["healthcheck"]["test"][-len(asked) :] == asked


def test_every_replica_is_an_entry_with_its_own_name():
    entries = rendered("spark.workers=3", "cassandra.nodes=2")["services"]
    assert {"spark-worker-1", "spark-worker-2", "spark-worker-3", "cassandra-1", "cassandra-2"} < set(entries)
    assert all(entry["container_name"] == name for name, entry in entries.items())
    assert entries["cassandra-2"]["depends_on"] == {"cassandra-1": {"condition": "service_healthy"}}
    assert entries["spark-worker-3"]["depends_on"] == {"spark-master": {"condition": "service_healthy"}}


def test_a_workers_container_takes_no_more_cpu_time_than_its_cores(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)

    def cpus(*sets):
        return {name: entry.get("cpus") for name, entry in rendered(*sets)["services"].items()}

    assert cpus("spark.workers=1", "spark.cores=2") == {
        "mlflow": None,
        "spark-master": None,
        "spark-worker-1": 2.0,
    }
    assert cpus("spark.workers=1", "spark.cores=2", "spark.cpus=0.5")["spark-worker-1"] == 0.5
    assert (
        cpus("spark.workers=1", "spark.cores=8")["spark-worker-1"] is None
    )  # an engine refuses more than there is


def test_cassandras_own_image_listens_where_it_always_does():
    node = rendered("cassandra.nodes=1", "cassandra.image=cassandra:5.0", "cassandra.port=9142")["services"][
        "cassandra-1"
    ]
    assert node["ports"] == ["127.0.0.1:9142:9042"]
    assert node["healthcheck"]["test"][-2:] == ["cassandra-1", "9042"]


def test_other_machines_addresses_are_not_published():
    with pytest.raises(UsageError, match=r"host: 192\.168\.1\.5 .*backend=local"):
        load(["backend=docker", "host=192.168.1.5"], {})
    entries = rendered("host=localhost", "cassandra.nodes=2")["services"]
    assert entries["cassandra-2"]["ports"] == ["127.0.0.2:9042:9042"]


def test_only_this_hosts_loopback_addresses_are_published():
    entries = rendered("cassandra.nodes=2")["services"]
    ports = [port for entry in entries.values() for port in entry.get("ports", [])]
    assert "127.0.0.1:7077:7077" in ports
    assert "127.0.0.2:9042:9042" in ports
    assert all(port.startswith("127.0.0.") for port in ports)
    assert not any(":7000" in port for port in ports)  # nodes among themselves


def test_health_is_the_probe_asked_from_inside_and_of_itself_alone():
    entries = rendered("spark.workers=2", "cassandra.nodes=2")["services"]
    probe = json.loads(entries["spark-worker-2"]["healthcheck"]["test"][-1])
    assert probe["target"] == "http://spark-master:8080/json/"
    assert probe["expect"]["workers"][0]["host"] == "spark-worker-2"
    assert probe["once"] == {}
    assert entries["cassandra-2"]["healthcheck"]["test"][-2:] == ["cassandra-2", "9042"]


def test_limits_are_the_settings():
    entries = rendered("spark.workers=1", "spark.memory=2g", "spark.cpus=0.5", "spark.pin=true")["services"]
    worker = entries["spark-worker-1"]
    assert worker["cpus"] == 0.5
    assert worker["cpuset"] == "0"
    assert int(worker["mem_limit"].removesuffix("m")) > 2048 + 512 + 1024


def test_data_lie_in_volumes_that_belong_to_the_run_folder():
    document = rendered("cassandra.nodes=1")
    (name,) = document["volumes"]
    mounted = {"type": "volume", "source": name, "target": "/var/lib/recscale"}
    assert document["services"]["cassandra-1"]["volumes"][-1] == mounted
    assert document["volumes"][name]["labels"] == {"recscale.run": "/somewhere/run"}
    other = rendered("cassandra.nodes=1", run_dir="/elsewhere/run")
    assert set(other["volumes"]).isdisjoint(document["volumes"])
    run = {"type": "bind", "source": "/somewhere/run", "target": "/somewhere/run"}
    assert run in document["services"]["spark-master"]["volumes"]


def there(*services, settings):
    """Containers of these services, as Docker describes running ones."""
    document = compose.document(services, settings, IMAGE)
    return {
        name: {
            "record": json.loads(entry["labels"][compose.SERVICE_LABEL]),
            "image": IMAGE.tag,
            "foundation": IMAGE.foundation,
            "data": "",
            "state": {"Running": True, "Restarting": False, "Pid": 7},
            "restarts": 0,
            "limit": int(entry["mem_limit"].removesuffix("m")) << 20,
            "ip": "172.18.0.5",
        }
        for name, entry in document["services"].items()
    }


def test_memory_of_what_runs_already_is_counted_and_once(tmp_path):
    settings = load(["backend=docker", f"run_dir={tmp_path}", "history.servers=1", "cassandra.nodes=1"], {})
    place = DockerPlace(settings)
    everything = described(settings, place)
    groups = {
        service.group: [one for one in everything if one.group == service.group] for service in everything
    }
    whole = docker._memory_mb(everything, {}, 1000)
    assert whole[0] == sum(service.memory_mb for service in everything) + 1000
    assert whole[1] == sum(compose.limit_mb(service) for service in everything)
    running = there(*everything, settings=settings)
    assert docker._memory_mb(everything, running, 1000) == whole
    assert all(docker._memory_mb(some, running, 1000) == whole for some in groups.values())
    # Surplus workers go, a stopped container takes nothing, and without a master here no driver is in a container.
    assert docker._memory_mb(groups["spark"][:1], running, 1000)[0] < whole[0]
    stopped = {name: {**found, "state": {"Running": False}} for name, found in running.items()}
    (mlflow,) = groups["mlflow"]
    assert docker._memory_mb([mlflow], stopped, 1000) == (mlflow.memory_mb, compose.limit_mb(mlflow))


def test_a_page_that_is_not_published_is_shown_by_an_address_that_opens_on_this_host(tmp_path):
    settings = load(["backend=docker", f"run_dir={tmp_path}"], {})
    found = there(*SERVICES["spark_worker"].describe(settings, DockerPlace(settings)), settings=settings)
    running = docker.Docker(settings)._running("spark-worker-1", found["spark-worker-1"])
    assert running.url == "http://172.18.0.5:8081"
    (master,) = SERVICES["spark_master"].describe(settings, DockerPlace(settings))
    shown = docker.Docker(settings)._running("spark-master", there(master, settings=settings)["spark-master"])
    assert (shown.url, shown.page) == ("spark://spark-master:7077", "http://127.0.0.1:8080")


def test_dollars_reach_the_container_as_they_are():
    assert compose._escaped("$HOME") == "$$HOME"


def test_options_for_java_reach_every_jvm():
    entries = rendered("cassandra.nodes=1")["services"]
    inherits = {name for name, entry in entries.items() if "JAVA_TOOL_OPTIONS" in entry["environment"]}
    assert inherits == {name for name in entries if name.startswith(("spark-", "cassandra-"))}


def test_cassandras_own_image_can_be_named():
    entry = rendered("cassandra.nodes=1", "cassandra.image=cassandra:5.0")["services"]["cassandra-1"]
    assert entry["image"] == "cassandra:5.0"
    assert "command" not in entry
    assert "MAX_HEAP_SIZE=1024M" in entry["environment"]
    assert [mount["target"] for mount in entry["volumes"]] == ["/var/lib/cassandra"]
    with pytest.raises(UsageError, match=r"cassandra\.image: cassandra:5\.0 .*backend=docker"):
        load(["cassandra.image=cassandra:5.0"], {})


def test_image_is_named_by_what_it_is_made_of():
    first, other = image("debian:bookworm-slim"), image("another:base")
    assert first == image("debian:bookworm-slim")
    assert first.tag.startswith("recscale:")
    assert first.foundation != other.foundation
    assert first.tag != other.tag


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
            "systemctl start docker",
        ),
        ("failed to connect to the docker API at unix:///x; check if the path is correct", "systemctl start"),
        ("Got permission denied while trying to connect to the Docker daemon socket", "usermod -aG docker"),
        ("write /var/lib/docker/x: no space left on device", "docker system df"),
        ("Bind for 127.0.0.1:7077 failed: port is already allocated", "make doctor"),
        ("something that nobody foresaw", "something that nobody foresaw"),
    ],
)
def test_complaints_of_docker_are_explained(said, told):
    assert told in engine.explain(said, "docker up")


def test_compose_file_is_printed(capsys):
    assert main(["compose", "--set", "spark.workers=2"]) == 0
    assert "spark-worker-2" in json.loads(capsys.readouterr().out)["services"]


def test_what_up_was_told_holds_until_it_is_forgotten(tmp_path):
    run = [f"run_dir={tmp_path}"]
    cluster_state.remember(tmp_path, [*run, "backend=docker", "cassandra.rf=3", "cassandra.nodes=3"])
    cluster_state.remember(tmp_path, ["spark.workers=5"])
    found = load(run, {})
    assert (found.backend, found.of(CassandraSettings).rf, found.spark.workers) == ("docker", 3, 5)
    assert load(run, {"RECSCALE_BACKEND": "local"}).backend == "local"
    assert load([*run, "spark.workers=1"], {}).spark.workers == 1
    cluster_state.forget(tmp_path)
    found = load(run, {})
    assert (found.backend, found.of(CassandraSettings).nodes) == ("docker", 0)  # its volumes are still there
    (tmp_path / cluster_state.FILE).write_text("{")
    with pytest.raises(UsageError, match=r"cluster\.json .*remove"):
        load(run, {})


def test_page_of_contents_explains_all_that_the_image_is_asked_to_hold():
    asked = (
        (ROOT / "cluster" / "backends" / "docker" / "Dockerfile")
        .read_text()
        .partition("--no-install-recommends")[2]
        .partition("&&")[0]
    )
    assert set(asked.replace("\\", " ").split()) == set(contents._ASKED)
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.match(r"[\w-]+", line)[0] for line in dependencies} == set(contents._DIRECT)
    assert set(image_module.JARS) == set(contents._JARS)
    page = (ROOT / "docs" / "image.md").read_text()
    assert all(f"| {name} |" in page for name in (*contents._ASKED, *contents._DIRECT, *contents._JARS))


def test_what_containers_do_not_see_is_refused_with_the_folders_that_they_do(tmp_path, monkeypatch):
    run_dir, data = tmp_path / "run", tmp_path / "data"
    driver_host = DockerDriverHost(load(["backend=docker", f"run_dir={run_dir}", f"data={data}"], {}), IMAGE)
    driver_host.refuse([run_dir / "store", data / "ml-1m", data])
    monkeypatch.setenv("CASSANDRA_CA", str(tmp_path / "authority.pem"))
    monkeypatch.delenv("CASSANDRA_TRUSTSTORE", raising=False)
    with pytest.raises(ServiceError, match=r"authority\.pem .*run and .*data: copy"):
        driver_host.refuse(files_of("cassandra"))
