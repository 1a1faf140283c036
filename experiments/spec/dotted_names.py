"""Values of specs and command lines by their dotted names; a name that no table has is refused with the right one."""

import dataclasses
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any

from core.errors import UsageError
from core.options import closest, nearest
from datasets.sources import SOURCES
from experiments.spec.tables import (
    CLEAN_KEYS,
    DATA,
    JOB,
    MODEL,
    OF_MODELS,
    RESERVED,
    SHAPE_KEYS,
    STORE,
    TABLES,
    owner,
)
from jobs.apps import JOBS
from jobs.models import MODELS
from jobs.params import hyper_parameters
from jobs.runtime.request import NAME

_OLD = ("dataset", "store", "model", "job")
"""Names of before there were tables, of which something else is the first part now."""

_ABOUT = {
    "shape": "shape.workers", "data": DATA, "clean": "clean.k_core", "job": JOB, "model": MODEL, "spark": "spark.speculation",
}  # fmt: skip
"""A value of each table, for errors."""

Example = Callable[[str, Any], str]
"""Writes a name and a value as they are written in some place."""


def in_spec(name: str, value: Any) -> str:
    """Write a value as a grid, point or selection of a spec has it."""
    return f"{name} = {_toml(value)}"


def in_table(name: str, value: Any) -> str:
    """Write a value as the tables have it that all trials share."""
    table, _, key = name.rpartition(".")
    return f"{key} = {_toml(value)} in the table [{table}]"


def in_set(name: str, value: Any) -> str:
    """Write a value as a command line has it."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    mark = "'" if '"' in text else '"'
    return f"SET={mark}{name}={text}{mark}"


def flatten(
    values: Mapping[str, Any],
    what: str,
    example: Example = in_spec,
    beside: Collection[str] = (),
    job: str = "train",
) -> dict[str, Any]:
    """Write tables as dotted names; a table that is a value (job.select) stays whole.

    Args:
        values: tables, dotted names, or both.
        what: names the spec or the command in errors.
        example: for errors.
        beside: names that may stand beside the tables.
        job: whose names are told first.

    Raises:
        UsageError: a name that is in no table; says in which it is now, or the nearest known one.
    """
    if not isinstance(values, Mapping):
        raise UsageError(
            f'{what}: must be a table, got {values!r}; write for example {{ model.name = "als" }}'
        )
    flat: dict[str, Any] = {}
    for key, value in values.items():
        table, dot, rest = key.partition(".")
        if key in beside:
            found = {key: value}
        elif table in TABLES and (dot or isinstance(value, Mapping)):
            found = dict(_inside(table, {rest: value} if dot else value, what))
        else:
            raise misplaced(key, value, what, example, job=job, others={*TABLES, *beside})
        if twice := sorted(found.keys() & flat.keys()):
            raise UsageError(f"{what}: {twice[0]} is given twice; leave one of them out")
        flat |= found
    return flat


def _inside(table: str, values: Mapping[str, Any], what: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if table == "spark" and key.partition(".")[0] == "spark":
            raise UsageError(
                f"{what}: in the table [spark] settings have no spark. before them; write {key.partition('.')[2] or '[spark]'}"
            )
        if table == "spark":
            yield from _settings(f"spark.{key}", value)
        elif table in OF_MODELS and key in MODELS and isinstance(value, Mapping):
            yield from ((f"{table}.{key}.{field}", item) for field, item in value.items())
        elif table in OF_MODELS and key in MODELS:
            raise UsageError(
                f"{what}: {table}.{key} must be a table of values for the model {key} alone, got {value!r}; to fit that "
                f'model write {MODEL} = "{key}"'
            )
        else:
            yield f"{table}.{key}", value


def _settings(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _settings(f"{name}.{key}", inner)
    else:
        yield name, value


def takes_model(job: str) -> bool:
    """Whether a job fits a model on a data set; others make their own data."""
    return "model" in JOBS[job].parameters()


def known(job: str, table: str) -> list[str]:
    """Return the names that a table has in specs of a job; options of data sets and Spark's settings are not listed."""
    names: Mapping[str, Collection[str]] = {
        "shape": SHAPE_KEYS,
        "data": RESERVED["data"],
        "clean": CLEAN_KEYS,
        "job": JOBS[job].parameters() - {"model"},
        "model": {NAME, *_fields()} if takes_model(job) else (),
    }
    return [f"{table}.{key}" for key in names.get(table, ())]


def check_key(key: str, job: str, what: str) -> None:
    """Refuse a name that no value of a spec of this job has; options are checked where the data set is known.

    Raises:
        UsageError: with the nearest known name.
    """
    table, _, rest = key.partition(".")
    if table not in TABLES:
        raise misplaced(key, ..., what, in_spec, job=job)
    if key == JOB:
        raise UsageError(
            f"{what}: {JOB} must be in the table [job], because all trials of a spec run the same job"
        )
    if table == "spark" or (table == "data" and rest):
        return
    names = known(job, table)
    if (whose := owner(key)) and takes_model(job):
        fields = hyper_parameters(MODELS[whose]) if table == "model" else JOBS[job].parameters() - {"model"}
        names = [f"{table}.{whose}.{field}" for field in fields]
    if key not in names:
        raise UsageError(f"{what}: {_unknown(key, job, names)}")


def _unknown(key: str, job: str, names: Collection[str]) -> str:
    """Say what may be meant by a name that its table has not, of those that it has."""
    table, _, rest = key.partition(".")
    if elsewhere := meanings(key.rpartition(".")[2], job):
        return f"unknown key {key!r}: did you mean {' or '.join(map(repr, elsewhere))}?"
    if table == "model" and not takes_model(job):
        return f"the job {job} fits no model, so it takes no {key}; leave it out"
    model = closest(rest, {*MODELS, *(name.rpartition(".")[2] for name in names)})
    if table in OF_MODELS and model in MODELS:
        return f"unknown table [{key}]: did you mean [{table}.{model}]?"
    return f"unknown key {key!r}: {nearest(key, names)}"


def meanings(name: str, job: str | None = None) -> list[str]:
    """Return the dotted names that a name without a table may stand for, in specs of one job if it is given."""
    head, _, option = name.partition(".")
    if head == "dataset":
        return [f"data.{option}" if option else DATA]
    if found := {"model": MODEL, "job": JOB, "store": STORE}.get(name):
        return [found]
    jobs = [job] if job else list(JOBS)
    tables = {
        "shape": SHAPE_KEYS,
        "clean": CLEAN_KEYS,
        "job": {key for each in jobs for key in JOBS[each].parameters()},
        "model": _fields() if any(map(takes_model, jobs)) else (),
        "data": {key for source in SOURCES for key in option_names(source)},
    }
    return [f"{table}.{name}" for table, names in tables.items() if name in names]


def option_names(source: str) -> list[str]:
    """Return the names of a source's reading options."""
    return [field.name for field in dataclasses.fields(SOURCES[source].options)]


def _fields() -> set[str]:
    """Return the names of all models' fields."""
    return {field for model in MODELS.values() for field in hyper_parameters(model)}


@cache
def check_names() -> None:
    """Refuse plug-ins whose names would stand in two tables at once, or for two things in one.

    Raises:
        UsageError: names the first one.
    """
    places: list[tuple[str, Collection[str], Collection[str]]] = [
        *((f"the source {key}", option_names(key), RESERVED["data"]) for key in SOURCES),
        *(
            (f"the model {key}", hyper_parameters(MODELS[key]), (*RESERVED["model"], *MODELS))
            for key in MODELS
        ),
        *((f"the job {key}", JOBS[key].parameters(), (*RESERVED["job"], *MODELS)) for key in JOBS),
    ]
    for who, names, taken in places:
        if twice := sorted({*names} & {*taken}):
            raise UsageError(
                f"{who} has a value called {twice[0]}, which in a spec is {'a model' if twice[0] in MODELS else 'what its table is about'}: "
                "rename one of them"
            )


def misplaced(
    key: str,
    value: Any,
    what: str,
    example: Example,
    *,
    job: str = "train",
    others: Collection[str] = TABLES,
) -> UsageError:
    """Return the error for a name outside the tables: where it is now, or which known one is most similar.

    Args:
        key: the name.
        value: its value; ... if that is unknown.
        what: names the spec or the command.
        example: writes how it is written now.
        job: whose names it may be, before those of other jobs.
        others: names that may stand there.
    """
    if key in MODELS and isinstance(value, Mapping):
        return UsageError(f"{what}: the table [{key}] is now [model.{key}]")
    if found := meanings(key, job) or meanings(key):
        told = f"{what}: {key} is now {' or '.join(found)}"
        written = f": write {'for example ' * (len(found) > 1)}{example(found[0], value)}"
        return UsageError(told + written * (value is not ...))
    if key in TABLES:
        return UsageError(
            f"{what}: {key} is a table of values, got {value!r}; write for example {example(_ABOUT[key], value)}"
        )
    names = {name.partition(".")[2] for table in TABLES for name in known(job, table)} - {NAME}
    close = closest(key, {*others, *names, *_OLD})
    if close is None or close in others:
        return UsageError(f"{what}: unknown key {key!r}: {nearest(key, others)}")
    return UsageError(
        f"{what}: unknown key {key!r}: did you mean {' or '.join(map(repr, meanings(close, job)))}?"
    )


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, default=str)
