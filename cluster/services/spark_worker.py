"""Spark's standalone workers; those of an external master are its own affair."""

from cluster.pinning import own_cores
from cluster.service import Place, Port, Probe, Service
from cluster.services.spark_master import DAEMON_OPTIONS
from cluster.settings import Settings, megabytes

_PYTHON_WORKER_MB = (
    1024  # beside the executor's heap: one Python a core, with pandas, numba and a batch of rows
)


def describe(settings: Settings, place: Place) -> tuple[Service, ...]:
    """Describe `settings.spark.workers` workers, ready when the master lists exactly them as alive."""
    if settings.spark.master is not None:
        return ()
    return tuple(_worker(number, settings, place) for number in range(1, settings.spark.workers + 1))


def _worker(number: int, settings: Settings, place: Place) -> Service:
    spark = settings.spark
    name = f"spark-worker-{number}"
    rpc, page = place.address(name, "rpc", 0), place.address(name, "ui", 0)
    master = place.address("spark-master", "rpc", spark.master_port)
    master_page = place.published("spark-master", "ui", spark.master_ui_port)
    home, work = place.path("spark"), place.path("run") / "work" / name
    listed = {
        "host": rpc.host,
        "port": rpc.port,
        "state": "ALIVE",
        "cores": spark.cores,
        "memory": megabytes(spark.memory),
    }
    return Service(
        name=name,
        group="spark",
        url=f"http://{page}",
        argv=(
            str(home / "bin" / "spark-class"),
            "org.apache.spark.deploy.worker.Worker",
            *("--host", rpc.host, "--port", str(rpc.port), "--webui-port", str(page.port)),
            *("--cores", str(spark.cores), "--memory", f"{megabytes(spark.memory)}m"),
            *("--work-dir", str(work), f"spark://{master}"),
        ),
        env={
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": rpc.host,
            "SPARK_LOCAL_DIRS": str(work / "local"),
            "SPARK_WORKER_DIR": str(work),
            "SPARK_DAEMON_MEMORY": spark.daemon_memory,
            "SPARK_DAEMON_JAVA_OPTS": DAEMON_OPTIONS,
            "PYSPARK_PYTHON": str(place.path("python")),
        },
        needs=("java",),
        folders=(work, work / "local"),
        ports=(Port("rpc", rpc, None), Port("ui", page, None)),
        memory_mb=megabytes(spark.daemon_memory) + megabytes(spark.memory),
        guests_mb=spark.cores * _PYTHON_WORKER_MB,
        cpus=spark.cpus,
        pin=own_cores(number, spark.cores) if spark.pin else (),
        requires=("spark-master",),
        ready=Probe(
            "http", f"http://{master_page}/json/", {"workers": [listed]}, once={"aliveworkers": spark.workers}
        ),
        hint="compare spark.cores and spark.memory with what this machine has (`make doctor`)",
    )
