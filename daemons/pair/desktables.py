"""A hub's tables of commands: what was issued, when it was sent, what became of it, what the audit is yet to be told."""

from collections.abc import Sequence
from typing import Any

import apsw

from daemons.store import Migration, fetch

__all__ = ["CLOSE", "IS_DEAD", "MIGRATIONS", "Sent", "forget", "keep_noted", "keep_sent", "select"]

MIGRATIONS = (
    Migration(
        "desk",
        1,
        """
        CREATE TABLE command (
            id TEXT PRIMARY KEY, site TEXT NOT NULL, issuer TEXT NOT NULL, issued_at REAL NOT NULL,
            expires_at REAL NOT NULL, action TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
            status TEXT, words TEXT, decided_at REAL
        ) STRICT;
        CREATE INDEX command_by_site ON command (site, issued_at);
        """,
    ),
    Migration(
        "desk",
        2,
        """
        ALTER TABLE command ADD COLUMN to_note INTEGER NOT NULL DEFAULT 0;  -- decided, and not in the audit yet
        CREATE INDEX command_to_note ON command (site, issued_at) WHERE to_note;
        """,
    ),
    Migration(
        "desk",
        3,
        """
        ALTER TABLE command ADD COLUMN against INTEGER NOT NULL DEFAULT 0;   -- state version it was issued against
        ALTER TABLE command ADD COLUMN replaces TEXT;                        -- the dead letter it was made of
        ALTER TABLE command ADD COLUMN replaced_by TEXT;
        ALTER TABLE command ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0; -- somebody asked for that
        ALTER TABLE command ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;   -- as a dead letter
        CREATE INDEX command_by_seq ON command (site, epoch, seq);
        CREATE TABLE command_attempt (id TEXT NOT NULL, at REAL NOT NULL) STRICT;
        CREATE INDEX command_attempt_by_id ON command_attempt (id, at);
        """,
    ),
)

LISTED_MAX = 200
ATTEMPTS_LISTED = 20
SWEPT_MAX = 1000

Sent = tuple[int, int, int, float]
"""Commands that were handed to a connection: epoch, first and last number, when."""

IS_DEAD = "status IN ('FAILED', 'EXPIRED') AND NOT withdrawn AND NOT dropped AND replaced_by IS NULL"
CLOSE = (
    "UPDATE command SET status = ?, words = ?, decided_at = ?, to_note = to_note | ? "
    "WHERE id = ? AND site = ? AND status IS NULL RETURNING issued_at, action"
)
_OLD = "SELECT id FROM command WHERE site = ? AND issued_at < ? AND expires_at < ? AND NOT to_note LIMIT ?"
_COLUMNS = (
    "id, issuer, issued_at, expires_at, action, epoch, seq, status, words, decided_at, against, replaces, replaced_by, "
    "withdrawn"
)


def select(
    site: str,
    condition: str,
    bindings: Sequence[str],
    order: str,
    waiting: Sequence[Sent],
    conn: apsw.Connection,
) -> list[tuple[Any, ...]]:
    """Return commands to a site, each its columns and when it was sent: also of `waiting`, which may be on disk by now."""
    rows = fetch(
        conn,
        f"SELECT {_COLUMNS} FROM command WHERE site = ? AND {condition} ORDER BY issued_at {order} LIMIT ?",
        (site, *bindings, LISTED_MAX),
    )
    return [(*row, _attempts(conn, row[0], row[5], row[6], waiting)) for row in rows]


def _attempts(conn: apsw.Connection, id_: str, epoch: int, seq: int, waiting: Sequence[Sent]) -> list[float]:
    """Return when a command was sent, oldest first: also of `waiting`, which may be on disk by now."""
    sql = "SELECT at FROM command_attempt WHERE id = ? ORDER BY at DESC LIMIT ?"
    kept = {at for (at,) in fetch(conn, sql, (id_, ATTEMPTS_LISTED))}
    kept |= {at for of, first, last, at in waiting if of == epoch and first <= seq <= last}
    return sorted(kept)[-ATTEMPTS_LISTED:]


def keep_sent(sent: list[tuple[float, str, int, int, int]], conn: apsw.Connection) -> None:
    conn.executemany(
        "INSERT INTO command_attempt SELECT id, ? FROM command WHERE site = ? AND epoch = ? AND seq BETWEEN ? AND ?",
        sent,
    )


def keep_noted(noted: list[tuple[int, str, str]], conn: apsw.Connection) -> None:
    conn.executemany("UPDATE command SET to_note = to_note & ~? WHERE id = ? AND site = ?", noted)


def forget(site: str, before: float, conn: apsw.Connection) -> None:
    """Forget some of the commands to a site that were good until a moment."""
    old = [id_ for (id_,) in fetch(conn, _OLD, (site, before, before, SWEPT_MAX))]
    conn.executemany("DELETE FROM command_attempt WHERE id = ?", [(id_,) for id_ in old])
    conn.executemany("DELETE FROM command WHERE id = ? AND site = ?", [(id_, site) for id_ in old])
