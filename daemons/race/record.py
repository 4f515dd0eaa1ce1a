"""The hub's record of what its sites' journals told: one row an event, in the transaction that acknowledges it."""

import json
from typing import Any

import apsw
from attrs import define

from daemons.store import Migration, Store, fetch
from protocol.frames import Message
from protocol.messages import decode_body, event_to_map

MIGRATIONS = (
    Migration(
        "record",
        1,
        """
        CREATE TABLE site_event (
            id INTEGER PRIMARY KEY, site TEXT NOT NULL, type TEXT NOT NULL, at REAL NOT NULL, what TEXT NOT NULL
        ) STRICT;
        CREATE INDEX site_event_by_site ON site_event (site, id);
        """,
    ),
)

LISTED_MAX = 500


def count_events(conn: apsw.Connection, site: str) -> dict[str, int]:
    """Return how many events are on record of a site, by the channel they came on."""
    count = fetch(conn, "SELECT count(*) FROM site_event WHERE site = ?", (site,))[0][0]
    return {"event": count}


@define(eq=False)
class EventRecord:
    """One site's events, in the order in which they happened there."""

    store: Store
    site: str

    def effect(self, conn: apsw.Connection, message: Message) -> None:
        """Take one message of channel `event`. What does not decode raises, and becomes a dead letter."""
        event = decode_body(message.type, message.version, message.body)
        conn.execute(
            "INSERT INTO site_event (site, type, at, what) VALUES (?, ?, ?, ?)",
            (self.site, message.type, event.at, json.dumps(event_to_map(event), ensure_ascii=False)),
        )

    async def listed(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the site's events behind row `after`, oldest first, 500 at most."""
        sql = "SELECT id, type, at, what FROM site_event WHERE site = ? AND id > ? ORDER BY id LIMIT ?"
        rows = await self.store.read(lambda conn: list(conn.execute(sql, (self.site, after, LISTED_MAX))))
        return [
            {"id": id_, "type": type_, "at": at, "what": json.loads(what)} for id_, type_, at, what in rows
        ]
