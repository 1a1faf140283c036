"""MLflow's tracking server: ours, or the one that the settings name."""

import inspect
from dataclasses import dataclass
from urllib.parse import urlsplit

from cluster.service import Place, Port, Probe, Service, ServiceKind
from cluster.settings import Settings
from core.files import make_once

# `mlflow server`, whose web server runs in this Python. MLflow starts a second one for it, which imports everything
# again: seconds of processor time while a person waits, and 250 MiB. Should a later MLflow start it in another way, there
# are two again and all works as before. Nothing of what is imported becomes garbage, so nobody needs to look for it.
# It has none of our packages, so the function that makes the database comes with it.
_SERVE = f"""
import gc
gc.disable()
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
import mlflow.server
import uvicorn
from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine
{inspect.getsource(make_once)}
def tables(path):
    engine = create_sqlalchemy_engine("sqlite:///" + str(path))
    _initialize_tables(engine)
    engine.dispose()
# An interruption would leave some of the tables under the name of the database, and with those no MLflow starts again.
make_once(Path(sys.argv[sys.argv.index("--backend-store-uri") + 1].removeprefix("sqlite:///")), tables)
def here(command, *, extra_env, **_):
    os.environ.update(extra_env)
    import mlflow.server.fastapi_app
    gc.enable()
    uvicorn.main(command[command.index("uvicorn") + 1 :])
mlflow.server._exec_cmd = here
from mlflow.cli import cli
cli()
"""


@dataclass(frozen=True)
class MlflowSettings:
    """Settings of MLflow's server.

    Attributes:
        uri: address of a server that is there already (used, never started or stopped), or None to start one.
        port: port of our server.
        allowed_hosts: further `Host` headers that our server accepts, besides its own address and localhost.
    """

    uri: str | None = None
    port: int = 5000
    allowed_hosts: tuple[str, ...] = ()


def describe(settings: Settings, place: Place) -> tuple[Service, ...]:
    """Describe the server, with runs in a SQLite file and artifacts in a folder."""
    mlflow = settings.of(MlflowSettings)
    if mlflow.uri is not None:
        return (_external(mlflow.uri),)
    http = place.address("mlflow", "http", mlflow.port)
    outside = place.published("mlflow", "http", mlflow.port)
    run = place.path("run")
    # The server answers 403 to other hosts; a forwarded port still arrives as localhost, with another number.
    hosts = [
        str(http),
        str(outside),
        "localhost",
        "localhost:*",
        "127.0.0.1:*",
        *mlflow.allowed_hosts,
    ]
    return (
        Service(
            name="mlflow",
            group="mlflow",
            url=f"http://{outside}",
            argv=(
                *(str(place.path("python")), "-c", _SERVE, "server"),
                *("--backend-store-uri", f"sqlite:///{run / 'mlflow.db'}"),
                *("--no-serve-artifacts", "--default-artifact-root", str(run / "mlartifacts")),
                *("--host", http.host, "--port", str(http.port)),
                *("--workers", "1"),
            ),
            env={
                "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(dict.fromkeys(hosts)),
                # MLflow's job queue starts six processes that tracking does not need.
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "PYTHONSAFEPATH": "1",
            },
            folders=(run / "mlartifacts",),
            ports=(Port("http", http, "mlflow.port", outside),),
            memory_mb=400,
            shares=("mlflow.db*",),
            ready=Probe(
                "http", f"http://{outside}/health", deadline_s=240
            ),  # the first start makes its tables
        ),
    )


def _external(uri: str) -> Service:
    """Describe an external server; a file or database address has no port to probe."""
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


SERVICE = ServiceKind(describe, MlflowSettings, foreign=("MLFLOW_",))
