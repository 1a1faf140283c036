"""Tables of a spec, and the dotted name that a value has everywhere: model.rank, clean.k_core, shape.workers."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from cluster.shape import Shape
from jobs.apps.preprocess import PreprocessParams
from jobs.models import MODELS
from jobs.runtime.request import NAME

TABLES = ("shape", "data", "clean", "job", "model", "spark")
"""Cluster shape; data set, its store and the options of its source; its cleaning; job; model; Spark's settings."""

OF_MODELS = ("job", "model")
"""Tables that may hold a table of each model, with values for that model alone."""

JOB, MODEL, DATA, STORE = (f"job.{NAME}", f"model.{NAME}", f"data.{NAME}", "data.store")

RESERVED: Mapping[str, tuple[str, ...]] = {"data": (NAME, "store"), "job": (NAME,), "model": (NAME,)}
"""Names in a table that say what it is about, so that no option, parameter or field may have them."""

SHAPE_KEYS = tuple(field.name for field in dataclasses.fields(Shape))
CLEAN_KEYS = tuple(field.name for field in dataclasses.fields(PreprocessParams))
SHAPE = tuple(f"shape.{key}" for key in SHAPE_KEYS)
CLEAN = tuple(f"clean.{key}" for key in CLEAN_KEYS)


def of(values: Mapping[str, Any], table: str) -> dict[str, Any]:
    """Return the values of one table by their names in it."""
    return {key[len(table) + 1 :]: value for key, value in values.items() if key.startswith(f"{table}.")}


def under(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of one table by their dotted names."""
    return {f"{table}.{key}": value for key, value in values.items()}


def owner(key: str) -> str:
    """Return the model for which alone a value is, as knn of model.knn.blocks or job.knn.select; "" for any other value."""
    table, _, rest = key.partition(".")
    name, dot, _ = rest.partition(".")
    return name if table in OF_MODELS and dot and name in MODELS else ""


def plain(key: str) -> str:
    """Return the name that a value has in a trial: model.knn.blocks is model.blocks there."""
    return key.replace(f".{whose}.", ".", 1) if (whose := owner(key)) else key


def for_model(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the model of a row the values that are for it alone, and leave out those for other models."""
    general = {key: value for key, value in row.items() if not owner(key)}
    own = {plain(key): value for key, value in row.items() if owner(key) == (row.get(MODEL) or NAME)}
    return general | own


def short(key: str, among: Collection[str] = ()) -> str:
    """Return a value's name for people: its last part, unless another one among these ends in the same."""
    name = _last(key)
    return key if any(_last(other) == name for other in among if other != key) else name


def _last(key: str) -> str:
    table, _, rest = key.partition(".")
    if table == "spark" or table not in TABLES:
        return key
    return table if rest == NAME else rest
