"""The tables that only the boiler has: what people wish, what control must remember, what was told a day."""

from daemons.store import Migration

__all__ = ["MIGRATIONS"]

_TABLES = """
CREATE TABLE heat_kept (
    name TEXT PRIMARY KEY,                     -- settings, memory (of control), state (the last one)
    at REAL NOT NULL,                          -- by the house's time
    value BLOB NOT NULL                        -- JSON; of the state its rows, as replicas have them, CBOR
) STRICT, WITHOUT ROWID;

CREATE TABLE heat_told (                       -- what went into the outbox, by day (UTC): what an outage takes
    day INTEGER PRIMARY KEY,
    messages INTEGER NOT NULL,
    body_bytes INTEGER NOT NULL
) STRICT;
"""

MIGRATIONS = (Migration("heat_primary", 1, _TABLES),)
