"""Applications beside Kafka: files that drivers cannot see are refused before anything starts, and one that dies is started again."""

import pytest

from cluster import configuration
from cluster.backends.local.driver import LocalDriverHost
from cluster.lifecycle import Cluster
from core.errors import JobError
from experiments import __main__ as main
from experiments.results.parts import Launched
from experiments.run import environment, streams
from jobs.runtime.request import Result

CERTIFICATES = ("KAFKA_CA", "CASSANDRA_CA", "CASSANDRA_TRUSTSTORE")


@pytest.fixture
def nothing_starts(monkeypatch):
    def started(self, *_):
        raise AssertionError("something was started")

    for name in ("up", "prepare", "ensure"):
        monkeypatch.setattr(Cluster, name, started)
    for name in CERTIFICATES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["stream", "lake"], "KAFKA_CA"),
        (["stream", "lake,feedback"], "CASSANDRA_TRUSTSTORE"),
        (["reconcile"], "KAFKA_CA"),
        (["reconcile"], "CASSANDRA_CA"),
        (["forget", "u1"], "CASSANDRA_CA"),
        (["lake", "send"], "KAFKA_CA"),
        (["cost-of-correctness", "lake"], "KAFKA_CA"),
        (["stream-rate", "feedback"], "CASSANDRA_CA"),
    ],
)
def test_what_containers_do_not_see_is_refused(nothing_starts, monkeypatch, tmp_path, capsys, command, name):
    run = tmp_path / "run"
    (run / "streams" / "feedback").mkdir(parents=True)
    file = tmp_path / "authority.pem"
    file.touch()
    monkeypatch.setenv(name, str(file))
    sets = ["--cluster-set", f"run_dir={run}", "--cluster-set", "backend=docker"]
    assert main.main([*command, *sets]) == 3
    said = capsys.readouterr().err
    assert f"{file} is not visible in the containers" in said
    assert str(run) in said


def test_drivers_get_whole_paths_of_certificates(monkeypatch, tmp_path):
    """They and their executors run in other folders than the command."""
    monkeypatch.chdir(tmp_path)
    for name in CERTIFICATES:
        monkeypatch.setenv(name, "authority.pem")
    monkeypatch.setenv("CASSANDRA_CA", "")
    found, names = environment.for_driver(LocalDriverHost(configuration.load([], {})), None)
    assert [found[name] for name in CERTIFICATES] == [
        str(tmp_path / "authority.pem"), "", str(tmp_path / "authority.pem"),
    ]  # fmt: skip
    assert {*CERTIFICATES} <= names


def test_deaths_count_from_the_last_batch_on(monkeypatch):
    dead = Launched(
        Result("stream", "failed", error="the driver's JVM is gone"), "failed", None, None, None, 1.0
    )
    starts, standing = [], iter([0, 1, 2, 3, 3, 3, 3])
    monkeypatch.setattr(streams, "kafka", lambda *_: ["127.0.0.1:1"])
    monkeypatch.setattr(streams, "make_declared", lambda _: [])
    monkeypatch.setattr(streams, "_batches", lambda *_: {"lake.ratings": next(standing)})
    monkeypatch.setattr(streams, "_standing", lambda *_: "ratings-0 17")
    monkeypatch.setattr(streams, "_launch", lambda *_, **__: starts.append(1) or dead)
    with pytest.raises(JobError, match="JVM is gone\nratings-0 17"):
        streams.run(configuration.load([], {}), streams.Asked(["lake"], backoff_s=0))
    assert len(starts) == 6  # three after which batches were committed, and three more
