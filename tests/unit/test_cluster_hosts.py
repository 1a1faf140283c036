"""Several machines: settings that let them find and trust one another, and the services described from these."""

import dataclasses
import json
import os
import sys
from pathlib import Path

import pytest

from cluster import hosts, security, services
from cluster.__main__ import main
from cluster.backends.docker import compose
from cluster.backends.docker.backend import DockerPlace
from cluster.backends.docker.image import Image
from cluster.backends.local.backend import Local, LocalPlace
from cluster.backends.local.driver import LocalDriverHost
from cluster.configuration import load
from cluster.lifecycle import Cluster
from cluster.service import Service, ServiceKind
from cluster.services import SERVICES
from cluster.shape import Shape
from core.errors import JobError, ServiceError, UsageError
from experiments.run import environment
from experiments.run.environment import for_driver, place_hash
from experiments.run.spark_settings import spark_settings
from jobs.runtime.master_handshake import _advice
from jobs.runtime.session import _answers, _unreachable

JOINS = ["spark.master=spark://10.77.0.1:7077", "spark.joins=true", "host=10.77.0.2"]
SECRET = {"RECSCALE_SPARK_SECRET": "quite-a-long-secret"}


def described(kind, sets, tmp_path):
    settings = load([*sets, f"run_dir={tmp_path}", "spark.java_home=/java"], {})
    ports = {(f"spark-worker-{n}", name): 40000 + 2 * n for n in (1, 2, 3) for name in ("rpc", "ui")}
    return SERVICES[kind].describe(settings, Place(settings, ports))


class Place(LocalPlace):
    def path(self, kind):
        return Path("/there") / kind


def test_workers_that_join_are_ready_when_the_masters_page_lists_them_whoever_else_is_there(tmp_path):
    first, second = described("spark_worker", [*JOINS, "spark.memory=3g"], tmp_path)
    assert first.argv[-1] == "spark://10.77.0.1:7077"
    assert first.ready.target == "http://10.77.0.1:8080/json/"
    (listed,) = first.ready.expect["workers"]
    assert (listed["host"], listed["memory"], listed["state"]) == ("10.77.0.2", 3072, "ALIVE")
    assert "aliveworkers" not in first.ready.expect
    assert first.digest != second.digest
    assert "RECSCALE_SPARK_SECRET" in first.hint
    (master,) = described("spark_master", JOINS, tmp_path)
    assert master.external
    assert first.requires == (master.name,)
    assert "make setup HOST=" in master.hint


def test_the_masters_page_may_have_another_port(tmp_path):
    first, _ = described("spark_worker", [*JOINS, "spark.master_ui_port=8090"], tmp_path)
    assert first.ready.target == "http://10.77.0.1:8090/json/"


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["spark.joins=true"], r"spark\.joins.*make worker MASTER="),
        (
            [*JOINS, "spark.master=spark://10.77.0.1"],
            r"spark\.master: 'spark://10\.77\.0\.1' .*spark://host:port",
        ),
        ([*JOINS, "spark.master=10.77.0.1:7077"], r"spark\.master: '10\.77\.0\.1:7077' .*spark://host:port"),
        (
            [*JOINS, "spark.master=spark://10.77.0.1:77777"],
            r"spark\.master: 'spark://10\.77\.0\.1:77777' .*spark://host",
        ),
        ([*JOINS, "spark.master=spark://a:7077,b:7077"], r"spark\.joins: spark://a:7077,b:7077 .*2 masters"),
        ([*JOINS, "spark.workers=0"], r"spark\.workers .*1 or more.*got 0"),
        ([*JOINS, "host=127.0.0.1"], r"host: 127\.0\.0\.1 .*10\.77\.0\.1.*HOST="),
        ([*JOINS, "host=localhost"], r"host: localhost .*10\.77\.0\.1.*HOST="),
        (["spark.encrypt=true"], "openssl rand -hex 32"),
        (["advertised=0.0.0.0"], r"advertised: .*'0\.0\.0\.0'"),
        (["spark.driver_host=a b"], r"spark\.driver_host: .*'a b'"),
        (["advertised=node.example", "cassandra.nodes=2"], r"advertised: .*2 nodes.*cassandra\.nodes=1"),
        (["cassandra.seeds=10.77.0.1"], r"cassandra\.seeds.*got 0.*cassandra\.nodes=1"),
        (["cassandra.seeds=10.77.0.1", "cassandra.nodes=1"], r"cassandra.seeds.*HOST="),
        (
            ["cassandra.seeds=10.77.0.1", "cassandra.contact_points=10.77.0.1"],
            r"cassandra\.seeds.*cassandra\.contact_points",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_the_next_step(sets, says):
    with pytest.raises(UsageError, match=says):
        load(sets, {})


def test_a_loopback_master_may_be_joined_from_loopback():
    assert load(["spark.master=spark://127.0.0.1:7077", "spark.joins=true"], {}).spark.joins
    assert hosts.loopback("::1")
    assert not hosts.loopback("node.example")
    assert hosts.masters("spark://[fd00::1]:7077,node.example:7078") == [
        ("fd00::1", 7077),
        ("node.example", 7078),
    ]


def test_the_command_says_what_is_wrong_and_what_to_type(capsys, tmp_path):
    sets = ["--set", f"run_dir={tmp_path}"]
    assert main(["worker", "--master", "spark://10.77.0.1:7077", *sets]) == 2
    told = capsys.readouterr().err
    assert [name for name in ("10.77.0.1", "spark.master", "HOST=") if name not in told] == []
    assert main(["worker", "--master", "10.77.0.1", *sets]) == 2
    told = capsys.readouterr().err
    assert [
        name for name in ("spark.master", "'10.77.0.1'", "spark://192.168.1.5:7077") if name not in told
    ] == []


def test_a_master_of_our_own_is_not_stopped_for_workers_that_join_another(tmp_path):
    (tmp_path / "services").mkdir()
    record = {
        "group": "spark",
        "url": "spark://127.0.0.1:7077",
        "page": "",
        "pid": os.getpid(),
        "started": 0.0,
    }
    record |= {"digest": "", "requires": [], "ports": {}, "grace_s": 1.0}
    (tmp_path / "services" / "spark-master.json").write_text(json.dumps(record))
    with pytest.raises(ServiceError, match=r"master \(spark://127\.0\.0\.1:7077\).*make setup WORKERS="):
        Cluster(load([*JOINS, f"run_dir={tmp_path}"], {})).join()


def test_others_are_told_the_advertised_address(tmp_path):
    sets = ["host=10.77.0.2", "advertised=node.example", "cassandra.nodes=1", "history.servers=1"]
    for kind in ("spark_master", "spark_worker", "history"):
        for service in described(kind, sets, tmp_path):
            assert service.env["SPARK_PUBLIC_DNS"] == "node.example"
            assert service.env["SPARK_LOCAL_IP"] == "10.77.0.2"
    (node,) = described("cassandra", sets, tmp_path)
    configuration = json.loads(next(text for path, text in node.files.items() if path.endswith("yaml")))
    assert configuration["broadcast_address"] == configuration["broadcast_rpc_address"] == "node.example"
    assert configuration["listen_address"] == "10.77.0.2"
    assert driver(sets)["spark.driver.host"] == "node.example"
    assert driver([*sets, "spark.driver_host=gateway.example"])["spark.driver.host"] == "gateway.example"
    assert driver(sets)["spark.driver.bindAddress"] == "10.77.0.2"
    assert driver(["host=10.77.0.2"])["spark.driver.host"] == "10.77.0.2"


def test_a_node_joins_its_seeds_and_is_ready_when_it_knows_one_of_them(tmp_path):
    sets = [
        "host=10.77.0.2",
        "cassandra.nodes=1",
        "cassandra.rf=3",
        "cassandra.seeds=10.77.0.1, 10.77.0.3:7001",
    ]
    (node,) = described("cassandra", sets, tmp_path)
    configuration = json.loads(next(text for path, text in node.files.items() if path.endswith("yaml")))
    (provider,) = configuration["seed_provider"]
    assert provider["parameters"] == [{"seeds": "10.77.0.1:7000,10.77.0.3:7001"}]
    assert node.ready.expect == {"peers": 1}
    assert node.ready.deadline_s > 180
    assert not any("ring_delay" in word for word in node.argv)
    (alone,) = described("cassandra", ["cassandra.nodes=1"], tmp_path)
    assert alone.ready.expect == {"peers": 0}
    assert any("ring_delay" in word for word in alone.argv)


def driver(sets, master="spark://10.77.0.1:7077"):
    shape = Shape(3, 2, "1g")
    settings = load(sets, {})
    return spark_settings(
        settings, LocalDriverHost(settings), master, "test", shape, partitions=4, folder=Path("/folder")
    )


@pytest.mark.parametrize(
    ("master", "tag"),
    [
        ("spark://10.77.0.1:7077", "external"),
        ("k8s://https://10.77.0.1:6443", "external"),
        ("yarn", "external"),
        ("spark://127.0.0.1:7077", "oversubscribed"),
        ("none", "oversubscribed"),
    ],
)
def test_cores_of_other_machines_are_not_held_against_this_one(master, tag):
    assert environment.shape_tag(Shape(1000, 8, "1g"), load([f"spark.master={master}"], {})) == tag


def test_times_on_another_master_or_encrypted_are_of_another_trial(monkeypatch):
    settings = [load([], {}), load(["spark.master=spark://10.77.0.1:7077"], {})]
    assert environment.of_workers(settings[0]) == {}
    hashes = {
        place_hash("1g", LocalDriverHost(load([], {})), environment.of_workers(one)) for one in settings
    }
    monkeypatch.setenv("RECSCALE_SPARK_SECRET", "quite-a-long-secret")
    hashes |= {
        place_hash("1g", LocalDriverHost(load([], {})), environment.of_workers(one)) for one in settings
    }
    assert len(hashes) == 4
    assert place_hash("1g", LocalDriverHost(load([], {}))) in hashes


@pytest.mark.parametrize("master", ["yarn", "k8s://https://10.77.0.1:6443"])
def test_yarn_and_kubernetes_are_told_how_many_executors(master):
    assert driver([f"spark.master={master}"], master)["spark.executor.instances"] == "3"
    assert "spark.executor.instances" not in driver([])


def test_only_sparks_processes_get_the_secret_and_nothing_written_holds_it(tmp_path, monkeypatch):
    plain = described("spark_master", [], tmp_path)[0]
    for name, value in SECRET.items():
        monkeypatch.setenv(name, value)
    (value,) = SECRET.values()
    sets = ["cassandra.nodes=1", "history.servers=1"]
    for kind in SERVICES:
        for service in described(kind, sets, tmp_path):
            spark = kind in ("spark_master", "spark_worker")
            assert dict(service.secrets) == ({security.SPARKS_NAME: value} if spark else {})
            assert value not in repr(service)
            assert value not in json.dumps(
                [service.argv, dict(service.env), dict(service.files), service.digest]
            )
            options = service.env.get("SPARK_DAEMON_JAVA_OPTS", "")
            assert ("spark.authenticate=true" in options) == spark
            assert ("spark.network.crypto.enabled=true" in options) == spark
    secured = described("spark_master", [], tmp_path)[0]
    monkeypatch.setenv("RECSCALE_SPARK_SECRET", "another")
    (other,) = described("spark_master", [], tmp_path)
    assert len({security.digest(service, tmp_path) for service in (plain, secured, other)}) == 3


def test_a_digest_that_is_written_tells_nothing_of_the_secret_without_this_folders_key(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSCALE_SPARK_SECRET", "guessed")
    one, other = tmp_path / "one", tmp_path / "other"
    (service,) = described("spark_master", [], tmp_path)
    assert security.digest(service, one) == security.digest(service, one)
    assert security.digest(service, one) != security.digest(service, other)
    monkeypatch.setenv("RECSCALE_SPARK_SECRET", "right")
    (another,) = described("spark_master", [], tmp_path)
    assert another.digest == service.digest  # what anybody can compute says nothing of it
    assert security.digest(another, one) != security.digest(service, one)
    key = one / security.KEY_FILE
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32
    assert [path.name for path in one.iterdir()] == [security.KEY_FILE]
    key.unlink()
    key.mkdir()
    with pytest.raises(ServiceError, match=r"secrets\.key"):
        security.digest(service, one)


def test_without_a_secret_no_key_is_made(tmp_path, monkeypatch):
    monkeypatch.delenv("RECSCALE_SPARK_SECRET", raising=False)
    (service,) = described("spark_master", [], tmp_path)
    assert security.digest(service, tmp_path / "run") == service.digest
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("backend", ["local", "docker"])
def test_what_is_written_of_a_service_holds_its_keyed_digest(tmp_path, monkeypatch, backend):
    monkeypatch.setenv("RECSCALE_SPARK_SECRET", "quite-a-long-secret")
    settings = load([f"run_dir={tmp_path}", f"backend={backend}", "spark.java_home=/java"], {})
    if backend == "docker":
        (master,) = SERVICES["spark_master"].describe(settings, DockerPlace(settings))
        document = compose.document([master], settings, Image("f0und", "recscale:whole"))
        written = json.loads(document["services"]["spark-master"]["labels"][compose.SERVICE_LABEL])
    else:
        local = Local(settings)
        sleeps = (sys.executable, "-c", "import time; time.sleep(60)")
        master = Service("thing", "things", "", sleeps, secrets=security.secrets())
        local.start(master)
        written = json.loads((tmp_path / "services" / "thing.json").read_text())
        local.stop("thing")
    assert written["digest"] == security.digest(master, tmp_path)
    assert written["digest"] != master.digest


def test_a_service_with_another_secret_is_started_anew(tmp_path, monkeypatch):
    sleeps = (sys.executable, "-c", "import time; time.sleep(60)")
    describe = lambda *_: (Service("thing", "things", "", sleeps, secrets=security.secrets()),)  # noqa: E731
    monkeypatch.setattr(services, "SERVICES", {"thing": ServiceKind(describe)})
    monkeypatch.setenv("RECSCALE_SPARK_SECRET", "quite-a-long-secret")
    cluster = Cluster(load([f"run_dir={tmp_path}"], {}))
    try:
        assert cluster.up() == ["thing"]
        assert cluster.up() == []
        monkeypatch.setenv("RECSCALE_SPARK_SECRET", "another")
        assert cluster.up() == ["thing"]
        monkeypatch.delenv("RECSCALE_SPARK_SECRET")
        with pytest.raises(ServiceError):
            cluster.up()
    finally:
        cluster.down()


def test_a_process_gets_the_secret_only_if_its_service_declares_it(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSCALE_SPARK_SECRET", "quite-a-long-secret")
    backend = Cluster(load([f"run_dir={tmp_path}"], {}))._backend
    one = Service("one", "one", "")
    assert "quite-a-long-secret" not in backend._environment(one).values()
    with_it = dataclasses.replace(one, secrets=security.secrets())
    environment = backend._environment(with_it)
    assert environment[security.SPARKS_NAME] == "quite-a-long-secret"
    assert "RECSCALE_SPARK_SECRET" not in environment


def test_the_driver_gets_the_secret_by_its_environment_and_its_settings_do_not_hold_it(monkeypatch):
    assert "spark.authenticate" not in driver([])
    monkeypatch.setenv("RECSCALE_SPARK_SECRET", "quite-a-long-secret")
    settings = driver([])
    assert settings["spark.authenticate"] == "true"
    assert settings["spark.network.crypto.saslFallback"] == "false"
    assert "quite-a-long-secret" not in json.dumps(settings)
    environment, own = for_driver(LocalDriverHost(load([], {})), None)
    assert security.SPARKS_NAME in own
    assert environment[security.SPARKS_NAME] == "quite-a-long-secret"
    assert "RECSCALE_SPARK_SECRET" not in environment


def test_encryption_follows_the_secret_unless_it_is_refused():
    assert load(["spark.encrypt=true"], SECRET).spark.encrypt
    assert security.options(load([], {}), {}) == {}
    assert "spark.network.crypto.enabled" in security.options(load([], SECRET), SECRET)
    assert security.options(load(["spark.encrypt=false"], SECRET), SECRET) == {"spark.authenticate": "true"}


@pytest.mark.parametrize(
    ("host", "master", "said"),
    [
        ("127.0.0.1", "spark://10.77.0.1:7077", True),
        ("127.0.0.1", "yarn", True),
        ("127.0.0.1", "spark://127.0.0.1:7077", False),
        ("127.0.0.1", "local[2]", False),
        ("10.77.0.4", "spark://10.77.0.1:7077", False),
    ],
)
def test_executors_that_cannot_find_a_loopback_driver_are_explained(host, master, said):
    text = _unreachable({"spark.driver.host": host, "spark.master": master})
    named = [host, "HOST=", "RECSCALE_SPARK_DRIVER_HOST"] if said else []
    assert bool(text) == said
    assert [name for name in named if name not in text] == []


def test_yarn_that_nobody_described_is_an_error_at_once(monkeypatch):
    for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(JobError, match="HADOOP_CONF_DIR=/etc/hadoop/conf"):
        _answers("yarn")
    monkeypatch.setenv("HADOOP_CONF_DIR", "/etc/hadoop/conf")
    _answers("yarn")


@pytest.mark.parametrize(
    ("cause", "with_secret", "named"),
    [
        ("IllegalArgumentException: Unknown challenge message.", False, {"RECSCALE_SPARK_SECRET"}),
        (
            "IllegalStateException: Expected SaslMessage, received something else",
            False,
            {"RECSCALE_SPARK_SECRET"},
        ),
        (
            "SparkException: Message is dropped because Outbox is stopped",
            True,
            {"RECSCALE_SPARK_SECRET", "spark.encrypt"},
        ),
        ("InvalidClassException: local class incompatible", False, {"make status"}),
    ],
)
def test_a_master_that_refuses_is_explained_with_what_spark_said(cause, with_secret, named):
    text = _advice("spark://10.77.0.1:7077", cause, with_secret=with_secret)
    ways = ("RECSCALE_SPARK_SECRET", "spark.encrypt", "make status")
    assert {way for way in ways if way in text} == named
    assert "spark://10.77.0.1:7077" in text
    assert cause in text
