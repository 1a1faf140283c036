"""Required number of copies of each row in a keyspace, and a check of it."""

from typing import Any

from cassandra import InvalidRequest, Unauthorized

from core.errors import JobError


def asked(session: Any, least: int) -> int:
    """Return how many copies of each row the nodes' own setting asks for, at least `least`.

    If the nodes were set up for three copies, every command uses three, even if it does not name the number.
    """
    try:
        found = session.execute(
            "SELECT value FROM system_views.settings WHERE name = 'default_keyspace_rf'"
        ).one()
    except (InvalidRequest, Unauthorized):
        return least  # a Cassandra older than 4.1, or one that does not permit the query
    return max(least, int(found["value"])) if found else least


def quorum(copies: int) -> int:
    """Return the quorum of a number of copies."""
    return copies // 2 + 1


def kept(session: Any, keyspace: str, datacenter: str, wanted: int) -> int:
    """Return how many copies of each row a keyspace keeps, at least as many as wanted.

    Raises:
        JobError: it was made with fewer. ALTER KEYSPACE alone would not mend that: existing rows keep their copies, and
            a quorum of more copies may miss them.
    """
    rows = session.execute(
        "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s", [keyspace]
    )
    found = min((int(row["replication"].get(datacenter, wanted)) for row in rows), default=wanted)
    if found < wanted:
        raise JobError(
            f"Cassandra's keyspace {keyspace} was made with {found} of the {wanted} copies of each row that are asked for "
            f"(cassandra.rf). Its tables can be made again with {wanted}: DROP KEYSPACE {keyspace} (or, with nodes of our "
            "own, make down, remove what they keep, in .run/cassandra or the volumes recscale-*-cassandra-*, and make setup "
            "as before), then make preprocess DATASET=... "
            f"To go on with {found}, set the nodes up for it: make setup CASSANDRA=... RF={found}"
        )
    return found
