"""What a week says now, and when it will say something else. Pure: time and zone are passed in.

Asked is always what holds, never whether an edge went by: a change of clocks, a step of the clock and an hour without
power need no case of their own. An entry holds from the first moment on at which clocks on the wall show its minute or
a later one: one at 02:30 in the night in which 02:00 to 03:00 is left out holds from 03:00 on, and in the night in which
an hour comes twice an entry of that hour holds from its first time on, also while the clocks show less once more.
"""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from daemons.heating.settings import Settings, Target, Week

__all__ = ["WEEK_MINUTES", "effective_week", "holds", "holds_since", "next_change", "next_of", "preset_holds"]

WEEK_MINUTES = 7 * 1440


def holds(week: Week, utc: float, zone: ZoneInfo) -> Target | None:
    """Return what the week says at `utc`; None when it says nothing."""
    if not week:
        return None
    return week[_place(week, _minute(_wall(utc, zone)))].target


def holds_since(week: Week, utc: float, zone: ZoneInfo) -> int | None:
    """Return the minute of the week at which what holds now began to, by the clock on the wall; None: always did."""
    if not week:
        return None
    place = _place(week, _minute(_wall(utc, zone)))
    for back in range(len(week)):
        entry = week[place - back]
        if week[place - back - 1].target != entry.target:
            return entry.day * 1440 + entry.minute
    return None


def next_change(week: Week, utc: float, zone: ZoneInfo) -> tuple[float, Target] | None:
    """Return when (UTC) the week says something else than at `utc`, and what; None when it never does."""
    if not week:
        return None
    wall = _wall(utc, zone)
    minute = _minute(wall)
    place = _place(week, minute)
    now = week[place].target
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    today = wall.weekday()
    for ahead in range(1, 2 * len(week) + 1):  # twice round: what would change may be left out this once
        entry = week[(place + ahead) % len(week)]
        if entry.target == now:
            continue
        days = (entry.day - today) % 7
        if days == 0 and entry.day * 1440 + entry.minute <= minute:
            days = 7
        if ahead > len(week):
            days += 7
        at = _first(midnight + timedelta(days=days, minutes=entry.minute), zone)
        # Of several entries in an hour that is left out only the last one is ever seen.
        then = holds(week, at, zone)
        if then is not None and then != now:
            return at, then
    return None


def preset_holds(settings: Settings, utc: float) -> bool:
    """Does a preset hold over the zones' own weeks?"""
    until = settings.preset_until
    return settings.preset in settings.presets and (until is None or utc < until)


def effective_week(settings: Settings, zone_id: str, utc: float) -> Week:
    """Return the week that holds for a zone: of the preset, where that has one for it, else its own."""
    if preset_holds(settings, utc):
        week = settings.presets[settings.preset].get(zone_id)
        if week is not None:
            return week
    return settings.of(zone_id).week


def next_of(settings: Settings, zone_id: str, utc: float, zone: ZoneInfo) -> tuple[float, Target] | None:
    """Return when the week that holds for a zone says something else, and what; the end of a preset is such a time."""
    week = effective_week(settings, zone_id, utc)
    change = next_change(week, utc, zone)
    until = settings.preset_until
    own = settings.of(zone_id).week
    if until is None or utc >= until or week is own or (change is not None and change[0] <= until):
        return change
    after = holds(own, until, zone)
    if after is not None and after != holds(week, utc, zone):
        return until, after
    return next_change(own, until, zone)


def _wall(utc: float, zone: ZoneInfo) -> datetime:
    """Return the furthest that clocks on the wall have come by `utc`, without a zone."""
    local = datetime.fromtimestamp(utc, zone)
    if not local.fold:
        return local.replace(tzinfo=None)
    before = local.replace(fold=0).utcoffset()
    now = local.utcoffset()
    assert before is not None
    assert now is not None
    back = _turn(utc - (before - now).total_seconds(), utc, zone)
    return datetime.fromtimestamp(back - 1, UTC).replace(tzinfo=None) + before


def _first(wall: datetime, zone: ZoneInfo) -> float:
    """Return the first instant at which clocks show `wall` or more."""
    local = wall.replace(tzinfo=zone)
    utc = local.timestamp()
    if datetime.fromtimestamp(utc, zone).replace(tzinfo=None) == wall:
        return utc
    return _turn(local.replace(fold=1).timestamp(), utc, zone)


def _turn(low: float, high: float, zone: ZoneInfo) -> float:
    """Return the whole second between the two at which clocks are changed."""
    first, last = int(low), int(high)
    old = datetime.fromtimestamp(first, zone).utcoffset()
    while last - first > 1:
        middle = (first + last) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == old:
            first = middle
        else:
            last = middle
    return float(last)


def _minute(wall: datetime) -> int:
    return wall.weekday() * 1440 + wall.hour * 60 + wall.minute


def _place(week: Week, minute: int) -> int:
    """Return the place of the entry that holds at that minute of the week; the last one holds over the week's end."""
    return bisect_right(week, minute, key=lambda entry: entry.day * 1440 + entry.minute) - 1
