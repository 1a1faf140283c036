"""Stores by name, one file or folder each: STORE works on Spark's frames, STORAGE without Spark.

In a folder STORE stands in `store.py`, STORAGE in `storage.py`; one file binds both.
"""

from typing import TYPE_CHECKING

from core.plugins import Plugins
from jobs.storage import Storage

if TYPE_CHECKING:  # it imports Spark, and readers without Spark import other modules of a store
    from jobs.store import Store

STORES: "Plugins[type[Store]]" = Plugins(__name__, __path__, "STORE", within="store")
STORAGES: Plugins[Storage] = Plugins(__name__, __path__, "STORAGE", within="storage")
