"""The session info: the simulator's YAML, read as far as pitlink uses it. Bytes in, values out.

The simulator writes one regular form (two kinds of lines, indented), of 9 to 110 kB, some times a minute. It is read line by
line and not as YAML: a stranger's YAML may be made to explode, names with quotes and colons break it (drivers have such),
car number "010" is no 8, and it takes 30 ms where this takes 3. Sections that did not change are not read again.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import trio
from attrs import evolve, field, frozen

__all__ = ["Driver", "OwnCar", "SessionInfo", "SessionPart", "Track", "parse", "parsed"]

BYTES_MAX: Final = 1 << 20
DRIVERS_MAX, SECTORS_MAX, SESSIONS_MAX, TEXT_MAX = 256, 64, 64, 80
IN_THREAD_BYTES: Final = 16_384
_SECTIONS = ("WeekendInfo", "SessionInfo", "DriverInfo", "SplitTimeInfo")
_NUMBER = re.compile(r"\s*([-+]?[0-9]{1,15}(?:\.[0-9]{1,15})?)")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f]")

Tree = dict[str, Any]


@frozen(kw_only=True)
class Track:
    """The track; what is not told is "" or None. `latitude`, `longitude`: roughly where it lies. `key` names its shape:
    another configuration or another length is another shape."""

    id: int | None = None
    name: str = ""
    display_name: str = ""
    config: str = ""
    length_m: float | None = None
    north_offset_rad: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    pit_speed_mps: float | None = None

    @property
    def key(self) -> str:
        """What its map is kept by: letters, digits and `_` only."""
        words = f"{self.id if self.id is not None else ''} {self.name} {self.config}".lower()
        return re.sub(r"[^a-z0-9]+", "_", words).strip("_")


@frozen(kw_only=True)
class SessionPart:
    """One of the sessions of an event: practice, qualifying, race. `laps`, `time_s`: None is without limit."""

    number: int
    kind: str = ""
    name: str = ""
    laps: int | None = None
    time_s: float | None = None


@frozen(kw_only=True)
class OwnCar:
    """What the car of this PC is. `tank_l`: what fits; `fuel_max_part`: how much of it the event allows (1: all)."""

    car_index: int | None = None
    user_id: int | None = None
    tank_l: float | None = None
    fuel_max_part: float | None = None
    fuel_kg_per_l: float | None = None
    idle_rpm: float | None = None
    redline_rpm: float | None = None
    shift_rpm: float | None = None
    gears: int | None = None
    lap_estimate_s: float | None = None
    pit_position: float | None = None
    setup_name: str = ""
    incidents: int | None = None


@frozen(kw_only=True)
class Driver:
    """Who sits in a car now, and the car. `colour`: 0xRRGGBB of its class."""

    car_index: int
    name: str = ""
    user_id: int | None = None
    team: str = ""
    team_id: int | None = None
    number: str = ""
    car: str = ""
    car_path: str = ""
    class_id: int | None = None
    class_name: str = ""
    colour: int | None = None
    irating: int | None = None
    is_pace: bool = False
    is_spectator: bool = False


@frozen(kw_only=True)
class SessionInfo:
    """What pitlink uses of it. `sectors`: where they begin, 0 to 1, ascending, the first 0; () when not told."""

    track: Track = Track()
    event: str = ""
    session_id: int | None = None
    subsession_id: int | None = None
    is_team_event: bool = False
    sessions: tuple[SessionPart, ...] = ()
    sectors: tuple[float, ...] = ()
    own: OwnCar = OwnCar()
    drivers: tuple[Driver, ...] = ()
    _read: Mapping[str, bytes] = field(factory=dict, repr=False, eq=False)

    @property
    def driver(self) -> Driver | None:
        """Who sits in this PC's car."""
        return next((one for one in self.drivers if one.car_index == self.own.car_index), None)

    def session(self, number: int) -> SessionPart | None:
        """Return the session that SessionNum says."""
        return next((one for one in self.sessions if one.number == number), None)


async def parsed(text: bytes, before: SessionInfo | None = None) -> SessionInfo:
    """As `parse`, in a thread where the text is large."""
    if len(text) < IN_THREAD_BYTES:
        await trio.lowlevel.checkpoint()
        return parse(text, before)
    return await trio.to_thread.run_sync(parse, text, before)


def parse(text: bytes, before: SessionInfo | None = None) -> SessionInfo:
    """Read it. `before`: what was read of the text before it, of which unchanged sections are taken over. Never raises:
    what cannot be read is not told, and of more than a megabyte the rest is left out. Up to 10 ms."""
    text = text[:BYTES_MAX]
    is_utf8 = text.startswith(b"---\nWeekendInfo:\n Encoding: UTF8")
    encoding = "utf-8" if is_utf8 else "cp1252"
    info = before or SessionInfo()
    known = dict(info._read)
    for name in _SECTIONS:
        section = _section(text, name)
        if section == known.get(name):
            continue
        known[name] = section
        tree = _tree(section.decode(encoding, "replace"), deepest=3)
        info = _READERS[name](info, tree)
    return evolve(info, read=known)


def _section(text: bytes, name: str) -> bytes:
    """Return the lines below `NAME:`, up to the next empty line, as pyirsdk finds them."""
    start = text.find(f"\n{name}:\n".encode())
    if start < 0:
        return b""
    start += len(name) + 3
    end = text.find(b"\n\n", start - 1)
    return text[start : end if end >= 0 else len(text)]


def _tree(section: str, deepest: int) -> Tree:
    """Return the lines as dicts and lists of strings; what is indented more than `deepest` is passed over."""
    root: Tree = {}
    containers: list[tuple[int, Tree | list[Any]]] = [(0, root)]
    opened: tuple[int, Tree, str] | None = None
    for line in section.split("\n"):
        rest = line.lstrip(" ")
        indent = len(line) - len(rest)
        is_item = rest.startswith("- ")
        if is_item:
            rest = rest[2:]
        if not rest or indent + 2 * is_item > deepest:
            continue
        key, colon, value = rest.partition(":")
        if not colon:
            continue
        if opened is not None and (indent > opened[0] or (is_item and indent == opened[0])):
            below: Tree | list[Any] = [] if is_item else {}
            opened[1][opened[2]] = below
            containers.append((indent, below))
        opened = None
        if is_item:
            while len(containers) > 1 and not (
                isinstance(containers[-1][1], list) and containers[-1][0] <= indent
            ):
                containers.pop()
            items = containers[-1][1]
            here: Tree = {}
            if not isinstance(items, list):
                continue  # an item of nothing
            items.append(here)
            containers.append((indent + 2, here))
        else:
            while len(containers) > 1 and not (
                isinstance(containers[-1][1], dict) and containers[-1][0] <= indent
            ):
                containers.pop()
            found = containers[-1][1]
            assert isinstance(found, dict), "the first of all is one"
            here = found
        value = value.strip()
        here[key] = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
        if not value:
            opened = (indent + 2 * is_item, here, key)
    return root


def _weekend(info: SessionInfo, tree: Tree) -> SessionInfo:
    track = Track(
        id=_int(tree, "TrackID"), name=_text(tree, "TrackName"), display_name=_text(tree, "TrackDisplayName"),
        config=_text(tree, "TrackConfigName"), length_m=_metres(tree, "TrackLength"),
        north_offset_rad=_float(tree, "TrackNorthOffset"), latitude=_float(tree, "TrackLatitude"),
        longitude=_float(tree, "TrackLongitude"), pit_speed_mps=_mps(tree, "TrackPitSpeedLimit"),
    )  # fmt: skip
    return evolve(
        info, track=track, event=_text(tree, "EventType"), session_id=_int(tree, "SessionID"),
        subsession_id=_int(tree, "SubSessionID"), is_team_event=_int(tree, "TeamRacing") == 1,
    )  # fmt: skip


def _sessions(info: SessionInfo, tree: Tree) -> SessionInfo:
    sessions = []
    for one in _items(tree, "Sessions", SESSIONS_MAX):
        number = _int(one, "SessionNum")
        if number is not None:
            sessions.append(
                SessionPart(
                    number=number, kind=_text(one, "SessionType"), name=_text(one, "SessionName"),
                    laps=_int(one, "SessionLaps"), time_s=_float(one, "SessionTime"),
                )
            )  # fmt: skip
    return evolve(info, sessions=tuple(sessions))


def _drivers(info: SessionInfo, tree: Tree) -> SessionInfo:
    own = OwnCar(
        car_index=_int(tree, "DriverCarIdx"), user_id=_int(tree, "DriverUserID"),
        tank_l=_float(tree, "DriverCarFuelMaxLtr"), fuel_max_part=_float(tree, "DriverCarMaxFuelPct"),
        fuel_kg_per_l=_float(tree, "DriverCarFuelKgPerLtr"), idle_rpm=_float(tree, "DriverCarIdleRPM"),
        redline_rpm=_float(tree, "DriverCarRedLine"), shift_rpm=_float(tree, "DriverCarSLShiftRPM"),
        gears=_int(tree, "DriverCarGearNumForward"), lap_estimate_s=_float(tree, "DriverCarEstLapTime"),
        pit_position=_float(tree, "DriverPitTrkPct"), setup_name=_text(tree, "DriverSetupName"),
        incidents=_int(tree, "DriverIncidentCount"),
    )  # fmt: skip
    drivers = []
    for one in _items(tree, "Drivers", DRIVERS_MAX):
        index = _int(one, "CarIdx")
        if index is not None:
            drivers.append(
                Driver(
                    car_index=index, name=_text(one, "UserName"), user_id=_int(one, "UserID"),
                    team=_text(one, "TeamName"), team_id=_int(one, "TeamID"), number=_text(one, "CarNumber"),
                    car=_text(one, "CarScreenName"), car_path=_text(one, "CarPath"),
                    class_id=_int(one, "CarClassID"), class_name=_text(one, "CarClassShortName"),
                    colour=_colour(one, "CarClassColor"), irating=_int(one, "IRating"),
                    is_pace=_int(one, "CarIsPaceCar") == 1, is_spectator=_int(one, "IsSpectator") == 1,
                )
            )  # fmt: skip
    return evolve(info, own=own, drivers=tuple(drivers))


def _splits(info: SessionInfo, tree: Tree) -> SessionInfo:
    starts = [_float(one, "SectorStartPct") for one in _items(tree, "Sectors", SECTORS_MAX)]
    known = sorted({start for start in starts if start is not None and 0 <= start < 1})
    return evolve(info, sectors=tuple(known) if known and known[0] == 0 else ())


_READERS: Mapping[str, Callable[[SessionInfo, Tree], SessionInfo]] = dict(
    zip(_SECTIONS, (_weekend, _sessions, _drivers, _splits), strict=True)
)


def _items(tree: Tree, key: str, most: int) -> list[Tree]:
    found = tree.get(key)
    return [one for one in found[:most] if isinstance(one, dict)] if isinstance(found, list) else []


def _text(tree: Tree, key: str) -> str:
    value = tree.get(key)
    return _UNSEEN.sub("", value)[:TEXT_MAX].strip() if isinstance(value, str) else ""


def _float(tree: Tree, key: str) -> float | None:
    value = tree.get(key)
    match = _NUMBER.match(value) if isinstance(value, str) else None
    return float(match[1]) if match else None


def _int(tree: Tree, key: str) -> int | None:
    value = _float(tree, key)
    return int(value) if value is not None else None


def _metres(tree: Tree, key: str) -> float | None:
    value = _float(tree, key)
    if value is None:
        return None
    return value * 1609.344 if str(tree[key]).endswith(" mi") else round(value * 1000, 3)


def _mps(tree: Tree, key: str) -> float | None:
    value = _float(tree, key)
    if value is None:
        return None
    return value * 0.44704 if str(tree[key]).endswith(" mph") else value / 3.6


def _colour(tree: Tree, key: str) -> int | None:
    value = tree.get(key)
    match = re.fullmatch(r"0x([0-9a-fA-F]{1,6})", value) if isinstance(value, str) else None
    return int(match[1], 16) if match else None
