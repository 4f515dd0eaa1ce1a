"""The state of a house as rows of the topic "heat.state": CBOR arrays that stay byte for byte the same while nothing changes.

What moves every few seconds (temperatures) stands in rows of its own, apart from what moves now and then (cause, mode,
override): a batch then is a dozen rows of five bytes. Temperatures are hundredths of °C, instants whole UTC seconds.
No row holds a time that ticks: `at` comes from the topic's `as_of`, and a reading's own time stands there only when it
is older than OLD_S, or the sensor is not good.

    key   row
    h     version, house, settings version, on, preset, until, clock sure, boot, speed, offset, capacity in days
    o     outdoor[, read at]
    b     flow, back, target of the boiler
    c     its state, burning, pump, cause, since, starts, locked out
    0 …   room, supply[, read at] of the zone with this number
    s0 …  its id, mode, bits (1 on, 2 call known, 4 call), sense, fault, cause, since, target, override, next at, next
    a:…   code, of, severity, words, since of one alarm

Arrays may grow at their end within a version: what is behind the last known field is ignored.
"""

import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from daemons.heating.settings import Mode, Override, OverrideEnd, Target
from daemons.heating.state import Alarm, BoilerState, HouseState, Sense, Severity, ZoneState
from protocol import cbor
from protocol.errors import RemoteProtocolError

__all__ = [
    "OLD_S",
    "REAL_TIME",
    "TOPIC",
    "VERSION",
    "Clock",
    "ForeignRows",
    "Told",
    "read_state",
    "state_rows",
]

TOPIC = "heat.state"
VERSION = 1
OLD_S = 30.0
"""A good reading younger than this is told as of the state's own time: a screen may show it this much too young."""

_MODES = tuple(Mode)
_SENSES = tuple(Sense)
_ENDS = tuple(OverrideEnd)
_SEVERITIES = tuple(Severity)
_NUMBER = re.compile("0|[1-9][0-9]{0,3}")
_CENTI = 100


class ForeignRows(ValueError):
    """These rows cannot be read here; the words say what to do."""


@frozen
class Clock:
    """How the house's time follows from UTC: house = UTC × `speed` + `offset`. Both differ from 1 and 0 in a demo only."""

    speed: float = 1.0
    offset: float = 0.0

    def house_time(self, utc: float) -> float:
        """Return the house's time at this UTC, both in seconds."""
        return utc * self.speed + self.offset

    def utc(self, house_time: float) -> float:
        """Return the UTC of this time of the house."""
        return (house_time - self.offset) / self.speed


REAL_TIME = Clock()


@frozen
class Told:
    """What a site tells: its house's state, the clock that is by, and for how many days of outage it keeps everything
    (None: not said)."""

    state: HouseState
    clock: Clock = REAL_TIME
    capacity_days: int | None = None


# --- out
# -------------------------------------------------------------------------------------------------------------


def state_rows(told: Told) -> dict[str, bytes]:
    """Return every row of a state, by key."""
    state, clock = told.state, told.clock
    rows: dict[str, Any] = {
        "h": [
            VERSION, state.house, state.settings_version, state.is_on, state.preset, _time(state.preset_until),
            state.clock_sure, state.boot, clock.speed, clock.offset, told.capacity_days,
        ],
        "o": [_centi(state.outdoor), *_old(state.outdoor_read_at, state.at, state.outdoor is not None)],
        **_boiler(state.boiler),
    }  # fmt: skip
    for number, zone in enumerate(state.zones):
        is_good = zone.sense is Sense.GOOD and zone.celsius is not None
        rows[str(number)] = [
            _centi(zone.celsius), _centi(zone.supply), *_old(zone.read_at, state.at, is_good),
        ]  # fmt: skip
        rows[f"s{number}"] = _slow(zone)
    for alarm in state.alarms:
        rows[f"a:{alarm.code}:{alarm.of}"[:120]] = [
            alarm.code, alarm.of, _SEVERITIES.index(alarm.severity), alarm.words, _time(alarm.since),
        ]  # fmt: skip
    return {key: cbor.encode(row) for key, row in rows.items()}


def pack_target(target: Target | None) -> int | bool | None:
    """Return a target as rows hold it: hundredths of °C, on/off, or none."""
    if target is None:
        return None
    return _centi(target.celsius) if target.is_on is None else target.is_on


def pack_override(override: Override | None) -> list[Any] | None:
    """Return an override as rows hold it."""
    if override is None:
        return None
    target, end = pack_target(override.target), _ENDS.index(override.end)
    return [target, end, _time(override.ends_at), override.by, _time(override.since)]


def _boiler(boiler: BoilerState) -> dict[str, Any]:
    return {
        "b": [_centi(boiler.flow), _centi(boiler.back), _centi(boiler.target)],
        "c": [
            boiler.state, boiler.is_burning, boiler.pump_on, boiler.cause, _time(boiler.since), boiler.starts,
            boiler.locked_out,
        ],
    }  # fmt: skip


def _slow(zone: ZoneState) -> list[Any]:
    bits = zone.is_on | (zone.call is not None) << 1 | bool(zone.call) << 2
    return [
        zone.id, _MODES.index(zone.mode), bits, _SENSES.index(zone.sense), zone.fault, zone.cause, _time(zone.since),
        pack_target(zone.target), pack_override(zone.override), _time(zone.next_at), pack_target(zone.next_target),
    ]  # fmt: skip


def _centi(celsius: float | None) -> int | None:
    return None if celsius is None else round(celsius * _CENTI)


def _time(utc: float | None) -> int | None:
    return None if utc is None else round(utc)


def _old(read_at: float | None, at: float, is_good: bool) -> list[int | None]:
    """Return the time of a reading if that is to be told at all."""
    if is_good and read_at is not None and at - read_at <= OLD_S:
        return []
    return [_time(read_at)]


# --- in
# --------------------------------------------------------------------------------------------------------------


def read_state(rows: Mapping[str, bytes], as_of: float) -> Told | None:
    """Return what these rows tell as of this UTC of the site; None when nothing was told yet.

    Raises ForeignRows for a version that is not known here, and for rows that do not read as such.
    """
    if "h" not in rows:
        return None
    try:
        known = {key: cbor.decode(row) for key, row in rows.items()}
        return _state(known, as_of)
    except ForeignRows:
        raise
    except (RemoteProtocolError, ValueError, TypeError, LookupError, OverflowError) as exc:
        raise ForeignRows(f"rows of {TOPIC} that do not read as such") from exc


def _state(rows: Mapping[str, Any], as_of: float) -> Told:
    version, *head = rows["h"]
    if version != VERSION:
        raise ForeignRows(
            f"the boiler tells its state in version {version}, here version {VERSION} is read: update the older of the two"
        )
    house, settings_version, is_on, preset, until, clock_sure, boot, speed, offset, capacity = head[:10]
    clock = Clock(float(speed), float(offset))
    at = clock.house_time(as_of)
    outdoor, *read_at = rows.get("o") or [None, None]
    numbers = sorted(int(key) for key in rows if _NUMBER.fullmatch(key))
    state = HouseState(
        house=house,
        at=at,
        zones=tuple(_zone(rows[str(number)], rows[f"s{number}"], at) for number in numbers),
        boiler=_boiler_of(rows.get("b"), rows.get("c")),
        outdoor=_celsius(outdoor),
        outdoor_read_at=read_at[0] if read_at else at,
        alarms=_alarms(rows),
        settings_version=settings_version,
        is_on=is_on,
        preset=preset,
        preset_until=until,
        clock_sure=clock_sure,
        boot=boot,
    )
    return Told(state, clock, capacity)


def unpack_target(packed: Any) -> Target | None:
    """Return what `pack_target` packed."""
    if packed is None:
        return None
    return Target(is_on=packed) if isinstance(packed, bool) else Target(_celsius(packed))


def unpack_override(packed: Any) -> Override | None:
    """Return what `pack_override` packed."""
    if packed is None:
        return None
    target, end, ends_at, by, since = packed[:5]
    known = unpack_target(target)
    assert known is not None
    return Override(target=known, end=_ENDS[end], ends_at=ends_at, by=by, since=since)


def _zone(fast: list[Any], slow: list[Any], at: float) -> ZoneState:
    room, supply, *read_at = fast
    id_, mode, bits, sense, fault, cause, since, target, override, next_at, next_target = slow[:11]
    return ZoneState(
        id=id_,
        celsius=_celsius(room),
        supply=_celsius(supply),
        target=unpack_target(target),
        mode=_MODES[mode],
        is_on=bool(bits & 1),
        call=bool(bits & 4) if bits & 2 else None,
        sense=_SENSES[sense],
        fault=fault,
        read_at=read_at[0] if read_at else at,
        cause=cause,
        since=since,
        override=unpack_override(override),
        next_at=next_at,
        next_target=unpack_target(next_target),
    )


def _boiler_of(fast: list[Any] | None, slow: list[Any] | None) -> BoilerState:
    if fast is None or slow is None:
        return BoilerState(is_burning=None, state="not known")
    state, is_burning, pump_on, cause, since, starts, locked_out = slow[:7]
    flow, back, target = (_celsius(value) for value in fast[:3])
    return BoilerState(
        state=state, is_burning=is_burning, pump_on=pump_on, cause=cause, since=since, flow=flow, back=back,
        target=target, starts=starts, locked_out=locked_out,
    )  # fmt: skip


def _alarms(rows: Mapping[str, Any]) -> tuple[Alarm, ...]:
    found = []
    for key, row in rows.items():
        if key.startswith("a:"):
            code, of, severity, words, since = row[:5]
            found.append(Alarm(code, of, _SEVERITIES[severity], words, since))
    return tuple(sorted(found, key=alarm_order))


def alarm_order(alarm: Alarm) -> tuple[int, float, str, str]:
    """Sort alarms as a replica shows them: what is about safety first, then the oldest."""
    return (_SEVERITIES.index(alarm.severity), alarm.since, alarm.code, alarm.of)


def _celsius(centi: Any) -> float | None:
    if centi is None:
        return None
    if type(centi) is not int:
        raise ValueError("a temperature is hundredths of a degree")
    return centi / _CENTI
