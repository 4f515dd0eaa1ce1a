"""What leaves a house's history: samples after their days, and the oldest of what is left when there are too many bytes.

Sums stay for good: a year of a house with 14 zones is 60 MB of quarters and 1 MB of days.
"""

import apsw
from attrs import frozen

from daemons.store import fetch

__all__ = ["HistoryKeep", "history_bytes", "trim"]

DAY_S = 86_400.0
CHUNKS_A_STEP = 500
EVENTS_A_STEP = 5000
"""Deleted in one transaction: what waits for the writer, the control loop above all, waits no longer than that takes."""


@frozen
class HistoryKeep:
    """`samples_days`, `events_days`: how long (0: for good). `bytes_max`: of the whole file, its free pages not counted;
    past it the oldest samples go, then the oldest events."""

    samples_days: float = 400.0
    events_days: float = 0.0
    bytes_max: int = 2 * 1024**3


def trim(conn: apsw.Connection, keep: HistoryKeep, now: float) -> int:
    """Delete some of what is too old or too much; return how many rows: to be called again until there were none."""
    gone = 0
    if keep.samples_days:
        gone += _chunks(conn, now - keep.samples_days * DAY_S)
    if keep.events_days:
        gone += _events(conn, now - keep.events_days * DAY_S)
    if not gone and history_bytes(conn) > keep.bytes_max:
        gone = _chunks(conn, now) or _events(conn, now)
    return gone


def history_bytes(conn: apsw.Connection) -> int:
    """Return the bytes of the database's pages that are in use."""
    pages = conn.pragma("page_count") - conn.pragma("freelist_count")
    used: int = pages * conn.pragma("page_size")
    return used


def _chunks(conn: apsw.Connection, before: float) -> int:
    gone = 0
    for (house,) in fetch(conn, "SELECT house FROM heat_house"):
        conn.execute(
            """DELETE FROM heat_chunk WHERE house = ?1 AND at < ?2 AND at <= (
                SELECT max(at) FROM (SELECT at FROM heat_chunk WHERE house = ?1 ORDER BY at LIMIT ?3))""",
            (house, before, CHUNKS_A_STEP),
        )
        gone += conn.changes()
    return gone


def _events(conn: apsw.Connection, before: float) -> int:
    gone = 0
    for (house,) in fetch(conn, "SELECT house FROM heat_house"):
        conn.execute(
            """DELETE FROM heat_event WHERE id IN (
                SELECT id FROM heat_event WHERE house = ? AND at < ? ORDER BY at LIMIT ?)""",
            (house, before, EVENTS_A_STEP),
        )
        gone += conn.changes()
    return gone
