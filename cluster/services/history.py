"""Spark's history server over the event logs that lie, or are linked, in one folder of the run folder."""

import dataclasses
from dataclasses import dataclass

from cluster.service import Place, Port, Probe, Service, ServiceKind
from cluster.services.spark_master import public_name
from cluster.settings import Settings, check_memory
from core.errors import UsageError
from core.units import mebibytes

FOLDER = "history"


@dataclass(frozen=True)
class HistorySettings:
    """Settings of Spark's history server, which shows event logs of ended applications.

    Attributes:
        servers: 1 to run it, else 0; `make history` sets it.
        port: of its web page.
        memory: its heap; it needs about as much as the size of a log.
    """

    servers: int = 0
    port: int = 18080
    memory: str = "1g"


def check(settings: Settings) -> None:
    """Refuse another number of servers than 0 or 1, and memory that cannot be read."""
    history = settings.of(HistorySettings)
    check_memory(history.memory, "history.memory")
    if history.servers not in (0, 1):
        raise UsageError(f"history.servers must be 0 or 1, got {history.servers}")


def describe(settings: Settings, place: Place) -> tuple[Service, ...]:
    """Describe the server if the settings ask for it; like all services it listens only on `host`."""
    history = settings.of(HistorySettings)
    if not history.servers:
        return ()
    page = place.address("spark-history", "ui", history.port)
    outside = place.published("spark-history", "ui", history.port)
    home, logs = place.path("spark"), place.path("run") / FOLDER
    options = {
        "spark.history.fs.logDirectory": f"file://{logs}",  # which Spark does not decode
        "spark.history.ui.port": str(page.port),
        "spark.history.fs.update.interval": "5s",
        "spark.port.maxRetries": "0",
    }
    return (
        Service(
            name="spark-history",
            group="history",
            url=f"http://{outside}",
            argv=(str(home / "bin" / "spark-class"), "org.apache.spark.deploy.history.HistoryServer"),
            env={
                "SPARK_HOME": str(home),
                "SPARK_LOCAL_IP": page.host,
                **public_name(settings),
                "SPARK_DAEMON_MEMORY": history.memory,
                "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
                "SPARK_HISTORY_OPTS": " ".join(f"-D{key}={value}" for key, value in options.items()),
            },
            needs=("java",),
            folders=(logs,),
            ports=(Port("ui", page, "history.port", outside),),
            memory_mb=mebibytes(history.memory),
            ready=Probe("http", f"http://{outside}/api/v1/version"),
            hint="give it more memory (--set history.memory=2g) or read the log named above",
        ),
    )


SERVICE = ServiceKind(
    describe, HistorySettings, check, wanted=lambda section: dataclasses.replace(section, servers=1)
)
