"""Kinds of readiness checks, and how each is tried once."""

import http.client
import json
import re
import shlex
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cluster.service import Probe

TIMEOUT_S = 3.0
_SILENCE_S = 0.3
_NO_ANSWER = (OSError, ValueError, http.client.HTTPException)  # none, a part of one, or not HTTP
# Our services are on this host or in its network, which a proxy of the environment does not reach.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Statuses that a proxy itself returns: password needed, server not reached, server too slow.
_PROXYS_OWN = (
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


def answers(probe: Probe, log: Callable[[], Path] | None = None) -> bool:
    """Whether the service is ready now; waits at most some seconds for an answer.

    Args:
        probe: what is tested.
        log: returns the file with the service's output; asked only where it is needed, because of a container it is a copy.
    """
    return _holds(probe, log) and all(answers(one, log) for one in probe.also)


def _holds(probe: Probe, log: Callable[[], Path] | None) -> bool:
    targets = probe.target.split(",")
    match probe.kind:
        case "tcp":
            return any(_connects(target) for target in targets)
        case "call":
            call = probe.call
            return call is not None and all(call(target, probe.expect) for target in targets)
        case "web":
            return _responds(probe.target)
        case "log":
            return log is not None and _says(log(), probe.target)
        case "command":
            return _succeeds(probe.target)
        case "http":
            return _shows(probe)


def _shows(probe: Probe) -> bool:
    try:
        with _OPENER.open(probe.target, timeout=TIMEOUT_S) as response:
            if response.status != HTTPStatus.OK:
                return False
            wanted = [part for part in (probe.expect, probe.once) if part]
            found = json.loads(response.read()) if wanted else None
            return all(holds(found, part) for part in wanted)
    except _NO_ANSWER:  # or not yet JSON
        return False


def _says(log: Path, pattern: str) -> bool:
    try:
        return re.search(pattern, log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE) is not None
    except OSError:  # it has not been started yet
        return False


def _succeeds(command: str) -> bool:
    try:
        done = subprocess.run(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


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
        with opener.open(url, timeout=TIMEOUT_S):
            return True
    except urllib.error.HTTPError as error:
        return error.code not in _PROXYS_OWN
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # its certificate is for the real client to check
    except _NO_ANSWER:
        return False


def _connects(target: str) -> bool:
    host, _, port = target.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_S):
            return True
    except (OSError, ValueError, OverflowError):
        return False


def stays(target: str) -> bool:
    """Whether a connection stays open: Docker accepts one before the server listens, and closes it at once."""
    host, _, port = target.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_S) as connection:
            connection.settimeout(_SILENCE_S)
            return bool(connection.recv(1))
    except TimeoutError:  # a server that waits for its client to speak
        return True
    except (OSError, ValueError, OverflowError):
        return False
