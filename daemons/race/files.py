"""FPVTrackside's files of an event read into values: strict about what a board stands on, tolerant about what varies.

A body that is no JSON array of objects, or that lacks what matters (the id of the event), raises BadFile and nothing
else, so that the caller can keep the last good one. Unknown fields are ignored, missing ones have the value
FPVTrackside starts with, aliases of enums are accepted, an entry of a list without an id is left out.
Fields as in FPVTracksideCore `DB/*.cs` and `DB/JSON/*.cs`. The files of a race, offered here too: `racefiles`.
"""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from daemons.race.model import (
    Channel,
    Event,
    Pilot,
    Round,
    Stage,
    Standings,
    StandingsRow,
    Summary,
    TimeKind,
    Timing,
)
from daemons.race.parts import (
    NAME_CHARACTERS_MAX,
    BadFile,
    by_id,
    count,
    event_type,
    flag,
    guid,
    integer,
    items,
    load,
    moment,
    one_of,
    single,
    span_s,
    text,
)
from daemons.race.racefiles import read_race, read_results, read_rollovers, read_seats

__all__ = [
    "NAME_CHARACTERS_MAX",
    "BadFile",
    "event_of_home",
    "read_channels",
    "read_current",
    "read_event",
    "read_pilots",
    "read_race",
    "read_results",
    "read_rollovers",
    "read_rounds",
    "read_stages",
]

STAGES_MAX = 64
STANDINGS_ROWS_MAX = 256
STANDINGS_COLUMNS_MAX = 32
"""Of an event, and of a ready ranking: they go to every phone."""

_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_HOME_EVENT = re.compile(rb"""new\s+EventManager\(\s*["']/?events/([0-9A-Fa-f-]{36})/?["']""")


def event_of_home(html: bytes) -> str | None:
    """Return the id of the open event as named in FPVTrackside's home page, or None.

    The line `new EventManager("events/<guid>"` is the only place that tells which event is open.
    """
    match = _HOME_EVENT.search(html)
    return guid(match[1].decode("ascii")) if match else None


def read_current(path: str, body: bytes) -> str | None:
    """Return the id of the race that the operator has selected, from `/current`; None when there is none.

    Versions before 2026-06-30 answer with their home page: BadFile.
    """
    value = load(path, body)
    if not isinstance(value, dict) or "CurrentRace" not in value:
        raise BadFile(path, "names no CurrentRace")
    return guid(value["CurrentRace"])


def read_event(path: str, body: bytes) -> Event:
    """Read Event.json. Raises BadFile."""
    fields = single(path, body)
    event_id = guid(fields.get("ID"))
    if event_id is None:
        raise BadFile(path, "the event has no ID")
    colours = (value for value in items(fields, "ChannelColors") if isinstance(value, str))
    return Event(
        id=event_id,
        name=text(fields.get("Name")),
        type=event_type(fields.get("EventType")),
        laps=count(fields, "Laps"),
        pb_laps=count(fields, "PBLaps"),
        race_ids=tuple(dict.fromkeys(filter(None, map(guid, items(fields, "Races"))))),
        # A channel without a readable id keeps its place: the names are matched by position.
        channels=tuple(guid(value) or "" for value in items(fields, "Channels")),
        channel_colours=tuple(value for value in colours if _COLOUR.fullmatch(value)),
        channel_names=tuple(text(value) or None for value in items(fields, "ChannelDisplayNames")),
        time_zone=text(fields.get("TimeZone")) or None,
        seats=tuple(read_seats(fields, path)),
        removed=frozenset(filter(None, map(guid, items(fields, "RemovedPilots")))),
        race_length_s=max(0.0, span_s(fields.get("RaceLength")) or 0.0),
        timing=one_of(Timing, fields.get("PrimaryTimingSystemLocation"), Timing.HOLESHOT),
        start=moment(fields.get("Start")),
    )


def read_pilots(path: str, body: bytes) -> Mapping[str, Pilot]:
    """Read Pilots.json: ids and public names, never anything else. Raises BadFile."""
    return by_id(path, body, lambda key, fields: Pilot(key, text(fields.get("Name"))))


def read_rounds(path: str, body: bytes) -> Mapping[str, Round]:
    """Read Rounds.json. Raises BadFile."""

    def read(key: str, fields: dict[str, Any]) -> Round:
        return Round(
            id=key,
            name=text(fields.get("Name")),
            number=count(fields, "RoundNumber"),
            type=event_type(fields.get("EventType")),
            order=integer(fields.get("Order")) or 0,
            valid=flag(fields, "Valid", True),
            stage_id=guid(fields.get("Stage")) or "",
            scheduled=moment(fields.get("ScheduledStart")),
            handicapped=flag(fields, "Handicapped", False),
            summary=_summary(fields),
        )

    return by_id(path, body, read)


def read_stages(path: str, body: bytes) -> Mapping[str, Stage]:
    """Read Stages.json, which there is since August 2025. Raises BadFile."""

    def read(key: str, fields: dict[str, Any]) -> Stage:
        return Stage(
            id=key,
            name=text(fields.get("Name")),
            type=text(fields.get("StageType")) or "Default",
            order=integer(fields.get("Order")) or 0,
            valid=flag(fields, "Valid", True),
            summary=_summary(fields) or Summary(),
            standings=_standings(fields.get("Standings")),
        )

    return dict(islice(by_id(path, body, read).items(), STAGES_MAX))


def _summary(fields: dict[str, Any]) -> Summary | None:
    """Return what a stage, or before August 2025 a round, is ranked by; None when by nothing."""
    points, time = fields.get("PointSummary"), fields.get("TimeSummary")
    lap_count = flag(fields, "LapCountAfterRound", False)
    if not isinstance(points, dict) and not isinstance(time, dict) and not lap_count:
        return None
    by_points = points if isinstance(points, dict) else {}
    by_time = time if isinstance(time, dict) else {}
    kind = one_of(TimeKind, by_time.get("TimeSummaryType"), TimeKind.PB)
    return Summary(
        points=isinstance(points, dict),
        rollover=flag(by_points, "RoundPositionRollover", False),
        drop_worst=flag(by_points, "DropWorstRound", False),
        time=kind if isinstance(time, dict) else None,
        all_rounds=flag(by_time, "IncludeAllRounds", False),
        lap_count=lap_count,
    )


def _standings(value: Any) -> Standings | None:
    """Read a ready ranking; each row has as many values as there are headings."""
    if not isinstance(value, dict):
        return None
    headings = tuple(text(heading) for heading in items(value, "Headings")[:STANDINGS_COLUMNS_MAX])
    rows = []
    for row in items(value, "Rows")[:STANDINGS_ROWS_MAX]:
        if isinstance(row, dict):
            values = [text(cell) for cell in items(row, "Values")[: len(headings)]]
            values += [""] * (len(headings) - len(values))
            rows.append(StandingsRow(guid(row.get("PilotId")), text(row.get("Name")), tuple(values)))
    return Standings(headings, tuple(rows)) if rows else None


def read_channels(path: str, body: bytes) -> Mapping[str, Channel]:
    """Read httpfiles/Channels.json. A channel is named as in FPVTrackside: R1, F4, or its display name."""

    def read(key: str, fields: dict[str, Any]) -> Channel:
        band = text(fields.get("ShortBand")) or text(fields.get("Band"))[:1]
        short = f"{band}{text(fields.get('ChannelPrefix'))}{count(fields, 'Number')}"
        name = text(fields.get("DisplayName")) or short[:NAME_CHARACTERS_MAX]
        return Channel(key, name, count(fields, "Frequency"))

    return by_id(path, body, read)
