"""Write the page that lists the contents of the containers' image, with a reason for each."""

from collections.abc import Iterator, Mapping

from cluster.backends.docker import image
from cluster.backends.docker.engine import docker
from cluster.jvm import artifacts
from cluster.settings import Settings

_ASKED: Mapping[str, str] = {
    "ca-certificates": "downloads over TLS",
    "openjdk-17-jre-headless": "Spark, Cassandra and Kafka run on it",
    "procps": "`ps` and `kill`, for whoever looks into a container",
    "python3": "the harness's jobs, MLflow and Spark's Python workers",
    "python3-venv": "makes the environment of the pinned packages",
    "tini": "the first process: passes signals on and collects what ended",
}
_DIRECT: Mapping[str, str] = {
    "alembic": "errors of MLflow's database that are told apart",
    "cassandra-driver": "schema and point reads",
    "confluent-kafka": "producers of many messages a second",
    "implicit": "a rival that needs no cluster",
    "jinja2": "a report's page",
    "kafka-python": "topics: making and asking them",
    "llvmlite": "instructions of the compiled kernels' inner loop",
    "markupsafe": "a report's page",
    "matplotlib": "curves in reports",
    "mlflow": "the record of what was measured",
    "numba": "compiled kernels",
    "numpy": "arrays",
    "optuna": "search for settings",
    "orjson": "messages as JSON",
    "pandas": "frames of Python workers",
    "protobuf": "errors of MLflow's answers that are told apart",
    "psutil": "processes and memory",
    "py4j": "errors of Spark's JVM that are told apart",
    "pyarrow": "columns between Spark and Python",
    "pydantic": "checks of what is read back from files",
    "pyspark": "Spark itself, master, workers and driver",
    "requests": "errors of Spotify's answers that are told apart",
    "scipy": "sparse matrices and distributions",
    "spotipy": "a person's own tracks from Spotify",
    "sqlalchemy": "errors of MLflow's database that are told apart",
    "threadpoolctl": "one thread where one is meant",
    "uvicorn": "MLflow's web server",
}
_JARS: Mapping[str, str] = {
    "cassandra": "a whole Cassandra node",
    "connector": "Spark's way to Cassandra",
    "kafka": "a whole Kafka broker",
    "streams": "Spark's way to Kafka and to Delta tables",
}
_HEAD = """# What the image holds

Made by `python -m cluster contents`, which asks the image itself. One image, every role: Spark's master and workers, the
driver, Cassandra's nodes, Kafka's brokers and MLflow differ by their command alone. Processes run as the user `recscale`, never as root,
without any capability. There are no secrets in it, and nothing of this clone but the files named below.

"""


def page(settings: Settings) -> str:
    """Return the page as Markdown.

    Raises:
        ServiceError: the image is not built, or Docker's daemon does not answer.
    """
    tag = image.image(settings.docker.base).tag
    return _HEAD + "\n".join(_sections(settings, tag)) + "\n"


def _sections(settings: Settings, tag: str) -> Iterator[str]:
    size = int(docker("image", "inspect", tag, "--format", "{{.Size}}"))
    yield f"{size / 1e9:.2f} GB on `{settings.docker.base}`.\n"
    yield "## Debian's packages\n\nAsked for:\n\n| package | version | why |\n|---|---|---|"
    debian = dict(_listed(tag, "dpkg-query", "-W", "-f", "${Package}\t${Version}\n"))
    yield from (f"| {name} | {debian.get(name, 'missing')} | {why} |" for name, why in _ASKED.items())
    others = sorted(name for name in debian if name not in _ASKED)
    yield f"\nWith what these need and what every Debian has ({len(others)}): {', '.join(others)}.\n"
    yield "## Python packages\n\nPinned with hashes in `requirements.lock`. Asked for:\n\n| package | version | why |\n|---|---|---|"
    python = {name.lower(): version for name, version in _python(tag)}
    yield from (f"| {name} | {python.get(name, 'missing')} | {why} |" for name, why in _DIRECT.items())
    others = sorted(name for name in python if name not in _DIRECT)
    yield f"\nWith what these need ({len(others)}): {', '.join(others)}.\n"
    yield "## Jars\n\nPinned by SHA-256 in `cluster/jvm/jars`, beside those that come with pyspark.\n\n| list | jars | why |\n|---|---|---|"
    yield from (f"| {name} | {len(artifacts.locked(name))} | {why} |" for name, why in _JARS.items())
    yield "\n## Of this clone\n\nThe packages `cluster`, `datasets`, `experiments` and `jobs`, the lock files, `pyproject.toml` and"
    yield "the README, in `/app`."


def _listed(tag: str, *command: str) -> Iterator[tuple[str, str]]:
    for line in docker("run", "--rm", tag, *command).splitlines():
        name, _, version = line.partition("\t")
        yield name, version


def _python(tag: str) -> Iterator[tuple[str, str]]:
    script = "import importlib.metadata as m; [print(d.metadata['Name'], d.version, sep='\\t') for d in m.distributions()]"
    return _listed(tag, "python", "-c", script)
