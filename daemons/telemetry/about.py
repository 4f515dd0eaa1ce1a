"""What is read of the session info: whose car, which track, which session. From a stranger: bounded, and odd is not known."""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final

import yaml  # type: ignore[import-untyped]
from attrs import field, frozen

from daemons.telemetry.finding import Facts
from daemons.telemetry.look import CarEntry

__all__ = ["INFO_BYTES_MAX", "About", "about_of"]

INFO_BYTES_MAX: Final = 1024 * 1024
_CARS_MAX = 256
_SECTORS_MAX = 64
_TEXT_MAX = 120
_LINE_MAX = 2000
_BRACKETS_MAX = 1000
"""The loader recurses in C, without a limit: a hundred thousand brackets would end the process. Both bound how deep."""
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ERRORS = (yaml.YAMLError, ValueError, RecursionError)


@frozen(kw_only=True)
class About:
    """`key`: names the session for all recordings of one car in it, "" when the simulator does not (it was alone);
    `kinds`: what each SessionNum is, such as Practice or Race. What is not known is "" or None."""

    facts: Facts = field(factory=Facts)
    key: str = ""
    kinds: tuple[str, ...] = ()
    track: str = ""
    car: str = ""
    car_number: str = ""
    team: str = ""
    car_index: int | None = None
    tank_litres: float | None = None
    lap_estimate_s: float | None = None
    cars: tuple[CarEntry, ...] = field(default=(), repr=False)

    def kind(self, session_num: int) -> str:
        return self.kinds[session_num] if 0 <= session_num < len(self.kinds) else ""


def about_of(text: bytes) -> About:
    """Read a session info (YAML as the simulator writes it). What cannot be read is left out. Takes some 20 ms for a full
    field: not on the event loop."""
    words = text[:INFO_BYTES_MAX].decode("cp1252", "replace").replace("\r", "")
    week, session, splits, drivers = (
        _section(words, name) for name in ("WeekendInfo", "SessionInfo", "SplitTimeInfo", "DriverInfo")
    )
    entries = [entry for entry in _list(drivers, "Drivers")[:_CARS_MAX] if isinstance(entry, Mapping)]
    index = _whole(drivers, "DriverCarIdx")
    mine: Mapping[Any, Any] = next((entry for entry in entries if _whole(entry, "CarIdx") == index), {})
    length_km = re.match(r"([\d.]+) km", _text(week, "TrackLength"))
    subsession = _whole(week, "SubSessionID")
    whose = _whole(mine, "TeamID") or _whole(mine, "UserID")
    track = [_text(week, "TrackDisplayName"), _text(week, "TrackConfigName")]
    return About(
        facts=Facts(
            sectors=_sectors(splits), name=_text(mine, "UserName"),
            length_m=float(length_km[1]) * 1000 if length_km and 0.05 < _float(length_km[1]) < 100 else None,
        ),
        key=f"{subsession}-{whose}" if subsession and whose else "",
        kinds=tuple(_text(one, "SessionType") for one in _list(session, "Sessions")[:32]),
        track=" ".join(part for part in track if part and part != "None"),
        car=_text(mine, "CarScreenName"), car_number=_text(mine, "CarNumber"), team=_text(mine, "TeamName"),
        car_index=index, tank_litres=_positive(drivers, "DriverCarFuelMaxLtr"),
        lap_estimate_s=_positive(drivers, "DriverCarEstLapTime"),
        cars=tuple(_car(entry) for entry in entries if _whole(entry, "CarIdx") is not None),
    )  # fmt: skip


def _section(words: str, name: str) -> Mapping[Any, Any]:
    """Return one section: they stand apart by an empty line."""
    found = re.search(rf"(?:^|\n){name}:[ ]*\n(.*?)(?:\n\n|\n\.\.\.|$(?![\s\S]))", words, re.DOTALL)
    if found is None or found[1].count("[") + found[1].count("{") > _BRACKETS_MAX:
        return {}
    if max(map(len, found[1].split("\n"))) > _LINE_MAX:
        return {}
    try:
        value = yaml.load(found[1], _Loader)
    except _ERRORS:
        return {}
    return value if isinstance(value, Mapping) else {}


def _sectors(splits: Mapping[Any, Any]) -> tuple[float, ...]:
    starts = [
        _float(one.get("SectorStartPct"))
        for one in _list(splits, "Sectors")[:_SECTORS_MAX]
        if isinstance(one, Mapping)
    ]
    try:
        return Facts(sectors=tuple(starts)).sectors
    except ValueError:
        return (0.0,)


def _car(entry: Mapping[Any, Any]) -> CarEntry:
    colour = _whole(entry, "CarClassColor")
    if colour is None:  # written as 0xffda59: YAML has it as a number, some builds quote it
        text = _text(entry, "CarClassColor")
        colour = int(text, 16) if re.fullmatch(r"0x[0-9a-fA-F]{1,6}", text) else None
    return CarEntry(
        index=_whole(entry, "CarIdx") or 0, number=_text(entry, "CarNumber"), driver=_text(entry, "UserName"),
        team=_text(entry, "TeamName"), car_class=_text(entry, "CarClassShortName"),
        colour="" if colour is None or not 0 <= colour <= 0xFFFFFF else f"#{colour:06x}",
        is_pace=_whole(entry, "CarIsPaceCar") == 1,
    )  # fmt: skip


def _list(of: Any, name: str) -> Sequence[Any]:
    value = of.get(name) if isinstance(of, Mapping) else None
    return value if isinstance(value, list) else []


def _text(of: Any, name: str) -> str:
    value = of.get(name) if isinstance(of, Mapping) else None
    return "" if value is None or isinstance(value, (Mapping, list)) else str(value)[:_TEXT_MAX]


def _whole(of: Any, name: str) -> int | None:
    value = of.get(name) if isinstance(of, Mapping) else None
    return value if type(value) is int and 0 <= value < 2**40 else None


def _positive(of: Any, name: str) -> float | None:
    value = _float(of.get(name) if isinstance(of, Mapping) else None)
    return value if value > 0 else None


def _float(value: Any) -> float:
    """Return a number as the simulator writes it, sometimes with a unit; NaN for what is none."""
    try:
        found = float(str(value)[:40].split(" ")[0])
    except ValueError:
        return float("nan")
    return found if isfinite(found) else float("nan")
