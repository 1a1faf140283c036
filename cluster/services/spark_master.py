"""Spark's standalone master: ours, or the one that the settings name."""

from urllib.parse import urlsplit

from cluster import security
from cluster.service import Place, Port, Probe, Service, ServiceKind
from cluster.settings import Settings
from core.units import mebibytes

# The first: else a taken port would silently become the next one, and everybody else would look for the master in
# vain. The others: these processes only pass messages; no compiler or collector threads beside what is measured.
DAEMON_OPTIONS = "-Dspark.port.maxRetries=0 -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_DRIVER_PYTHON_MB = 2048

_JOIN = (
    "see on its machine that it runs and listens there (`make status`; `make setup HOST=<its address>`, not loopback), "
    "and that no firewall stands between (RECSCALE_SPARK_MASTER names it)"
)


def describe(settings: Settings, place: Place) -> tuple[Service, ...]:
    """Describe the master of `settings.spark`."""
    spark = settings.spark
    if spark.master is not None:
        return (_external(spark.master, joined=spark.joins),)
    rpc = place.address("spark-master", "rpc", spark.master_port)
    page = place.address("spark-master", "ui", spark.master_ui_port)
    outside = place.published("spark-master", "ui", spark.master_ui_port)
    home = place.path("spark")
    return (
        Service(
            name="spark-master",
            group="spark",
            url=f"spark://{rpc}",
            page=f"http://{outside}",
            argv=(
                str(home / "bin" / "spark-class"),
                "org.apache.spark.deploy.master.Master",
                *("--host", rpc.host, "--port", str(rpc.port), "--webui-port", str(page.port)),
            ),
            env={
                "SPARK_HOME": str(home),
                "SPARK_LOCAL_IP": rpc.host,
                "SPARK_DAEMON_MEMORY": spark.daemon_memory,
                "SPARK_DAEMON_JAVA_OPTS": f"{DAEMON_OPTIONS} {security.java_options(settings)}".strip(),
                **public_name(settings),
            },
            secrets=security.secrets(),
            needs=("java",),
            ports=(
                Port(
                    "rpc", rpc, "spark.master_port", place.published("spark-master", "rpc", spark.master_port)
                ),
                Port("ui", page, "spark.master_ui_port", outside),
            ),
            memory_mb=mebibytes(spark.daemon_memory),
            # In containers the driver runs in the master's container: a JVM and its Python.
            guests_mb=2 * mebibytes(spark.driver_memory) + _DRIVER_PYTHON_MB,
            ready=Probe("http", f"http://{outside}/json/", {"url": f"spark://{rpc}", "status": "ALIVE"}),
        ),
    )


def public_name(settings: Settings) -> dict[str, str]:
    """Return the name of this machine in links of Spark's pages, if it is not its own address."""
    return {"SPARK_PUBLIC_DNS": settings.advertised} if settings.advertised else {}


def _external(master: str, *, joined: bool) -> Service:
    """Describe an external master; only a standalone one has a port to probe."""
    parts = urlsplit(master)
    ready = Probe("tcp", parts.netloc, deadline_s=10) if parts.scheme == "spark" else None
    return Service(
        name="spark-master",
        group="spark",
        url=master,
        ready=ready,
        external=True,
        hint=_JOIN
        if joined
        else "start it, or unset spark.master (RECSCALE_SPARK_MASTER) to have one started here",
    )


SERVICE = ServiceKind(describe, foreign=("SPARK_", "_SPARK_", "PYSPARK_"))
