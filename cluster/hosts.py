"""Checks of settings for clusters of several machines, and addresses of masters and seeds."""

import ipaddress
import re
import socket

from cluster.settings import Settings
from core.errors import UsageError

_MASTER = re.compile(r"\[?([^\[\],/\s]+?)\]?:(\d{1,5})")


def check(settings: Settings, *, secret: bool) -> None:
    """Refuse settings with which machines could not reach or trust one another.

    Args:
        settings: all of them.
        secret: true if the environment holds the secret of Spark's processes.

    Raises:
        UsageError: a setting is refused; the message says what to set instead.
    """
    _check_names(settings)
    if settings.backend == "docker" and not loopback(settings.host):
        raise UsageError(
            f"host: {settings.host} would open the containers' ports, most of them without a password, to other machines "
            "despite a firewall; with backend=docker leave host out (RECSCALE_HOST, HOST=), or use backend=local"
        )
    if settings.spark.encrypt and not secret:
        raise UsageError(
            "spark.encrypt: true needs a secret, and RECSCALE_SPARK_SECRET is empty; put the same long text into RECSCALE_SPARK_SECRET on "
            "every machine (`openssl rand -hex 32` makes one), or leave spark.encrypt out"
        )
    if settings.spark.joins:
        _check_joins(settings)


def masters(url: str) -> list[tuple[str, int]]:
    """Return host and port of each standalone master that a URL names: spark://host:port, or several with commas.

    Raises:
        UsageError: the URL has another form.
    """
    found = [_MASTER.fullmatch(address) for address in url.removeprefix("spark://").split(",")]
    pairs = [(match[1], int(match[2])) for match in found if match]
    if not url.startswith("spark://") or len(pairs) < len(found) or not all(0 < p < 65536 for _, p in pairs):
        raise UsageError(
            f"spark.master: {url!r} is not of the form spark://host:port, for example spark://192.168.1.5:7077 "
            "(the address that `make status` shows on the master's machine)"
        )
    return pairs


def loopback(host: str) -> bool:
    """Whether a host is a loopback address or "localhost"; other names are not looked up."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def toward(host: str, port: int) -> str | None:
    """Return the address from which this machine reaches another one, None if it cannot; nothing is sent."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _check_names(settings: Settings) -> None:
    for key, name in (("advertised", settings.advertised), ("spark.driver_host", settings.spark.driver_host)):
        if name is not None and (name in ("0.0.0.0", "::") or not re.fullmatch(r"[\w.:%-]+", name)):  # noqa: S104
            raise UsageError(
                f"{key}: other machines cannot connect to {name!r}; give a name or an address of this machine, "
                "without a port"
            )


def _check_joins(settings: Settings) -> None:
    if settings.spark.master is None:
        raise UsageError(
            "spark.joins: no master is named; use `make worker MASTER=spark://host:7077`, or set spark.master too"
        )
    found = masters(settings.spark.master)
    if len(found) > 1:
        raise UsageError(
            f"spark.joins: {settings.spark.master} names {len(found)} masters, and only one can be asked for its "
            "workers; name the active one"
        )
    if settings.spark.workers < 1:
        raise UsageError("spark.workers must be 1 or more to join a master (spark.joins), got 0")
    refuse_loopback(settings, "spark.master", *found[0])


def refuse_loopback(settings: Settings, key: str, host: str, port: int) -> None:
    """Refuse a loopback `host` where `host` of another machine must reach this one."""
    if loopback(settings.host) and not loopback(host):
        own = toward(host, port) or "<address of this machine>"
        raise UsageError(
            f"host: {settings.host} cannot be reached from {host} ({key}); give this machine's own address: "
            f"HOST={own} (--set host={own}, RECSCALE_HOST={own})"
        )


def with_port(host: str, port: int) -> str:
    """Return host:port; a host that names its port keeps it."""
    return host if ":" in host else f"{host}:{port}"
