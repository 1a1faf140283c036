"""MLflow's tracking server, or the one that the settings name."""

from urllib.parse import urlsplit

from cluster.service import Place, Port, Probe, Service
from cluster.settings import Settings


def describe(settings: Settings, place: Place) -> tuple[Service, ...]:
    """Describe one server whose runs lie in a SQLite file and whose artifacts lie in a folder."""
    if settings.mlflow.uri is not None:
        return (_external(settings.mlflow.uri),)
    http = place.address("mlflow", "http", settings.mlflow.port)
    outside = place.published("mlflow", "http", settings.mlflow.port)
    run = place.path("run")
    # The server answers 403 to other hosts; a forwarded port still arrives as localhost, with another number.
    hosts = [
        str(http),
        str(outside),
        "localhost",
        "localhost:*",
        "127.0.0.1:*",
        *settings.mlflow.allowed_hosts,
    ]
    return (
        Service(
            name="mlflow",
            group="mlflow",
            url=f"http://{outside}",
            argv=(
                *(str(place.path("python")), "-m", "mlflow", "server"),
                *("--backend-store-uri", f"sqlite:///{run / 'mlflow.db'}"),
                *("--no-serve-artifacts", "--default-artifact-root", str(run / "mlartifacts")),
                *("--host", http.host, "--port", str(http.port)),
                *("--workers", "1", "--allowed-hosts", ",".join(dict.fromkeys(hosts))),
            ),
            env={
                # Its job queue starts half a dozen helpers that tracking has no use for.
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "PYTHONSAFEPATH": "1",
            },
            folders=(run / "mlartifacts",),
            ports=(Port("http", http, "mlflow.port", outside),),
            memory_mb=600,
            ready=Probe(
                "http", f"http://{outside}/health", deadline_s=240
            ),  # the first start makes its tables
        ),
    )


def _external(uri: str) -> Service:
    """Use a server that is there; a file or database address has nothing to connect to."""
    parts = urlsplit(uri)
    # MLflow's client takes user and password out of the address itself.
    page = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/health"
    return Service(
        name="mlflow",
        group="mlflow",
        url=uri,
        ready=Probe("web", page, deadline_s=10) if parts.scheme in ("http", "https") else None,
        external=True,
        hint="start it, or unset mlflow.uri (RECSCALE_MLFLOW_URI) to have one started here; a server that the proxy of the "
        "environment does not reach must stand in NO_PROXY",
    )
