"""Which pits show which event, as it is kept over restarts of the hub."""

from collections.abc import Mapping

import apsw

from daemons.race.active import Holding
from daemons.store import Migration, fetch

__all__ = ["MIGRATIONS", "read_holdings", "write_holdings"]

MIGRATIONS = (
    Migration(
        "active",
        1,
        """
        CREATE TABLE active_pits (
            event TEXT PRIMARY KEY, site TEXT NOT NULL, field TEXT NOT NULL, is_chosen INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
    ),
)


def read_holdings(conn: apsw.Connection) -> dict[str, Holding]:
    """Return who showed what."""
    rows = fetch(conn, "SELECT event, site, field, is_chosen FROM active_pits")
    return {event: Holding(site, name, bool(is_chosen)) for event, site, name, is_chosen in rows}


def write_holdings(conn: apsw.Connection, holdings: Mapping[str, Holding]) -> None:
    """Keep who shows what, in place of what was kept."""
    conn.execute("DELETE FROM active_pits")
    conn.executemany(
        "INSERT INTO active_pits VALUES (?, ?, ?, ?)",
        [(event, held.site, held.field, int(held.is_chosen)) for event, held in holdings.items()],
    )
