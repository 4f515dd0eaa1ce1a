"""Writes a house's history, inside the caller's transaction. At the boiler as it happens, at the nas as it is told."""

from collections.abc import Iterable, Sequence

import apsw

from daemons.heating.history.sums import DAY_S, Quarters, days_of, quarters_of
from daemons.heating.history.tables import SUMS
from daemons.store import fetch
from protocol.heating import HeatEvent
from protocol.heatsamples import HeatSamples
from protocol.messages import decode_body, encode_body

__all__ = ["CHUNK_MAX_S", "add_events", "add_samples", "house_of", "read_chunks", "replace"]

CHUNK_MAX_S = 3600
"""Samples of one message span so much at most: who looks for an instant need look back no further."""

_EVENT = """INSERT INTO heat_event (house, at, source, kind, cause, celsius, supply, outdoor, ran_s)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_CHUNK = "INSERT OR IGNORE INTO heat_chunk (house, at, body) VALUES (?, ?, ?)"
_CHUNKS = "SELECT body FROM heat_chunk WHERE house = ? AND at > ? AND at < ? ORDER BY at"


def _merged(name: str) -> str:
    if name.endswith("_min"):
        return f"{name} = coalesce(min({name}, excluded.{name}), {name}, excluded.{name})"
    if name.endswith("_max"):
        return f"{name} = coalesce(max({name}, excluded.{name}), {name}, excluded.{name})"
    return f"{name} = {name} + excluded.{name}"


def _upsert(table: str, keys: Sequence[str], unique: str) -> str:
    names = (*keys, *SUMS)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
        f"ON CONFLICT (source, {unique}) DO UPDATE SET {', '.join(map(_merged, SUMS))}"
    )


_QUARTER = _upsert("heat_quarter", ("source", "at", "day"), "at")
_DAY = _upsert("heat_day", ("source", "day", "at"), "day").replace(
    "DO UPDATE SET", "DO UPDATE SET at = min(at, excluded.at),"
)
_FORGET_QUARTERS = "DELETE FROM heat_quarter WHERE source = ? AND at >= ? AND at < ? RETURNING at, day"
_ADDED_UP = ", ".join(
    f"{name[-3:]}({name})" if name.endswith(("_min", "_max")) else f"sum({name})" for name in SUMS
)
_SUM_DAY = f"""INSERT INTO heat_day (source, day, at, {", ".join(SUMS)})
    SELECT source, day, min(at), {_ADDED_UP} FROM heat_quarter
    WHERE source = ? AND day = ? AND at BETWEEN ? AND ? GROUP BY source, day"""


def house_of(conn: apsw.Connection, site: str) -> int:
    """Return the number of a site's house, given to it the first time."""
    conn.execute("INSERT OR IGNORE INTO heat_house (site) VALUES (?)", (site,))
    house: int = fetch(conn, "SELECT house FROM heat_house WHERE site = ?", (site,))[0][0]
    return house


def add_events(conn: apsw.Connection, house: int, events: Iterable[HeatEvent]) -> None:
    """Keep what happened. Each call adds: that nothing comes twice is the link's business."""
    conn.executemany(
        _EVENT,
        [
            (
                house,
                one.at,
                one.source,
                str(one.kind),
                one.cause,
                one.celsius,
                one.supply,
                one.outdoor,
                one.ran_s,
            )
            for one in events
        ],
    )


def add_samples(conn: apsw.Connection, house: int, messages: Iterable[HeatSamples]) -> int:
    """Keep samples and add them to the sums; return how many messages were new. One of an instant that is there already
    (the clock went back) changes nothing.

    Raises ValueError for bytes that are no samples, and for a message of more than an hour.
    """
    new = []
    for message in messages:
        conn.execute(_CHUNK, (house, message.at, _body(message)))
        if conn.changes():
            new.append(message)
    quarters = quarters_of(new)
    ids = _add_quarters(conn, house, quarters)
    days = [(ids[source], day, at, *piece) for (source, day), (at, piece) in days_of(quarters).items()]
    conn.executemany(_DAY, days)
    return len(new)


def replace(
    conn: apsw.Connection,
    house: int,
    start: int,
    end: int,
    events: Iterable[HeatEvent],
    messages: Iterable[HeatSamples],
) -> None:
    """Have these, and no others, be the events and samples of start ≤ at < end, both multiples of a quarter of an hour;
    what was summed up follows. Raises ValueError, see `add_samples`."""
    conn.execute("DELETE FROM heat_event WHERE house = ? AND at >= ? AND at < ?", (house, start, end))
    conn.execute("DELETE FROM heat_chunk WHERE house = ? AND at >= ? AND at < ?", (house, start, end))
    days: set[int] = set()
    ids = _source_ids(conn, house, [])
    for source in ids.values():
        for _, day in fetch(conn, _FORGET_QUARTERS, (source, start, end)):
            days.add(day)
    add_events(conn, house, events)
    for message in messages:
        conn.execute(_CHUNK, (house, message.at, _body(message)))
    quarters = quarters_of(read_chunks(conn, house, start, end))
    touched = {key: value for key, value in quarters.items() if start <= key[1] < end}
    days |= {day for day, _ in touched.values()}
    ids = _add_quarters(conn, house, touched)
    for source in ids.values():
        for day in days:
            conn.execute("DELETE FROM heat_day WHERE source = ? AND day = ?", (source, day))
            conn.execute(_SUM_DAY, (source, day, (day - 2) * DAY_S, (day + 3) * DAY_S))


def read_chunks(conn: apsw.Connection, house: int, start: float, end: float) -> list[HeatSamples]:
    """Return the messages of samples that begin in start ≤ at < end, or reach into it."""
    rows = fetch(conn, _CHUNKS, (house, int(start) - CHUNK_MAX_S, end))
    messages = [decode_body("heat.samples", 1, body) for (body,) in rows]
    return [message for message in messages if message.at + message.count * message.step_s > start]


def _body(message: HeatSamples) -> bytes:
    if message.count * message.step_s > CHUNK_MAX_S:
        raise ValueError("samples of more than an hour in one message")
    return encode_body(message)[2]


def _add_quarters(conn: apsw.Connection, house: int, quarters: Quarters) -> dict[str, int]:
    ids = _source_ids(conn, house, dict.fromkeys(source for source, _ in quarters))
    rows = sorted((ids[source], at, day, piece) for (source, at), (day, piece) in quarters.items())
    conn.executemany(_QUARTER, [(source, at, day, *piece) for source, at, day, piece in rows])
    return ids


def _source_ids(conn: apsw.Connection, house: int, names: Iterable[str]) -> dict[str, int]:
    """Return the numbers of all sources of a house, after giving those that are new theirs."""
    conn.executemany(
        "INSERT OR IGNORE INTO heat_source (house, name) VALUES (?, ?)", [(house, name) for name in names]
    )
    rows = fetch(conn, "SELECT name, id FROM heat_source WHERE house = ?", (house,))
    return {str(name): int(id_) for name, id_ in rows}
