"""Try a probe once."""

import http.client
import json
import socket
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from cluster.service import Probe

_TIMEOUT_S = 3.0
_SILENCE_S = 0.3
# Our services are on this host or in its network, which a proxy of the environment does not reach.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Statuses that a proxy itself returns: password needed, server not reached, server too slow.
_PROXYS_OWN = (
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


def answers(probe: Probe) -> bool:
    """Whether the service is ready now; waits at most some seconds for an answer."""
    targets = probe.target.split(",")
    if probe.kind == "tcp":
        return any(_connects(target) for target in targets)
    if probe.kind == "cql":
        return all(_stays(target) and _knows(target, probe.peers) for target in targets)
    if probe.kind == "web":
        return _responds(probe.target)
    try:
        with _OPENER.open(probe.target, timeout=_TIMEOUT_S) as response:
            if response.status != HTTPStatus.OK:
                return False
            wanted = [part for part in (probe.expect, probe.once) if part]
            found = json.loads(response.read()) if wanted else None
            return all(holds(found, part) for part in wanted)
    except (OSError, ValueError):  # no answer, a part of one, or not yet JSON
        return False


def exit_status() -> int:
    """Try the probe in this process's last argument (JSON) and return 0 if it answers: a container's health check."""
    return 0 if answers(Probe(**json.loads(sys.argv[-1]))) else 1


def holds(value: Any, expected: Any) -> bool:
    """Whether a JSON value contains everything expected; further content is allowed."""
    if isinstance(expected, Mapping):
        return isinstance(value, dict) and all(
            key in value and holds(value[key], expected[key]) for key in expected
        )
    if isinstance(expected, list):
        return isinstance(value, list) and all(any(holds(item, one) for item in value) for one in expected)
    return bool(value == expected)


def _responds(url: str) -> bool:
    """Whether an external server answers at all, through the environment's proxy if there is one."""
    named = urllib.request.getproxies()
    every = {scheme: named["all"] for scheme in ("http", "https") if "all" in named}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({**every, **named}))
    try:
        with opener.open(url, timeout=_TIMEOUT_S):
            return True
    except urllib.error.HTTPError as error:
        return error.code not in _PROXYS_OWN
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # its certificate is for the real client to check
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _connects(target: str) -> bool:
    host, _, port = target.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_S):
            return True
    except (OSError, ValueError, OverflowError):
        return False


def _stays(target: str) -> bool:
    """Whether a connection stays open: Docker accepts one before the server listens, and closes it at once."""
    host, _, port = target.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_S) as connection:
            connection.settimeout(_SILENCE_S)
            return bool(connection.recv(1))
    except TimeoutError:  # a server that waits for its client to speak
        return True
    except (OSError, ValueError, OverflowError):
        return False


def _knows(target: str, peers: int) -> bool:
    if not peers:  # no peers to ask for; and a node with TLS or a password does not name its peers
        return True
    # Imported only when needed: the import takes longer than most probes.
    from cassandra import DriverException  # noqa: PLC0415
    from cassandra.cluster import (  # noqa: PLC0415
        EXEC_PROFILE_DEFAULT,
        Cluster,
        ExecutionProfile,
        NoHostAvailable,
    )
    from cassandra.policies import WhiteListRoundRobinPolicy  # noqa: PLC0415

    host, _, port = target.rpartition(":")
    only = ExecutionProfile(WhiteListRoundRobinPolicy([host]), request_timeout=_TIMEOUT_S)
    driver = Cluster(
        [host], int(port), protocol_version=4, connect_timeout=_TIMEOUT_S, control_connection_timeout=_TIMEOUT_S,
        execution_profiles={EXEC_PROFILE_DEFAULT: only},
    )  # fmt: skip
    try:
        return len(driver.connect().execute("SELECT peer FROM system.peers").all()) >= peers
    except (NoHostAvailable, DriverException, OSError):
        return False
    finally:
        driver.shutdown()
