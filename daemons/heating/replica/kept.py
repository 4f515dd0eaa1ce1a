"""What the hub last heard of a house, kept over restarts: rows as they came, and when they were true."""

from collections.abc import Iterable, Mapping

import apsw
from attrs import field, frozen

from daemons.store import Migration, fetch

__all__ = ["MIGRATIONS", "Kept", "read_kept", "write_kept"]

MIGRATIONS = (
    Migration(
        "heat_replica",
        1,
        """
        CREATE TABLE heat_row (
            house INTEGER NOT NULL, topic TEXT NOT NULL, key TEXT NOT NULL, row BLOB NOT NULL,
            PRIMARY KEY (house, topic, key)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE heat_heard (
            house INTEGER PRIMARY KEY,
            as_of_us INTEGER,                          -- of the state, by the site's clock
            as_of REAL,                                -- the same by ours
            instance BLOB NOT NULL,                    -- of the site's daemon
            boot BLOB NOT NULL,                        -- of its machine
            restarts INTEGER NOT NULL DEFAULT 0,       -- noticed, ever
            restarted_at REAL,
            words TEXT NOT NULL DEFAULT ''
        ) STRICT;
        """,
    ),
)


@frozen(kw_only=True)
class Kept:
    """What is kept of a house but its rows. `as_of_us` is by the site's clock, `as_of` the same by ours, in seconds;
    `words`: what its last restart was."""

    as_of_us: int | None = None
    as_of: float | None = None
    instance: bytes = b""
    boot: bytes = b""
    restarts: int = 0
    restarted_at: float | None = None
    words: str = ""
    rows: Mapping[str, Mapping[str, bytes]] = field(factory=dict, eq=False)
    """By topic and key; empty for what is to be written."""


def read_kept(conn: apsw.Connection, house: int) -> Kept:
    """Return what is kept of a house; of one that was never heard of, nothing."""
    rows: dict[str, dict[str, bytes]] = {}
    for topic, key, row in fetch(conn, "SELECT topic, key, row FROM heat_row WHERE house = ?", (house,)):
        rows.setdefault(topic, {})[key] = row
    sql = "SELECT as_of_us, as_of, instance, boot, restarts, restarted_at, words FROM heat_heard WHERE house = ?"
    for as_of_us, as_of, instance, boot, restarts, restarted_at, words in fetch(conn, sql, (house,)):
        return Kept(
            as_of_us=as_of_us, as_of=as_of, instance=instance, boot=boot, restarts=restarts,
            restarted_at=restarted_at, words=words, rows=rows,
        )  # fmt: skip
    return Kept(rows=rows)


def write_kept(
    conn: apsw.Connection,
    house: int,
    heard: Kept,
    changed: Mapping[str, Mapping[str, bytes | None]],
) -> None:
    """Keep what was heard. `changed`: by topic the rows that are others now (None: gone)."""
    for topic, rows in changed.items():
        _write_rows(conn, house, topic, rows.items())
    conn.execute(
        "INSERT OR REPLACE INTO heat_heard VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            house, heard.as_of_us, heard.as_of, heard.instance, heard.boot, heard.restarts, heard.restarted_at,
            heard.words,
        ),
    )  # fmt: skip


def _write_rows(
    conn: apsw.Connection, house: int, topic: str, rows: Iterable[tuple[str, bytes | None]]
) -> None:
    for key, row in rows:
        if row is None:
            conn.execute(
                "DELETE FROM heat_row WHERE house = ? AND topic = ? AND key = ?", (house, topic, key)
            )
        else:
            conn.execute("INSERT OR REPLACE INTO heat_row VALUES (?, ?, ?, ?)", (house, topic, key, row))
