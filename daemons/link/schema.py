"""The tables of durable channels, as migrations. All are keyed by peer: a hub has many sites in one file.

A row of `link_out_row` is found by its epoch's id and its number in one integer, so the outbox needs no index
beside the table itself; and a table with bodies of 1 KB must not be WITHOUT ROWID (measured: 4 × the work).
"""

from daemons.store import Migration

SEQ_BITS = 40
"""`link_out_row.id` is the epoch's id << 40 | number."""

_TABLES = """
CREATE TABLE link_out_channel (
    id INTEGER PRIMARY KEY,
    peer TEXT NOT NULL,
    channel TEXT NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,       -- held and not acknowledged
    body_bytes INTEGER NOT NULL DEFAULT 0,
    kept_messages INTEGER NOT NULL DEFAULT 0,  -- acknowledged, and kept for a peer that is restored
    kept_bytes INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,        -- became skips, ever
    UNIQUE (peer, channel)
) STRICT;

CREATE TABLE link_out_epoch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,      -- order of minting; never used again
    channel_id INTEGER NOT NULL REFERENCES link_out_channel (id),
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL DEFAULT 1,          -- rows below are no longer held
    next INTEGER NOT NULL DEFAULT 1,
    acked INTEGER NOT NULL DEFAULT 0,
    beyond INTEGER NOT NULL DEFAULT 0,         -- a position of the peer past next: we were rolled back
    minted_at REAL NOT NULL,
    UNIQUE (channel_id, epoch)
) STRICT;

CREATE TABLE link_out_lost (                   -- epochs of ours that only the peer knows: we were rolled back
    channel_id INTEGER NOT NULL REFERENCES link_out_channel (id),
    epoch INTEGER NOT NULL,
    theirs INTEGER NOT NULL,
    noticed_at REAL NOT NULL,
    PRIMARY KEY (channel_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE link_out_row (
    id INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    version INTEGER NOT NULL,
    at REAL NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE link_out_skip (
    epoch_id INTEGER NOT NULL REFERENCES link_out_epoch (id),
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (epoch_id, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE link_in (
    id INTEGER PRIMARY KEY AUTOINCREMENT,      -- order in which the peer began its epochs
    peer TEXT NOT NULL,
    channel TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    committed INTEGER NOT NULL,
    at REAL NOT NULL,
    UNIQUE (peer, channel, epoch)
) STRICT;

CREATE TABLE link_in_skip (
    id INTEGER PRIMARY KEY,
    peer TEXT NOT NULL,
    channel TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;

CREATE TABLE link_dead (
    id INTEGER PRIMARY KEY,
    peer TEXT NOT NULL,
    channel TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    error TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;
"""

MIGRATIONS = [Migration("link", 1, _TABLES)]
