"""Names and specs of versions before tables, in which all values stood in one flat mapping, and what they are called now.

What such a version knew is written down here and never changes, whatever jobs and models come or go.
"""

from collections.abc import Mapping
from typing import Any

SHAPE = ("workers", "cores", "memory", "cpus", "pin", "backend")
CLEAN = ("k_core", "max_rejected_share", "min_rating", "max_rating", "sample")
TRAIN = (
    "split", "test", "split_seed", "n", "fold", "k", "relevant", "top_n", "seen", "select", "validation", "part", "export",
)  # fmt: skip
_TABLES = ("shape", "data", "clean", "job", "model", "spark")
_NAMES = {"dataset": "data.name", "store": "data.store", "model": "model.name", "job": "job.name"}
_LISTS = ("points", "exclude", "held_out")  # under each stand several tables of values
_MODELS = (
    "als", "als_implicit", "als_single", "bias", "content", "content_kmeans", "implicit_single", "knn", "popularity",
)  # fmt: skip


def dotted(name: str, job: str = "train") -> str:
    """Return today's name of a value of an older spec or trial."""
    model, colon, field = name.partition(":")
    if colon:
        table, _, key = dotted(field, job).partition(".")
        return f"{table}.{model}.{key}"
    if name.startswith("spark."):
        return name
    if name.startswith("dataset."):
        return f"data.{name.removeprefix('dataset.')}"
    table = (
        "shape" if name in SHAPE
        else "clean" if name in CLEAN
        else "job" if job != "train" or name in TRAIN
        else "model"
    )  # fmt: skip
    return _NAMES.get(name, f"{table}.{name}")


def values_of(flat: Mapping[str, Any], job: str = "train") -> dict[str, Any]:
    """Return the values of an older trial under today's names."""
    return {dotted(name, job): value for name, value in flat.items()}


def is_old(spec: Mapping[str, Any]) -> bool:
    """Whether a spec was written before there were tables."""
    if "fixed" in spec or isinstance(spec.get("job"), str):
        return True
    parts = [spec.get("grid", {}), *(item for key in _LISTS for item in spec.get(key, ()))]
    parts.append(spec.get("search", {}).get("space", {}))
    return any(_untabled(key, value) for part in parts for key, value in part.items())


def translated(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return an older spec in today's form, with dotted names in place of tables."""
    job = str(spec.get("job", "train"))
    new = {key: value for key, value in spec.items() if key not in ("job", "fixed")}
    new["job.name"] = job
    new |= _flat(spec.get("fixed", {}), job)
    if "grid" in spec:
        new["grid"] = _flat(spec["grid"], job)
    for key in _LISTS:
        if key in spec:
            new[key] = [_flat(item, job) for item in spec[key]]
    if "comparisons" in spec:
        new["comparisons"] = [_sides(item, job) for item in spec["comparisons"]]
    if "means" in spec:
        new["means"] = [
            {**item, "over": [dotted(key, job) for key in item["over"]]} for item in spec["means"]
        ]
    if "labelled" in spec:
        new["labelled"] = [dotted(key, job) for key in spec["labelled"]]
    if "search" in spec:
        new["search"] = {**spec["search"], "space": _flat(spec["search"].get("space", {}), job)}
    return new


def _untabled(key: str, value: Any) -> bool:
    table, dot, _ = key.partition(".")
    return table not in _TABLES or not (dot or isinstance(value, Mapping))


def _sides(comparison: Mapping[str, Any], job: str) -> dict[str, Any]:
    sides = ("baseline", "contender")
    return {key: _flat(value, job) if key in sides else value for key, value in comparison.items()}


def _flat(values: Mapping[str, Any], job: str) -> dict[str, Any]:
    """Return values of an older table, and of the tables in it, under today's names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key == "phase":
            found[key] = value
        elif isinstance(value, Mapping) and key in ("spark", "dataset"):
            found |= {dotted(name, job): item for name, item in _deep(key, value)}
        elif isinstance(value, Mapping) and key in _MODELS:
            found |= {dotted(f"{key}:{name}", job): item for name, item in value.items()}
        else:
            found[dotted(key, job)] = value
    return found


def _deep(prefix: str, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{prefix}.{key}"
        found += _deep(name, value) if isinstance(value, Mapping) else [(name, value)]
    return found
