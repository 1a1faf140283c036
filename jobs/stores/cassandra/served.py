"""Which models lists are made with: the one that readers see, and the one that is about to take its place."""

from typing import NamedTuple

from jobs.stores.cassandra.access import Connection, Keyspace
from jobs.stores.cassandra.feedback import KEYSPACE, Table

MODELS = Table(
    "models", {"role": "text", "version": "text", "model": "text", "folder": "text"}, ("role",), ()
)
SERVED, NEXT = "served", "next"


class Served(NamedTuple):
    """A model: its version and name, and the folder of its file, which all hosts of the cluster see."""

    version: str
    model: str
    folder: str


class Models:
    """Reads and writes of the table `models`."""

    def __init__(self, where: Connection, keyspace: str = KEYSPACE) -> None:
        self._keyspace = Keyspace(where, keyspace)
        self._name = f"{keyspace}.{MODELS.name}"

    def all(self) -> dict[str, Served]:
        """Return the models by their role, SERVED and NEXT; a role that none has is missing."""
        rows = self._keyspace.session().execute(self._keyspace.prepared(f"SELECT * FROM {self._name}"))
        return {row["role"]: Served(row["version"], row["model"], row["folder"]) for row in rows}

    def set(self, role: str, model: Served) -> None:
        """Give a model a role."""
        statement = f"INSERT INTO {self._name} (role, version, model, folder) VALUES (%s, %s, %s, %s)"
        self._keyspace.run(statement, [role, *model])

    def clear(self, role: str) -> None:
        """Leave a role without a model."""
        self._keyspace.run(f"DELETE FROM {self._name} WHERE role = %s", [role])
