"""Settings of the running cluster, kept from `up` until `down` so that later commands use the same cluster."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import UsageError
from core.files import write_json

FILE = "cluster.json"


def recall(run_dir: Path) -> dict[str, str]:
    """Return the settings that the cluster of a run folder was started with; nothing if there are none.

    Raises:
        UsageError: the file is damaged.
    """
    path = run_dir / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    try:
        values = json.loads(text)
        return {str(key): str(value) for key, value in values.items()}
    except (ValueError, AttributeError):
        raise UsageError(f"{path} is damaged: remove it, then start the cluster again (make setup)") from None


def remember(run_dir: Path, sets: Sequence[str]) -> None:
    """Add settings ("key=value") to those of the cluster of a run folder."""
    given: Mapping[str, str] = dict(pair.split("=", 1) for pair in sets)
    values = {**recall(run_dir), **{key.strip(): value.strip() for key, value in given.items()}}
    values.pop("run_dir", None)  # it says where this file is
    if not values:
        return
    _write(run_dir, values)


def _write(run_dir: Path, values: Mapping[str, str]) -> None:
    write_json(run_dir / FILE, values)


def forget(run_dir: Path) -> None:
    """Forget the settings of a stopped cluster, but keep its backend, whose data stay until `clean`."""
    kept = {key: value for key, value in recall(run_dir).items() if key == "backend"}
    if kept:
        _write(run_dir, kept)
