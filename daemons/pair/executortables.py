"""The site's table of commands: what was taken, what is decided, what the audit is yet to be told of it."""

import apsw

from daemons.store import Migration, fetch
from protocol.messages import Command, ResultStatus, decode_body

__all__ = [
    "MIGRATIONS",
    "SEEN",
    "Told",
    "begin",
    "forget",
    "is_undecided",
    "keep_noted",
    "oldest_undecided",
    "to_note",
]

NOTED_MAX = 200
SWEPT_MAX = 1000
SEEN = "INSERT OR IGNORE INTO command_taken (id, type, version, body) VALUES (?, ?, ?, ?)"

MIGRATIONS = (
    Migration(
        "command",
        1,
        """
        CREATE TABLE command_taken (
            id TEXT PRIMARY KEY, type TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
            status TEXT, words TEXT
        ) STRICT;
        CREATE TABLE site_setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
        """,
    ),
    Migration(
        "command",
        2,
        """
        ALTER TABLE command_taken ADD COLUMN to_note INTEGER NOT NULL DEFAULT 0;  -- decided, and not in the audit yet
        CREATE INDEX command_to_note ON command_taken (id) WHERE to_note;
        CREATE INDEX command_undecided ON command_taken (id) WHERE status IS NULL;
        """,
    ),
    Migration(
        "command",
        3,
        "ALTER TABLE command_taken ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;  -- done, perhaps",
    ),
    Migration(
        "command",
        4,
        """
        ALTER TABLE command_taken ADD COLUMN decided_at REAL;  -- by the hub's clock; NULL: by an older version
        CREATE INDEX command_decided ON command_taken (decided_at) WHERE status IS NOT NULL;
        """,
    ),
)

Told = tuple[Command, ResultStatus | None, str]
"""What the audit is told: that a command is carried out now (no status), or how it ended and in which words."""


def is_undecided(conn: apsw.Connection, id_: str) -> bool:
    return bool(
        conn.execute("SELECT 1 FROM command_taken WHERE id = ? AND status IS NULL", (id_,)).fetchall()
    )


def to_note(conn: apsw.Connection) -> list[tuple[str, Told]]:
    """Return what was decided and the audit does not have yet, oldest first, by id."""
    sql = "SELECT id, type, version, body, status, words FROM command_taken WHERE to_note ORDER BY rowid LIMIT ?"
    found: list[tuple[str, Told]] = []
    for id_, type_, version, body, status, words in fetch(conn, sql, (NOTED_MAX,)):
        command = decode_body(type_, version, body)
        assert isinstance(command, Command)
        found.append((id_, (command, ResultStatus(status), words)))
    return found


def keep_noted(noted: list[tuple[str]], conn: apsw.Connection) -> None:
    conn.executemany("UPDATE command_taken SET to_note = 0 WHERE id = ?", noted)


def begin(id_: str, conn: apsw.Connection) -> bool:
    """Note that a command is carried out from now on. False when it is decided."""
    conn.execute("UPDATE command_taken SET begun = 1 WHERE id = ? AND status IS NULL", (id_,))
    return bool(conn.changes())


def oldest_undecided(conn: apsw.Connection) -> tuple[Command, bool] | None:
    """Return the one whose turn it is, and whether it was begun; None when there is none."""
    sql = "SELECT type, version, body, begun FROM command_taken WHERE status IS NULL ORDER BY rowid LIMIT 1"
    for type_, version, body, is_begun in fetch(conn, sql):
        command = decode_body(type_, version, body)
        assert isinstance(command, Command)
        return command, bool(is_begun)
    return None


def forget(now: float, before: float, conn: apsw.Connection) -> None:
    """Forget some of what was decided before a moment; what an older version has decided counts from now on."""
    conn.execute(
        "UPDATE command_taken SET decided_at = ? WHERE status IS NOT NULL AND decided_at IS NULL", (now,)
    )
    conn.execute(
        "DELETE FROM command_taken WHERE id IN (SELECT id FROM command_taken WHERE status IS NOT NULL AND "
        "decided_at < ? AND NOT to_note LIMIT ?)",
        (before, SWEPT_MAX),
    )
