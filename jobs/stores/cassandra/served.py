"""Which models lists are made with: the one that readers see, and the one that is about to take its place."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from jobs.stores.cassandra.access import Connection, Keyspace
from jobs.stores.cassandra.feedback import KEYSPACE, Table

MODELS = Table(
    "models",
    {"role": "text", "version": "text", "model": "text", "folder": "text", "active_since": "timestamp"},
    ("role",),
    (),
)
SERVED, NEXT, BEFORE = "served", "next", "before"
"""Roles: the model that readers see, one that is announced, and the one that was served before, whose lists are kept."""


class Served(NamedTuple):
    """A model that lists are made with.

    Attributes:
        version, model: its version and name.
        folder: of its file, which the drivers of all applications see.
        active_since: people with an event since then have lists of it; None: all whose events the stream `refresh` has read.
    """

    version: str
    model: str
    folder: str
    active_since: dt.datetime | None = None


class Models:
    """Reads and writes of the table `models`."""

    def __init__(self, where: Connection, keyspace: str = KEYSPACE) -> None:
        self._keyspace = Keyspace(where, keyspace)
        self._keyspace.there()
        self._name = f"{keyspace}.{MODELS.name}"

    def all(self) -> dict[str, Served]:
        """Return the models by their role; a role that none has is missing."""
        rows = self._keyspace.tried(
            lambda: list(
                self._keyspace.session().execute(self._keyspace.prepared(f"SELECT * FROM {self._name}"))
            )
        )
        return {row["role"]: _served(row) for row in rows}

    def set(self, role: str, model: Served) -> None:
        """Give a model a role."""
        statement = f"INSERT INTO {self._name} (role, version, model, folder, active_since) VALUES (%s, %s, %s, %s, %s)"
        self._keyspace.run(statement, [role, *model])

    def clear(self, role: str) -> None:
        """Leave a role without a model."""
        self._keyspace.run(f"DELETE FROM {self._name} WHERE role = %s", [role])


def _served(row: Mapping[str, Any]) -> Served:
    since = row["active_since"]
    return Served(
        row["version"], row["model"], row["folder"], None if since is None else since.replace(tzinfo=dt.UTC)
    )
