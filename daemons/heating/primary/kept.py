"""Settings, memory of control and the last state as they are kept on disk; inside the caller's transaction."""

import json
from collections.abc import Mapping

import apsw
from attrs import define, field, frozen

from daemons.heating import settingscodec
from daemons.heating.replica import rows
from daemons.heating.settings import Settings
from daemons.heating.state import HouseState
from daemons.store import fetch
from protocol import cbor

__all__ = [
    "Kept",
    "SettingsRow",
    "read_kept",
    "read_settings",
    "write_memory",
    "write_settings",
    "write_state",
]

_WRITE = "INSERT OR REPLACE INTO heat_kept (name, at, value) VALUES (?, ?, ?)"
_READ = "SELECT value, at FROM heat_kept WHERE name = ?"


@frozen
class Kept:
    """What was there at the start. `memory`, `state` None: there never was any."""

    settings: Settings
    memory: Mapping[str, object] | None
    state: HouseState | None


def read_kept(conn: apsw.Connection) -> Kept:
    """Read all of it. Raises ValueError for what another version has written."""
    memory, state = fetch(conn, _READ, ("memory",)), fetch(conn, _READ, ("state",))
    return Kept(
        read_settings(conn),
        json.loads(memory[0][0]) if memory else None,
        _state(*state[0]) if state else None,
    )


def read_settings(conn: apsw.Connection) -> Settings:
    """Return the settings as they are in this transaction; those of a new house when there are none."""
    found = fetch(conn, _READ, ("settings",))
    return settingscodec.from_json(json.loads(found[0][0])) if found else Settings()


def write_settings(conn: apsw.Connection, settings: Settings, at: float) -> None:
    conn.execute(_WRITE, ("settings", at, _json(settingscodec.to_json(settings))))


@define(eq=False)
class SettingsRow:
    """Reads and writes the settings again and again: what is on disk is taken apart only if it is not what was read or
    written here last. For the writer's transactions, one after the other."""

    _known: tuple[bytes, Settings] = field(default=(b"", Settings()), init=False)
    _writer: settingscodec.SettingsWriter = field(factory=settingscodec.SettingsWriter, init=False)

    def read(self, conn: apsw.Connection) -> Settings:
        """Do as `read_settings`."""
        found = fetch(conn, _READ, ("settings",))
        value = found[0][0] if found else b""
        if value != self._known[0]:  # also when what was written was undone
            self._known = value, read_settings(conn)
        return self._known[1]

    def write(self, conn: apsw.Connection, settings: Settings, at: float) -> None:
        """Do as `write_settings`."""
        value = self._writer.text(settings)
        conn.execute(_WRITE, ("settings", at, value))
        self._known = value, settings


def write_memory(conn: apsw.Connection, memory: Mapping[str, object], at: float) -> None:
    conn.execute(_WRITE, ("memory", at, _json(memory)))


def write_state(conn: apsw.Connection, state: HouseState) -> None:
    conn.execute(_WRITE, ("state", state.at, cbor.encode(rows.state_rows(rows.Told(state)))))


def _state(value: bytes, at: float) -> HouseState | None:
    try:
        told = rows.read_state(cbor.decode(value), at)
    except rows.ForeignRows:
        return None  # of an older version: it is only shown until the first round of control
    return None if told is None else told.state


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
