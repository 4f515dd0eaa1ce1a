"""The weeks of a house's zones and its presets, in words: days that are alike are said once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from tui.model.checked import flag, maps, number, part, whole

__all__ = ["HouseWeeks", "read_weeks"]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ENTRIES_MAX = 7 * 96


@frozen(kw_only=True)
class HouseWeeks:
    """`zones`: lines such as "Mon-Fri 06:00 20.5°C, 22:00 17.0°C", by zone. `version`: of the settings they are of."""

    version: int
    zones: Mapping[str, tuple[str, ...]]
    presets: tuple[str, ...]


def read_weeks(told: Mapping[str, Any]) -> HouseWeeks:
    """Read what `heat.settings` tells. Raises ValueError for what is none."""
    zones = part(told, "zones") or {}
    return HouseWeeks(
        version=whole(told, "version") or 0,
        zones={str(id_): tuple(_lines(zone)) for id_, zone in zones.items() if isinstance(zone, Mapping)},
        presets=tuple(map(str, part(told, "presets") or {})),
    )


def _lines(zone: Mapping[str, Any]) -> Iterator[str]:
    of_day: dict[int, list[str]] = {day: [] for day in range(7)}
    for entry in maps(zone, "week", ENTRIES_MAX):
        day, minute = whole(entry, "day"), whole(entry, "minute")
        if day not in of_day or minute is None:
            raise ValueError("week: an entry without its day or minute")
        of_day[day].append(f"{minute // 60:02}:{minute % 60:02} {_wanted(entry)}")
    for first, last in _spans([of_day[day] for day in range(7)]):
        if of_day[first]:
            days = DAYS[first] if first == last else f"{DAYS[first]}-{DAYS[last]}"
            yield f"{days} {', '.join(of_day[first])}"


def _spans(days: Sequence[list[str]]) -> Iterator[tuple[int, int]]:
    """Yield the first and last of each run of days that are alike."""
    first = 0
    for day in range(1, 8):
        if day == 7 or days[day] != days[first]:
            yield first, day - 1
            first = day


def _wanted(entry: Mapping[str, Any]) -> str:
    celsius = number(entry, "celsius")
    if celsius is not None:
        return f"{celsius:.1f}°C"
    return "on" if flag(entry, "is_on") else "off"
