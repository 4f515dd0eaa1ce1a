"""What is known of recordings, in the daemon's database: sessions, stints, laps, what was refused. See archive/tables.py."""

import json
from collections.abc import Sequence

import apsw
from attrs import frozen

from daemons.store import fetch
from daemons.telemetry.finding import FoundLap, FoundStint
from daemons.telemetry.reading import Reading
from protocol import cbor
from protocol.columns import decode_info, encode_info

__all__ = ["Told", "rec_of", "refuse", "refused_upto", "save", "told"]


@frozen
class Told:
    """What the catalogue has for a `Reading` to go on with. `state`: of the finder, None: it has not begun."""

    info: bytes
    session_num: int | None
    fed: int
    state: dict[str, object] | None


def rec_of(conn: apsw.Connection, recording: bytes) -> int | None:
    """Return the catalogue's number of a recording."""
    rows = fetch(conn, "SELECT rec FROM tele_recording WHERE id = ?", (recording,))
    return int(rows[0][0]) if rows else None


def told(conn: apsw.Connection, rec: int, bytes_max: int) -> Told:
    """Return what was saved of a recording."""
    about = fetch(conn, "SELECT info, session_num FROM tele_about WHERE rec = ?", (rec,))
    state = fetch(conn, "SELECT fed, state FROM tele_finder WHERE rec = ?", (rec,))
    info, session_num = about[0] if about else (b"", None)
    fed, packed = state[0] if state else (-1, None)
    return Told(
        decode_info(info, None, bytes_max=bytes_max) if info else b"", session_num, fed,
        None if packed is None else cbor.decode(packed),
    )  # fmt: skip


@frozen
class Snapshot:
    """A moment of a `Reading`, to be saved; its own, as the reading goes on meanwhile."""

    rec: int
    about: tuple[object, ...] | None
    found: tuple[FoundLap | FoundStint, ...]
    fed: int
    state: bytes


def snapshot(reading: Reading) -> Snapshot:
    """Take what is to be saved of a reading."""
    recording, about = reading.recording, reading.about
    num = reading.session_num
    row = None
    if reading.is_told_anew:
        key = f"{about.key}-{num or 0}" if about.key else recording.id.hex()
        row = (
            reading.rec, recording.driver, recording.id, key, recording.started_utc_us, recording.layout.tick_rate,
            about.kind(num or 0), about.track, about.car, json.dumps(about.facts.sectors), num,
            encode_info(reading.info, None) if reading.info else b"",
        )  # fmt: skip
    stint = reading.finder.open_stint()
    found = (*reading.found, *((stint,) if stint is not None else ()))
    return Snapshot(reading.rec, row, found, reading.fed, cbor.encode(reading.finder.pack()))


def save(conn: apsw.Connection, snapshots: Sequence[Snapshot]) -> list[None]:
    """Save snapshots; each of what was found replaces what it was before."""
    for one in snapshots:
        if one.about is not None:
            marks = ", ".join("?" * len(one.about))
            conn.execute(f"INSERT OR REPLACE INTO tele_about VALUES ({marks})", one.about)
        for found in one.found:
            if isinstance(found, FoundStint):
                conn.execute(
                    "INSERT OR REPLACE INTO tele_stint VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (one.rec, found.index, found.name, found.first_tick, found.last_tick, found.laps, found.is_open),
                )  # fmt: skip
            else:
                conn.execute(
                    "INSERT OR REPLACE INTO tele_lap VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        one.rec, found.index, found.number, found.stint, found.first_tick, found.last_tick,
                        found.started_s, found.time_s, json.dumps(found.sectors), json.dumps(found.flaws),
                        found.fuel_litres,
                    ),
                )  # fmt: skip
        conn.execute("INSERT OR REPLACE INTO tele_finder VALUES (?, ?, ?)", (one.rec, one.fed, one.state))
    return [None] * len(snapshots)


def refuse(conn: apsw.Connection, rec: int, refused: Sequence[tuple[int, str, str]]) -> None:
    """Note numbers that were refused: why, and the file that what came is kept in ("": in none)."""
    for number, words, file in refused:
        conn.execute("INSERT OR IGNORE INTO tele_refused VALUES (?, ?, ?, ?)", (rec, number, words, file))


def refused_upto(conn: apsw.Connection, rec: int) -> int:
    """Return one above the greatest number that was refused; 0: none was."""
    return int(
        fetch(conn, "SELECT coalesce(max(number), -1) + 1 FROM tele_refused WHERE rec = ?", (rec,))[0][0]
    )
