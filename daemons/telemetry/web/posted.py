"""Snapshots that were posted over HTTP: the last ones, kept in the daemon's store and handed back."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import apsw
from attrs import frozen

from daemons.store import Migration, Store
from daemons.telemetry.web.snapshotbody import Posted

__all__ = ["KEPT_MAX", "MIGRATIONS", "PostedSnapshots"]

KEPT_MAX = 100_000
"""Of all drivers together: hours at ten a second. The oldest go first: who wants all of it sends it by a relay."""

MIGRATIONS = (
    Migration(
        "posted",
        1,
        """
        CREATE TABLE posted (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            driver TEXT NOT NULL,
            at_us INTEGER NOT NULL,             -- as the sender says, UTC
            data TEXT NOT NULL,                 -- JSON
            who TEXT NOT NULL
        ) STRICT;
        CREATE INDEX posted_driver ON posted (driver, id);
        """,
    ),
)


@frozen(eq=False)
class PostedSnapshots:
    """Keeps and reads them. Everything may raise StorageError."""

    store: Store

    async def keep(self, posted: Posted, who: str) -> str:
        """Keep one durably and return its id."""
        return str(await self.store.transact(partial(_insert, posted=posted, who=who)))

    async def newest(self, driver: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return a driver's last ones, the newest first: id, at_us, data."""
        return await self.store.read(partial(_newest, driver=driver, limit=limit))


def _insert(conn: apsw.Connection, posted: Posted, who: str) -> int:
    data = json.dumps(dict(posted.data), separators=(",", ":"))
    conn.execute(
        "INSERT INTO posted (driver, at_us, data, who) VALUES (?, ?, ?, ?)",
        (posted.driver, posted.at_us, data, who),
    )
    id_ = conn.last_insert_rowid()
    conn.execute("DELETE FROM posted WHERE id <= ?", (id_ - KEPT_MAX,))
    return id_


def _newest(conn: apsw.Connection, driver: str, limit: int) -> list[dict[str, Any]]:
    rows = conn.execute(
        "SELECT id, at_us, data FROM posted WHERE driver = ? ORDER BY id DESC LIMIT ?", (driver, limit)
    )
    return [{"id": str(id_), "at_us": at_us, "data": json.loads(data)} for id_, at_us, data in rows]
