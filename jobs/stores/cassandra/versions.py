"""Versions of tables in a keyspace: publish, open and remove them, without Spark.

A version is a row of `recscale_versions` that names a physical table. A writer fills a physical table of its own and then
adds that row by a lightweight transaction. So two writers get two numbers, and readers see one of the versions completely.
The next write of the table drops versions that are neither among the newest nor claimed nor to be kept.

A claim is a row of `recscale_claims` that a process renews while it reads or writes a physical table. It expires some
minutes after a process that ended without deleting it. To remove a version, a writer first marks it as retired and then
checks for claims; to open one, a reader first claims it and then checks whether it is retired. So one of the two always
sees the other.
"""

import datetime as dt
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from core.errors import JobError
from jobs.retention import Retention, no_table, no_version
from jobs.stores.cassandra.access import CLAIMS, VERSIONS, Entry, Keyspace

_BEAT_S = 60.0
_MISSED = 10
"""A claim expires after this many missed renewals, long enough for a driver that is suspended for a while."""
_ANSWER_S, _CLAIM_S = 5.0, 60.0


class Claims:
    """Versions of a keyspace that this process reads or writes, visible to others."""

    def __init__(self, keyspace: Keyspace, held_s: float, beat_s: float = _BEAT_S) -> None:
        self._keyspace = keyspace
        self._held_s, self._beat_s = held_s, beat_s
        self._holder = uuid.uuid4()
        self._who = f"process {os.getpid()} on {platform.node()}"
        self._held: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def hold(self, table: str, physical: str) -> None:
        """Claim a physical table from now on."""
        with self._lock:
            first, now = not self._held, time.time()
            self._claim(table, physical, now)
            self._held[table, physical] = now
            if first:
                self._stopped = threading.Event()
                threading.Thread(
                    target=self._renew, args=(self._stopped,), name="cassandra-claims", daemon=True
                ).start()

    def let_go(self, table: str, physical: str) -> None:
        """End a claim; if Cassandra does not answer, the claim expires later."""
        with self._lock:
            if self._held.pop((table, physical), None) is None:
                return
            if not self._held:
                self._stopped.set()
            self._forget([(table, physical)])

    def close(self) -> None:
        """End all claims."""
        with self._lock:
            self._stopped.set()
            held = list(self._held)
            self._held.clear()
            self._forget(held)

    def of(self, table: str) -> dict[str, float]:
        """Return the physical tables of a table that somebody claims, with the time of day of the newest claim."""
        rows = self._keyspace.run(
            f"SELECT physical, since FROM {self._keyspace.name}.{CLAIMS} WHERE name = %s", [table]
        )
        found: dict[str, float] = {}
        for row in rows:
            since = row["since"].replace(tzinfo=dt.UTC).timestamp()
            found[row["physical"]] = max(since, found.get(row["physical"], 0.0))
        return found

    def _claim(self, table: str, physical: str, since: float, *, once: bool = False) -> None:
        self._keyspace.run(
            f"INSERT INTO {self._keyspace.name}.{CLAIMS} (name, physical, holder, who, since) VALUES (%s, %s, %s, %s, %s) "
            f"USING TTL {max(1, int(_MISSED * self._beat_s))}",
            [table, physical, self._holder, self._who, dt.datetime.fromtimestamp(since, dt.UTC)],
            timeout_s=_ANSWER_S if once else _CLAIM_S,
            once=once,
        )

    def _forget(self, claims: list[tuple[str, str]]) -> None:
        try:
            for table, physical in claims:
                self._keyspace.run(
                    f"DELETE FROM {self._keyspace.name}.{CLAIMS} WHERE name = %s AND physical = %s AND holder = %s",
                    [table, physical, self._holder],
                    timeout_s=_ANSWER_S,
                    once=True,
                )
        except JobError:
            return

    def _renew(self, stopped: threading.Event) -> None:
        """Renew claims until they are ended, `held_s` has passed, or the session is closed."""
        session = self._keyspace.session()
        while not stopped.wait(self._beat_s) and not session.is_shutdown:
            with self._lock:
                for (table, physical), since in self._held.items():
                    if stopped.is_set() or time.time() - since > self._held_s:
                        continue
                    try:
                        self._claim(table, physical, since, once=True)
                    except JobError:
                        break  # tried again at the next renewal; ten may fail


class KeyspaceVersions:
    """The versions of a keyspace's tables, and those that this object has open."""

    def __init__(
        self, keyspace: Keyspace, retention: Retention | None = None, beat_s: float = _BEAT_S
    ) -> None:
        self._keyspace = keyspace
        self._retention = retention or Retention()
        self.claims = Claims(keyspace, self._retention.held_s, beat_s)
        self._opened: dict[tuple[str, int], Entry] = {}

    def open(self, table: str, version: int | None = None) -> Entry:
        """Open a version, by default the newest; it stays until `close`, the end of this process, or the retention's `held_s`.

        Raises:
            JobError: there is no such table, or the version is gone.
        """
        while True:
            entry = self._entry(table, version)
            if (table, entry.version) in self._opened:
                return entry
            self.claims.hold(table, entry.physical)
            if self._keyspace.entry(table, entry.version) is not None:
                self._opened[table, entry.version] = entry
                return entry
            self.claims.let_go(table, entry.physical)

    def close(self) -> None:
        """Release all versions that were opened."""
        self._opened.clear()
        self.claims.close()

    def publish(self, table: str, physical: str, columns: Mapping[str, Any]) -> int:
        """Make a filled physical table the newest version; return its number."""
        name = f"{self._keyspace.name}.{VERSIONS}"
        insert = (
            f"INSERT INTO {name} (name, version, physical, columns) VALUES (%s, %s, %s, %s) IF NOT EXISTS"
        )
        while True:
            newest = self._keyspace.run(f"SELECT version FROM {name} WHERE name = %s LIMIT 1", [table])
            number = newest[0]["version"] + 1 if newest else 1
            (answer,) = self._keyspace.run(insert, [table, number, physical, json.dumps(columns)])
            if (
                answer["[applied]"] or answer["physical"] == physical
            ):  # an earlier try succeeded, but its answer was lost
                return int(number)

    def sweep(self, table: str, keep: Collection[int] = ()) -> None:
        """Drop versions that need not stay and are not in `keep`, and leftovers of interrupted writes."""
        name = f"{self._keyspace.name}.{VERSIONS}"
        # In this order: a writer claims a physical table before it exists and ends the claim after it is published.
        there, claimed = self._physical(table), self.claims.of(table)
        rows = self._keyspace.run(f"SELECT version, physical, retired FROM {name} WHERE name = %s", [table])
        for physical in there - {row["physical"] for row in rows} - claimed.keys():
            self._keyspace.drop(physical)
        rest = [row for row in rows if not row["retired"]][self._retention.versions :]
        rest = [
            row for row in rest if row["version"] not in keep and not self._lasts(claimed, row["physical"])
        ]
        for row in rest:
            self._keyspace.run(
                f"UPDATE {name} SET retired = true WHERE name = %s AND version = %s IF EXISTS",
                [table, row["version"]],
            )
        claimed = self.claims.of(
            table
        )  # again: who opened a version before it was retired has claimed it by now
        for row in [*rest, *(row for row in rows if row["retired"])]:
            if not self._lasts(claimed, row["physical"]):
                self._keyspace.drop(row["physical"])
                self._keyspace.run(
                    f"DELETE FROM {name} WHERE name = %s AND version = %s IF EXISTS", [table, row["version"]]
                )

    def _lasts(self, claimed: Mapping[str, float], physical: str) -> bool:
        """Whether a claim keeps a physical table from being dropped."""
        return time.time() - claimed.get(physical, 0.0) < self._retention.held_s

    def _entry(self, table: str, version: int | None) -> Entry:
        if version is not None and (table, version) in self._opened:
            return self._opened[table, version]  # it may have been retired since
        entries = self._keyspace.entries(table)
        if not entries:
            raise no_table(table, f"Cassandra's keyspace {self._keyspace.name}")
        found = [entry for entry in entries if version in (None, entry.version)]
        if version is not None and not found:
            raise no_version(table, version, [entry.version for entry in entries], self._keyspace.name)
        return found[0]

    def _physical(self, table: str) -> set[str]:
        """Return the physical tables that were made for a table, by their names."""
        rows = self._keyspace.run(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [self._keyspace.name]
        )
        return {row["table_name"] for row in rows if row["table_name"].rpartition("_")[0] == table}
