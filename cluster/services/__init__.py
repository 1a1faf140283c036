"""Mapping of the kinds of services: each file's name to its `describe`."""

from cluster.service import Describe
from core.plugins import Plugins

SERVICES: Plugins[Describe] = Plugins(__name__, __path__, "describe")
