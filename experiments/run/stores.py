"""Stores of an experiment's tables: where a data set's tables lie, and what applications need to reach them and its source."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.services import SERVICES
from cluster.settings import Settings
from datasets.source import Extended, Source
from experiments.spec.trial import Data
from jobs.storage import Storage
from jobs.stores import STORAGES


def root_of(data: Data, settings: Settings) -> str:
    """Return what the store of a data set is opened with."""
    return STORAGES[data.store].root(data.tables, settings.run_dir / "store" / data.slug)


def section_of(settings: Settings, service: str) -> Any:
    """Return the settings of the service that keeps a store's tables.

    Raises:
        TypeError: the service has none, so no store can be described by them.
    """
    section = SERVICES[service].section
    if section is None:
        raise TypeError(f"the service {service} of a store has no settings: give its SERVICE a section")
    return settings.of(section)


def spark_settings_of(store: str, settings: Settings, addresses: Sequence[str], jars: str) -> dict[str, str]:
    """Return the Spark settings with which an application reaches a store.

    Args:
        store: key of the store.
        settings: where things are.
        addresses: of the store's servers, for clients; none where no service keeps its tables.
        jars: those that Spark needs for it, as the setting spark.jars wants them.
    """
    storage = STORAGES[store]
    options: Mapping[str, Any] = vars(section_of(settings, storage.service)) if storage.service else {}
    return storage.spark_settings(addresses, options, jars)


def spark_settings_to_read(source: Source, jars: Callable[[str], str]) -> dict[str, str]:
    """Return the Spark settings with which an application reads a source; none for most.

    Args:
        source: of a data set.
        jars: returns those of a list as the setting spark.jars wants them.
    """
    if not isinstance(source, Extended):
        return {}
    return {"spark.jars": jars(source.jars), **source.spark_settings}


def together(*settings: Mapping[str, str]) -> dict[str, str]:
    """Return Spark settings of several origins in one: lists are joined, of any other setting the last one counts."""
    found: dict[str, str] = {}
    for each in settings:
        for key, value in each.items():
            parts = [*found.get(key, "").split(","), *value.split(",")] if key in _LISTS else [value]
            found[key] = ",".join(dict.fromkeys(part for part in parts if part))
    return found


_LISTS = ("spark.jars", "spark.sql.extensions")


def as_running(settings: Settings, storage: Storage, addresses: Sequence[str]) -> Settings:
    """Return the settings with those of a store's service as its servers that run were started with.

    Args:
        settings: where things are.
        storage: of the store.
        addresses: of the servers.

    Raises:
        JobError: no server answers.
    """
    own = section_of(settings, storage.service)
    return settings.having(dataclasses.replace(own, **storage.running(addresses, vars(own))))


def files_of(store: str) -> list[Path]:
    """Return the files that a store's variables name in the environment, which a driver has to be able to read."""
    return files_named(STORAGES[store].file_variables)


def files_named(variables: Iterable[str]) -> list[Path]:
    """Return the files that variables of the environment name."""
    named = (os.environ.get(name) for name in variables)
    return [Path(path) for path in named if path]
