"""Spark's standalone workers, of our master or of one on another machine."""

from typing import Any

from cluster import hosts, security
from cluster.backends.local.pinning import own_cores
from cluster.service import Address, Place, Port, Probe, Service, ServiceKind
from cluster.services.spark_master import DAEMON_OPTIONS, public_name
from cluster.settings import Settings
from core.units import mebibytes

_PYTHON_WORKER_MB = (
    1024  # beside the executor's heap: one Python a core, with pandas, numba and a batch of rows
)


def describe(settings: Settings, place: Place) -> tuple[Service, ...]:
    """Describe the workers; they are ready when the master lists them as alive, and no others of ours."""
    if settings.spark.master is not None and not settings.spark.joins:
        return ()
    return tuple(_worker(number, settings, place) for number in range(1, settings.spark.workers + 1))


def _worker(number: int, settings: Settings, place: Place) -> Service:
    spark = settings.spark
    name = f"spark-worker-{number}"
    rpc, page = place.address(name, "rpc", 0), place.address(name, "ui", 0)
    master, master_page = _master(settings, place)
    home, work = place.path("spark"), place.path("run") / "work" / name
    listed = {
        "host": rpc.host,
        "port": rpc.port,
        "state": "ALIVE",
        "cores": spark.cores,
        "memory": mebibytes(spark.memory),
    }
    expected: dict[str, Any] = {"workers": [listed]}
    if not spark.joins:
        expected["aliveworkers"] = spark.workers
    return Service(
        name=name,
        group="spark",
        url=f"http://{page}",
        argv=(
            str(home / "bin" / "spark-class"),
            "org.apache.spark.deploy.worker.Worker",
            *("--host", rpc.host, "--port", str(rpc.port), "--webui-port", str(page.port)),
            *("--cores", str(spark.cores), "--memory", f"{mebibytes(spark.memory)}m"),
            *("--work-dir", str(work), master),
        ),
        env={
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": rpc.host,
            "SPARK_LOCAL_DIRS": str(work / "local"),
            "SPARK_WORKER_DIR": str(work),
            "SPARK_DAEMON_MEMORY": spark.daemon_memory,
            "SPARK_DAEMON_JAVA_OPTS": f"{DAEMON_OPTIONS} {security.java_options(settings)}".strip(),
            **public_name(settings),
            "PYSPARK_PYTHON": str(place.path("python")),
        },
        secrets=security.secrets(),
        needs=("java",),
        folders=(work, work / "local"),
        ports=(Port("rpc", rpc, None), Port("ui", page, None)),
        memory_mb=mebibytes(spark.daemon_memory) + mebibytes(spark.memory),
        guests_mb=spark.cores * _PYTHON_WORKER_MB,
        cores=spark.cores,
        cpus=spark.cpus,
        pin=own_cores(number, spark.cores) if spark.pin else (),
        requires=("spark-master",),
        ready=Probe(
            "http",
            f"http://{master_page}/json/",
            {"workers": [listed]},
            once={} if spark.joins else {"aliveworkers": spark.workers},
        ),
        hint=_joining(master, str(master_page))
        if spark.joins
        else "compare spark.cores and spark.memory with what this machine has (`make doctor`)",
    )


def _master(settings: Settings, place: Place) -> tuple[str, Address]:
    """Return the master's URL and the address of its page."""
    spark = settings.spark
    if spark.master is None:
        rpc = place.address("spark-master", "rpc", spark.master_port)
        return f"spark://{rpc}", place.published("spark-master", "ui", spark.master_ui_port)
    ((host, _),) = hosts.masters(spark.master)
    return spark.master, Address(f"[{host}]" if ":" in host else host, spark.master_ui_port)


def _joining(master: str, page: str) -> str:
    return (
        f"see that the page http://{page} of {master} opens from here (spark.master_ui_port is its port), that the "
        "master's machine reaches this one (no firewall between), and that RECSCALE_SPARK_SECRET and spark.encrypt are "
        "the same on both"
    )


SERVICE = ServiceKind(describe)
