"""Workers that are not this host's: whose they are, what their times may be set against, and whether they encrypt."""

from urllib.parse import urlsplit

from cluster import hosts, security
from cluster.settings import Settings
from cluster.shape import Shape
from experiments.run.environment import host

TAG = "external"


def external(settings: Settings) -> bool:
    """Whether the workers are those of a master that is not on this host, so that nothing is known of their cores."""
    master = settings.spark.master
    if master is None or master.startswith("local"):
        return False
    return not hosts.loopback(urlsplit(master).hostname or "")


def facts(settings: Settings) -> dict[str, str]:
    """Return what a time depends on besides this host; nothing for workers of this host that share no secret."""
    found = {"cluster.master": settings.spark.master or ""} if external(settings) else {}
    options = security.options(settings)
    if options:
        found["cluster.encrypted"] = options.get("spark.network.crypto.enabled", "false")
    return found


def shape_tag(shape: Shape, settings: Settings) -> str:
    """Say how far a time on this shape may be trusted: `Shape.tag`, or that it cannot be told from here."""
    return TAG if external(settings) else shape.tag(host()["host.cores"])
