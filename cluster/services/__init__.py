"""Kinds of services, one file each: the file's name is the key, its SERVICE the value."""

from cluster.service import Place, Service, ServiceKind
from cluster.settings import Settings
from core.plugins import Plugins

SERVICES: Plugins[ServiceKind] = Plugins(__name__, __path__, "SERVICE")


def described(settings: Settings, place: Place) -> list[Service]:
    """Return every service that the settings describe."""
    return [service for kind in SERVICES.values() for service in kind.describe(settings, place)]
