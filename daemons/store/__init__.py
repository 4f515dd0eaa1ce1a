"""SQLite: the one writer, read-only readers, migrations, backup."""

from daemons.store.connect import PLAIN, DatabaseKey
from daemons.store.errors import DISK_ERRORS, StorageError, StorageFault
from daemons.store.migrations import Migration
from daemons.store.store import Store, StoreStatistics, open_store
from daemons.store.writer import fetch, iterate

__all__ = [
    "DISK_ERRORS",
    "PLAIN",
    "DatabaseKey",
    "Migration",
    "StorageError",
    "StorageFault",
    "Store",
    "StoreStatistics",
    "fetch",
    "iterate",
    "open_store",
]
