"""Spark's history server over the event logs that lie, or are linked, in one folder of the run folder."""

from cluster.service import Place, Port, Probe, Service
from cluster.services.spark_master import public_name
from cluster.settings import Settings, megabytes

FOLDER = "history"


def describe(settings: Settings, place: Place) -> tuple[Service, ...]:
    """Describe the server if the settings ask for it; like all services it listens only on `host`."""
    history = settings.history
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
            memory_mb=megabytes(history.memory),
            ready=Probe("http", f"http://{outside}/api/v1/version"),
            hint="give it more memory (--set history.memory=2g) or read the log named above",
        ),
    )
