"""Stores by name, one file or folder each; a folder has its STORE in `store.py`, and what beside it needs no Spark."""

from typing import TYPE_CHECKING

from core.plugins import Plugins

if TYPE_CHECKING:  # it imports Spark, and readers without Spark import other modules of a store
    from jobs.store import Store

STORES: "Plugins[type[Store]]" = Plugins(__name__, __path__, "STORE", within="store")
