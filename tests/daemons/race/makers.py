"""Event files made by hand in FPVTrackside's shape, for the tests of the race model and the board."""

import json
from typing import Any

EVENT_ID = "aaaaaaaa-0000-4000-8000-000000000001"
NONE = "0001/01/01 0:00:00"
NO_ID = "00000000-0000-0000-0000-000000000000"


def guid(kind: int, number: int) -> str:
    return f"{kind:08x}-0000-4000-8000-{number:012x}"


def pilot_id(number: int) -> str:
    return guid(0xB, number)


def round_id(number: int) -> str:
    return guid(0xC, number)


def race_id(number: int) -> str:
    return guid(0xD, number)


def channel_id(number: int) -> str:
    return f"{number:08x}-0000-0000-0000-000000000000"


def to_bytes(value: Any) -> bytes:
    return json.dumps(value, indent=2).replace("\n", "\r\n").encode()


def home(event: str | None = EVENT_ID) -> bytes:
    script = f'var eventManager = new EventManager("events/{event}", "httpfiles");' if event else ""
    return f"\ufeff<html><script>{script}</script></html>".encode()


def event(races: list[str], **more: Any) -> dict[str, Any]:
    return {
        "EventType": "Race",
        "Name": "Winter Cup",
        "Laps": 3,
        "PBLaps": 1,
        "Rounds": [round_id(1), round_id(2)],
        "Races": races,
        "Channels": [channel_id(9), channel_id(10), channel_id(2)],
        "ChannelColors": ["#FF0000", "#0000FF", "#FFFF00"],
        "ChannelDisplayNames": [None, None, None],
        "TimeZone": "Australia/Brisbane",
        "ID": EVENT_ID,
        "ExternalID": 0,
        **more,
    }


def pilot(number: int, name: str, **more: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "FirstName": "Secret",
        "LastName": "Person",
        "DiscordID": "secret#1",
        "PhotoPath": "C:\\secret.mp4",
        "ID": pilot_id(number),
        "ExternalID": 0,
        **more,
    }


def round_(number: int, *, order: int | None = None, **more: Any) -> dict[str, Any]:
    return {
        "Name": "",
        "RoundNumber": number,
        "EventType": "Race",
        "Valid": True,
        "Order": order if order is not None else number * 100,
        "ID": round_id(number),
        **more,
    }


def channel(number: int, band: str, index: int, mhz: int, **more: Any) -> dict[str, Any]:
    return {
        "Number": index,
        "Band": band,
        "ShortBand": band[0],
        "ChannelPrefix": "\u0000",
        "Frequency": mhz,
        "DisplayName": None,
        "ID": channel_id(number),
        **more,
    }


CHANNELS = [
    channel(2, "Fatshark", 2, 5760),
    channel(9, "Raceband", 1, 5658),
    channel(10, "Raceband", 2, 5695),
]


def race(
    number: int,
    *,
    in_round: int = 1,
    seats: dict[int, int] | None = None,
    start: str = NONE,
    end: str = NONE,
    target: int = 3,
    flown: dict[int, list[float]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A race: `seats` pilot → channel, `flown` pilot → lengths, holeshot first. Id 100·round + number."""
    laps, detections = [], []
    for who, lengths in (flown or {}).items():
        at_s = 0.0
        for lap, length_s in enumerate(lengths):
            at_s += length_s
            key = guid(0xE, ((in_round * 100 + number) * 100 + who) * 1000 + lap)
            detections.append(
                {
                    "TimingSystemIndex": 0,
                    "Channel": channel_id(9),
                    "Time": f"2026/02/07 3:00:{at_s:06.3f}"
                    if at_s < 60
                    else f"2026/02/07 3:01:{at_s - 60:06.3f}",
                    "Pilot": pilot_id(who),
                    "LapNumber": lap,
                    "Valid": True,
                    "ValidityType": "Auto",
                    "IsLapEnd": True,
                    "RaceSector": lap * 100,
                    "IsHoleshot": lap == 0,
                    "ID": key,
                }
            )
            laps.append({"Detection": key, "LengthSeconds": length_s, "LapNumber": lap, "ID": key})
    return {
        "Laps": laps,
        "Detections": detections,
        "GamePoints": [],
        "Start": start,
        "End": end,
        "PilotChannels": [
            {"Pilot": pilot_id(who), "Channel": channel_id(on), "ID": guid(0xF, who)}
            for who, on in (seats if seats is not None else {1: 9, 2: 10}).items()
        ],
        "RaceNumber": number,
        "Round": round_id(in_round),
        "TargetLaps": target,
        "PrimaryTimingSystemLocation": "Holeshot",
        "Valid": True,
        "Event": EVENT_ID,
        "Bracket": "None",
        "ID": race_id(in_round * 100 + number),
        **more,
    }


def result(who: int, position: int, *, dnf: bool = False, **more: Any) -> dict[str, Any]:
    return {"Points": 0, "Position": position, "Valid": True, "DNF": dnf, "Pilot": pilot_id(who), **more}


START = "2026/02/07 3:00:00"
END = "2026/02/07 3:02:00.5"
