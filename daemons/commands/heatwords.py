"""What is typed and what is said of a house on the command line: targets, ends, weeks, zones."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from daemons.ops.errors import BadArguments, Problem
from protocol import heattarget

__all__ = [
    "DAYS",
    "celsius",
    "house_lines",
    "on_off",
    "read_entries",
    "read_target",
    "read_until",
    "read_zone",
]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)(?:-(mon|tue|wed|thu|fri|sat|sun))?|daily")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def read_zone(text: str) -> str:
    return "*" if text == "all" else text


def read_target(text: str) -> dict[str, Any]:
    """Return "21.5", "21.5C", "70F", "on" or "off" as a command says it. Raises BadArguments."""
    try:
        return heattarget.read_target(text)
    except ValueError:
        raise BadArguments([Problem(text, "is no target", "write 21.5, 70F, on or off")]) from None


def read_until(words: Sequence[str]) -> dict[str, Any]:
    """Return "until 22:00", "until 2026-12-24 18:00", "for 3h", "for good" as a command says it. Raises BadArguments."""
    match [*words]:
        case []:
            return {}
        case ["until", "change"]:
            return {"end": "boundary"}
        case ["for", "good"]:
            return {"end": "permanent"}
        case ["until" | "for", *rest] if rest:
            return {"end": "until", "until": " ".join(rest)}
        case _:
            hint = "until 22:00, until 2026-12-24 18:00, for 3h, for good"
            raise BadArguments([Problem(" ".join(words), "is no end", f"write {hint}")])


def read_entries(texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the entries of a week: "mon-fri 06:00 20.5", each day's of its own. Raises BadArguments."""
    for text in texts:
        parts = text.lower().split()
        span = _SPAN.fullmatch(parts[0]) if len(parts) == 3 else None
        time = _TIME.fullmatch(parts[1]) if len(parts) == 3 else None
        if span is None or time is None:
            raise BadArguments([Problem(text, "is no entry of a week", 'write "mon-fri 06:00 20.5"')])
        first = 0 if span[1] is None else DAYS.index(span[1])
        last = 6 if span[1] is None else first if span[2] is None else DAYS.index(span[2])
        days = range(first, last + 1) if first <= last else [*range(first, 7), *range(last + 1)]
        for day in days:
            yield {"day": day, "minute": int(time[1]) * 60 + int(time[2]), **read_target(parts[2])}


# --- what is said --------------------------------------------------------------------------------------------------


def house_lines(house: Mapping[str, Any]) -> Iterator[str]:
    age_s = house.get("age_s")
    age = "nothing was ever heard of it" if age_s is None else f"{age_s:.0f} s old"
    offline = "OFFLINE, " if house.get("offline") else ""
    outdoor = house.get("outdoor")
    yield f"{house['house']}: {offline}{age}" + ("" if outdoor is None else f", outdoors {celsius(outdoor)}")
    boiler = house.get("boiler")
    if boiler:
        locked = "LOCKED OUT, " if boiler.get("locked_out") else ""
        yield f"  boiler {locked}{boiler['state']}: {boiler.get('cause') or ''}"
    for alarm in house.get("alarms", ()):
        yield f"  ! {alarm['severity']}: {alarm['words']}"
    for zone in house.get("zones", ()):
        wants = (
            on_off(zone["wants_on"]) if zone.get("wants_on") is not None else celsius(zone.get("setpoint"))
        )
        heat = "heat" if zone.get("calling") else "-"
        yield (
            f"  {zone['id']:14} {celsius(zone.get('celsius')):>8} of {wants:>8}  {heat:4} {zone.get('mode', ''):10} "
            f"{zone.get('cause') or ''}"
        ).rstrip()


def celsius(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f} °C"


def on_off(is_on: bool | None) -> str:
    return "on" if is_on else "off"
