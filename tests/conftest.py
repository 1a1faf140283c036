"""What every test may use: one local Spark session, and the rule for tests on publishers' real files."""

import os
import signal
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.jvm.environment import SHORT_LIVES

_ALONE = ("tests/containers/", "tests/hosts/")
"""Containers and network namespaces have names of which there is one on a machine: none of these runs beside another."""

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("core", "cluster", "datasets", "jobs", "experiments")


def pytest_configure(config: pytest.Config) -> None:
    """Give child processes the same import path as `make` does, and ears for Ctrl-C.

    A shell that runs the tests in the background lets them ignore it, and what they start would inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["PYTHONPATH"] = str(ROOT)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # A session for tests on publishers' files is without them, as a user's is.
    os.environ.setdefault("JAVA_TOOL_OPTIONS", SHORT_LIVES)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Keep in a file which test runs now, for whoever has to stop one that does not end."""
    file = ROOT / ".run" / "tests" / os.environ.get("PYTEST_XDIST_WORKER", "main")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{item.nodeid} since {time.strftime('%X')}\n", encoding="utf-8")
    ended = yield
    file.unlink(missing_ok=True)
    return ended


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "object") -> "object":
    """Keep together, where two tests run at a time, those of one file and those whose names are the machine's."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - most runs have no use for it

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "alone" if file.startswith(_ALONE) else file

    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select tests on real files only where the folder that holds them is named."""
    if os.environ.get("RECSCALE_DATA"):
        return
    real = [item for item in items if item.get_closest_marker("realdata")]
    if real:
        config.hook.pytest_deselected(items=real)
        items[:] = [item for item in items if not item.get_closest_marker("realdata")]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator["object"]:
    """A local session with two cores and few partitions; standalone clusters have tests of their own."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - tests without a JVM must not import pyspark

    from cluster import configuration  # noqa: PLC0415 - as above
    from cluster.jvm import artifacts  # noqa: PLC0415 - most tests need no jars
    from datasets.formats.delta import EXTENSION  # noqa: PLC0415 - as above
    from jobs.runtime.java_names import keep_java_names  # noqa: PLC0415 - as above
    from jobs.streaming.tables import SETTINGS  # noqa: PLC0415 - as above

    share_classes()
    ours = configuration.load([], {})
    folder = tmp_path_factory.mktemp("spark")
    session = (
        SparkSession.builder.master("local[2]")
        .appName("recscale-tests")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.ui.explainMode", "simple")
        .config("spark.python.daemon.module", "tests.python_daemon")
        .config("spark.jars", ",".join(artifacts.listed(name, ours) for name in ("connector", "streams")))
        .config("spark.sql.extensions", EXTENSION)
        .config(map=dict(SETTINGS))
        .config("spark.scheduler.mode", "FAIR")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.default.parallelism", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .config("spark.local.dir", str(folder / "local"))
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .getOrCreate()
    )
    session.sparkContext.setCheckpointDir(str(folder / "checkpoints"))
    keep_java_names(session.sparkContext)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory) -> Iterator["object"]:
    """A real node for all tests that need one; gives its settings."""
    from cluster.configuration import load  # noqa: PLC0415 - most tests start no service
    from cluster.lifecycle import Cluster  # noqa: PLC0415 - most tests start no service

    cluster = Cluster(load(cassandra_sets(tmp_path_factory.mktemp("cassandra")), {}))
    try:
        cluster.up({"cassandra"})
        yield cluster.settings
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real broker for all tests that need one, at the address that it gives."""
    from cluster.configuration import load  # noqa: PLC0415 - most tests start no service
    from cluster.lifecycle import Cluster  # noqa: PLC0415 - most tests start no service

    cluster = Cluster(load(kafka_sets(tmp_path_factory.mktemp("kafka")), {}))
    try:
        cluster.up({"kafka"})
        (address,) = cluster.endpoint("kafka")
        yield address
    finally:
        cluster.down()


@contextmanager
def connected(spark: "object", settings: "object", *nodes: str) -> Iterator[None]:
    """Let the session talk to nodes (host:port), as the harness lets applications do."""
    from experiments.run.stores import spark_settings_of  # noqa: PLC0415 - most tests need no node
    from jobs.stores.cassandra.access import secrets  # noqa: PLC0415 - most tests need no node

    conf = spark.conf
    named = {
        key: value
        for key, value in spark_settings_of("cassandra", settings, list(nodes), "").items()
        if key != "spark.jars"
    }
    for key, value in named.items():
        conf.set(key, value)
    try:
        yield
    finally:
        for key in (*named, *secrets()):
            conf.unset(key)


def cassandra_sets(run: Path) -> list[str]:
    """Settings of one small node in a folder of its own, on free ports, with the jars of this clone."""
    from cluster.processes import free_port  # noqa: PLC0415 - most tests start no service

    (ROOT / ".run" / "jars").mkdir(parents=True, exist_ok=True)
    run.mkdir(parents=True, exist_ok=True)
    (run / "jars").symlink_to(ROOT / ".run" / "jars")
    cql = free_port("127.0.0.1")
    return [
        *(f"run_dir={run}", "cassandra.nodes=1", "cassandra.heap=512m"),
        *(f"cassandra.port={cql}", f"cassandra.storage_port={free_port('127.0.0.1', avoid=[cql])}"),
    ]


def kafka_sets(run: Path, brokers: int = 1) -> list[str]:
    """Settings of small brokers in a folder of their own, on free ports, with the jars of this clone."""
    from cluster.processes import free_port  # noqa: PLC0415 - most tests start no service

    keep(run, "jars")
    port = free_port("127.0.0.1")
    return [
        *(f"run_dir={run}", f"kafka.brokers={brokers}", "kafka.heap=256m"),
        *(f"kafka.port={port}", f"kafka.controller_port={free_port('127.0.0.1', avoid=[port])}"),
    ]


def share_classes() -> None:
    """Let every JVM that is started from now on map this clone's archive of Spark's classes, which is made if it is missing.

    Masters and workers start in half of the time with it. A JVM of other jars goes without, and is told not to say so.
    """
    from cluster import configuration  # noqa: PLC0415 - as above
    from cluster.backends.local.driver import LocalDriverHost  # noqa: PLC0415 - as above
    from cluster.jvm import java  # noqa: PLC0415 - most tests start no JVM
    from cluster.jvm.class_archive import class_archive  # noqa: PLC0415 - as above
    from experiments.run.environment import for_driver  # noqa: PLC0415 - as above
    from experiments.run.rehearsal import record  # noqa: PLC0415 - as above

    ours = configuration.load([], {})
    archive, driver_host = class_archive(ours), LocalDriverHost(ours)
    environment, _ = for_driver(driver_host, java.find(ours.spark.java_home))
    record(archive, ours, driver_host.python, environment)
    given = os.environ.get("JAVA_TOOL_OPTIONS", "")
    if archive.option not in given:
        os.environ["JAVA_TOOL_OPTIONS"] = f"{given} {archive.option} -Xlog:cds=off -Xlog:cds+dynamic=off"


def keep_kernels(run: Path) -> None:
    """Let applications of a run folder find the machine code and the archive of classes that those of other tests made.

    In a new folder each would make them again, which takes longer than what most of them compute.
    """
    share_classes()
    keep(run, "numba", "classes")


def keep(run: Path, *names: str) -> None:
    """Link folders of this clone's run folder into another one."""
    run.mkdir(parents=True, exist_ok=True)
    for name in names:
        made = ROOT / ".run" / name
        made.mkdir(parents=True, exist_ok=True)
        if not (run / name).exists():
            (run / name).symlink_to(made)


def unset_settings(patch: pytest.MonkeyPatch) -> None:
    """Take settings out of the environment that whoever runs the tests has put there."""
    for name in [name for name in os.environ if name.startswith("RECSCALE_")]:
        patch.delenv(name)


def kill(cluster: "object", name: str) -> None:
    """Kill a service's process, which gets no chance to end by itself."""
    (found,) = (status for status in cluster.status() if status.name == name)
    os.kill(found.pid, signal.SIGKILL)


def users(spark: "object", count: int, key: str = "a") -> "object":
    """Rows of the table `users` with the ids 0, 1, ... and one key for all."""
    from pyspark.sql import functions as F  # noqa: PLC0415 - tests without a JVM must not import pyspark

    return spark.range(count).select(F.col("id").cast("int").alias("user"), F.lit(key).alias("key"))


def free_ports() -> list[str]:
    """Settings ("key=value") that give the services of Spark and MLflow ports that are free now."""
    from cluster.processes import free_port  # noqa: PLC0415 - most tests start no service

    ports: list[int] = []
    for _ in range(3):
        ports.append(free_port("127.0.0.1", avoid=ports))
    names = ("spark.master_port", "spark.master_ui_port", "mlflow.port")
    return [f"{name}={port}" for name, port in zip(names, ports, strict=True)]


@pytest.fixture
def cluster_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Settings ("key=value") of a cluster of its own: its ports are free, its folder new, nothing from outside."""
    unset_settings(monkeypatch)
    return [f"run_dir={tmp_path / 'run'}", *free_ports()]
