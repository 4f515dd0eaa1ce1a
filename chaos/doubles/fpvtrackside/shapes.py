"""The rows of FPVTrackside's files: its fields, order and way of writing (FTC `DB/*.cs`, `DB/JSON/*.cs`).

Every file is a JSON array, UTF-8 without BOM, CRLF, two spaces of indent, no newline at the end. Every row
ends with `ID` and `ExternalID`.
"""

import json
from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Any

from .clock import NO_TIME

__all__ = [
    "NO_ID",
    "Row",
    "detection_row",
    "dump",
    "event_row",
    "lap_row",
    "pilot_channel_row",
    "pilot_row",
    "result_row",
    "round_row",
    "stage_row",
]

Row = dict[str, Any]
NO_ID = "00000000-0000-0000-0000-000000000000"
CHANNEL_COLORS = ["#FF0000", "#0000FF", "#FFFF00", "#FF00FF", "#32F000", "#FFFFFF", "#00F0F0", "#FFA800"]


def dump(rows: Sequence[Row]) -> bytes:
    """Return a file's bytes."""
    return _written(rows, "\r\n").encode()


def _written(value: Any, line: str) -> str:
    """Return a value as `json.dumps(value, indent=2)` would, whose indented writing takes several times as long.

    `line`: how a new line begins where the value stands.
    """
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        return repr(value)
    inner = f"{line}  "
    if kind is dict and value:
        fields = [f"{encode_basestring(name)}: {_written(field, inner)}" for name, field in value.items()]
        return f"{{{inner}{f',{inner}'.join(fields)}{line}}}"
    if (kind is list or kind is tuple) and value:
        return f"[{inner}{f',{inner}'.join([_written(item, inner) for item in value])}{line}]"
    return json.dumps(value)


def pilot_row(pilot_id: str, name: str, first: str, last: str, discord: str) -> Row:
    """Return a row of Pilots.json with the private fields filled in: these must not leave the laptop."""
    return {
        "Name": name,
        "Phonetic": name,
        "FirstName": first,
        "LastName": last,
        "SillyName": None,
        "DiscordID": discord,
        "VelocidroneUID": None,
        "Aircraft": None,
        "CatchPhrase": None,
        "BestResult": None,
        "TimingSensitivityPercent": 100,
        "PracticePilot": False,
        "PhotoPath": f"pilots\\{name}.png",
        "VideoFlipped": False,
        "VideoMirrored": False,
        "ID": pilot_id,
        "ExternalID": 0,
    }


def pilot_channel_row(row_id: str, pilot_id: str, channel: str, *, in_race: bool) -> Row:
    """Return who flies on which channel: registered in the event, or lined up in a race."""
    handicap = {"HandicapOffset": "00:00:00"} if in_race else {}
    return {"Pilot": pilot_id, "Channel": channel, **handicap, "ID": row_id, "ExternalID": 0}


def event_row(
    event_id: str,
    *,
    name: str,
    start: str,
    laps: int,
    race_length: str,
    time_zone: str | None,
    club: str,
    pilot_channels: Sequence[Row],
    channels: Sequence[str],
    rounds: Sequence[str],
    races: Sequence[str],
) -> Row:
    """Return the row of Event.json. `time_zone` is left out when None, as before 2025-10-15."""
    zone = {} if time_zone is None else {"TimeZone": time_zone}
    return {
        "EventType": "Race",
        "Name": name,
        "Start": start,
        "End": NO_TIME,
        "Laps": laps,
        "PBLaps": 1,
        "PackLimit": 0,
        "RaceLength": race_length,
        "MinStartDelay": "00:00:00.5000000",
        "MaxStartDelay": "00:00:05",
        "PrimaryTimingSystemLocation": "Holeshot",
        "RaceStartIgnoreDetections": "00:00:00.5000000",
        "MinLapTime": "00:00:05",
        "LastOpened": start,
        "PilotChannels": list(pilot_channels),
        "RemovedPilots": [],
        "Rounds": list(rounds),
        "Club": club,
        "Channels": list(channels),
        "ChannelColors": CHANNEL_COLORS,
        "ChannelDisplayNames": [None] * len(channels),
        "Enabled": True,
        "MultiGPDisabledSlots": [],
        "Races": list(races),
        "SyncWithFPVTrackside": False,
        "SyncWithMultiGP": False,
        "GenerateHeatsMultiGP": False,
        "VisibleOnline": True,
        "RulesLocked": False,
        "IsGQ": False,
        "Track": NO_ID,
        "Sectors": [],
        "PilotsRegistered": len(pilot_channels),
        "Flags": [],
        "GameTypeName": "",
        **zone,
        "ID": event_id,
        "ExternalID": 0,
    }


def round_row(round_id: str, *, number: int, order: int, stage: str, event_type: str = "Race") -> Row:
    """Return a row of Rounds.json. `order` (100, 200, ...) is the running order; `number` counts per type."""
    return {
        "Name": "",
        "RoundNumber": number,
        "EventType": event_type,
        "Valid": True,
        "Order": order,
        "ScheduledStart": NO_TIME,
        "Handicapped": False,
        "GameTypeName": "",
        "Stage": stage,
        "ID": round_id,
        "ExternalID": 0,
    }


def stage_row(stage_id: str, name: str, standings: Sequence[tuple[str, str, int]]) -> Row:
    """Return a row of Stages.json; `standings` are (pilot id, name, points), the best first."""
    rows = [
        {"Name": name_, "PilotId": pilot, "Values": [str(place), str(points)]}
        for place, (pilot, name_, points) in enumerate(standings, start=1)
    ]
    return {
        "Name": name,
        "Order": 100,
        "Valid": True,
        "StageType": "Default",
        "PointSummary": {"RoundPositionRollover": False, "DropWorstRound": False},
        "TimeSummary": None,
        "LapCountAfterRound": False,
        "SheetFormatFilename": None,
        "ScriptFormatFilename": None,
        "Standings": {"Headings": ["Position", "Points"], "Rows": rows},
        "ID": stage_id,
        "ExternalID": 0,
    }


def detection_row(
    detection_id: str, *, gate: int, channel: str, time: str, pilot: str, lap: int, valid: bool, validity: str
) -> Row:
    """Return a row of a race's Detections. `gate` 0 is the lap gate, 1 and up are splits."""
    return {
        "TimingSystemIndex": gate,
        "Channel": channel,
        "Time": time,
        "Peak": 800,
        "TimingSystemType": "Dummy",
        "Pilot": pilot,
        "LapNumber": lap,
        "Valid": valid,
        "ValidityType": validity,
        "IsLapEnd": gate == 0,
        "RaceSector": lap * 100 + gate,
        "IsHoleshot": gate == 0 and lap == 0,
        "ID": detection_id,
        "ExternalID": 0,
    }


def lap_row(lap_id: str, *, detection: str, length_s: float, number: int, start: str, end: str) -> Row:
    """Return a row of a race's Laps: no pilot, that is at its detection."""
    return {
        "Detection": detection,
        "LengthSeconds": length_s,
        "LapNumber": number,
        "StartTime": start,
        "EndTime": end,
        "ID": lap_id,
        "ExternalID": 0,
    }


def result_row(
    result_id: str,
    *,
    event: str,
    pilot: str,
    race: str,
    round_id: str,
    points: int,
    position: int,
    dnf: bool,
    time: str,
    laps: int,
) -> Row:
    """Return a row of a race's Result.json."""
    return {
        "Points": points,
        "Position": position,
        "Valid": True,
        "DNF": dnf,
        "Event": event,
        "Pilot": pilot,
        "Race": race,
        "Round": round_id,
        "ResultType": "Race",
        "Time": time,
        "LapsFinished": laps,
        "ID": result_id,
        "ExternalID": 0,
    }
