"""Facts in a report about the place of the measurements."""

from collections.abc import Mapping
from typing import Any

_SHOWN = {
    "host.cpu": "processor", "host.cores": "cores", "host.memory_gib": "memory, GiB", "host.system": "system",
    "version.python": "Python", "version.java": "Java", "version.pyspark": "Spark", "version.mlflow": "MLflow",
    "git.commit": "commit", "git.dirty": "changes not committed", "hash.code": "hash of the code",
    "hash.lock": "hash of the packages",
}  # fmt: skip


def facts_of(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known of host, versions and code, under names for people."""
    return {
        shown: _plain(environment[key])
        for key, shown in _SHOWN.items()
        if environment.get(key) not in (None, "")
    }


def _plain(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
