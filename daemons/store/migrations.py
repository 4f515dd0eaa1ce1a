"""The shape of the tables, moved forward step by step; each component numbers its own steps from 1."""

from collections.abc import Sequence
from pathlib import Path

import apsw
from attrs import frozen

from daemons.store.errors import StorageError, StorageFault

LAYOUT = 1
"""PRAGMA user_version: how the table of migrations itself is laid out."""

TOUCH = "UPDATE migration SET number = number + 1; UPDATE migration SET number = number - 1"
"""Writes a page and changes nothing. In one statement it would not: SQLite does not write a row that stays the same."""


@frozen
class Migration:
    """Step `number` of `component`: statements that end in the next shape. Never changed once released."""

    component: str
    number: int
    sql: str


def migrate(conn: apsw.Connection, migrations: Sequence[Migration], path: Path) -> None:
    """Apply the steps that are missing, all in one transaction.

    Raises StorageError(NEWER) for a file that a newer version has written; nothing is changed then.
    """
    layout = conn.pragma("user_version")
    if layout > LAYOUT:
        raise StorageError(StorageFault.NEWER, path, f"layout {layout} is unknown here ({LAYOUT} is known)")
    done = _done(conn)
    missing: list[Migration] = []
    known: dict[str, int] = {}
    for step in migrations:
        known[step.component] = known.get(step.component, 0) + 1
        if step.number != known[step.component]:
            raise ValueError(f"migration {step.component} {step.number} is out of order")
        if step.number > done.get(step.component, 0):
            missing.append(step)
    for component, number in done.items():
        if component in known and number > known[component]:
            words = f"its {component} tables are of version {number}, this program knows {known[component]}"
            raise StorageError(StorageFault.NEWER, path, words)
    if not missing and layout == LAYOUT:
        return  # nothing is written then: a start needs no room on the disk
    conn.execute("BEGIN IMMEDIATE")  # at once: another process may open the file for the first time as well
    try:
        conn.execute(
            "CREATE TABLE IF NOT EXISTS migration (component TEXT PRIMARY KEY, number INTEGER) STRICT"
        )
        conn.pragma("user_version", LAYOUT)
        done = _done(conn)
        for step in missing:
            if step.number > done.get(step.component, 0):
                conn.execute(step.sql)
                conn.execute("INSERT OR REPLACE INTO migration VALUES (?, ?)", (step.component, step.number))
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def _done(conn: apsw.Connection) -> dict[str, int]:
    if not conn.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migration'").fetchall():
        return {}
    return dict(conn.execute("SELECT component, number FROM migration"))
