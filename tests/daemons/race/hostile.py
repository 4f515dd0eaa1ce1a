"""An event that somebody wrote to break whoever shows it, as files by path: `hostile_event()`.

Every file parses as JSON as .NET reads it, NaN and all, so that it is the values that must be survived. Used wherever
something is made of an event: boards, trees, pages, interfaces.
"""

import json
from typing import Any

from . import makers as make

__all__ = ["LONG", "NAMES", "RACES", "hostile_event"]

LONG = "n" * 4096
NAMES = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\u202eevil\u202c \u2066ltr\u2069 \u200frtl",
    LONG,
    "👩🏽\u200d🚀🏁" * 50,
    "Z" + "\u0335\u0336\u0337" * 200 + "algo",
    "\"quoted' `ticked` ${dollar} {{braces}} %s \\",
    "line\nbreak\r\n\x00\x1b[31mred\x07",
    "half \ud83d of a pair",
    "</title></script><!--",
    "javascript:alert(1)",
    "'; DROP TABLE pilots; --",
    "",
    "   ",
    "\u200b\u200b",
    "عربى נתונים",
)
HUGE = 2**63
RACES = 12
_ODD: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    -float("inf"),
    HUGE,
    -HUGE,
    10**400,
    1e308,
    -1,
    None,
    "1",
    True,
)


def hostile_event() -> dict[str, bytes]:
    """Return the files by the path that FPVTrackside serves them at."""
    event = f"/events/{make.EVENT_ID}"
    numbers = range(101, 101 + RACES)
    files: dict[str, Any] = {
        f"{event}/Event.json": [_event([make.race_id(number) for number in numbers])],
        f"{event}/Pilots.json": _pilots(),
        f"{event}/Rounds.json": _rounds(),
        f"{event}/Stages.json": _stages(),
        f"{event}/Results.json": _results("RoundRollOver"),
        "/httpfiles/Channels.json": _channels(),
        "/current": {"CurrentRace": make.race_id(102)},
    }
    for number in numbers:
        folder = f"{event}/{make.race_id(number)}"
        files[f"{folder}/Race.json"] = [_race(number)]
        files[f"{folder}/Result.json"] = _results("Race")
    return {"/": make.home(), **{path: _written(value) for path, value in files.items()}}


def _written(value: Any) -> bytes:
    return b"\xef\xbb\xbf" + json.dumps(value, indent=2).encode()


def _event(races: list[str]) -> dict[str, Any]:
    return make.event(
        races + races + ["../../secret", make.NO_ID, *([make.guid(0x1, n) for n in range(1000)])],
        Name=NAMES[0] + NAMES[2],
        Laps=HUGE,
        PBLaps=float("nan"),
        EventType="<b>",
        ChannelColors=["red; background: url(//evil)", "#FF0000", "javascript:1", None, "#00FF00"],
        ChannelDisplayNames=[NAMES[0], LONG, 7],
        TimeZone="../../../etc/passwd",
        RaceLength="99999999.23:59:59.9999999",
        PrimaryTimingSystemLocation={"in": "space"},
        PilotChannels=[
            {"Pilot": make.pilot_id(n % 7), "Channel": make.channel_id(n)} for n in range(900)
        ],
        RemovedPilots=[make.pilot_id(1), 7, None, "x"],
        Start="9999/12/31 23:59:59.999",
        Unheard={"of": [[[[[]]]]] * 50},
        **{f"New{n}<script>": n for n in range(300)},
    )  # fmt: skip


def _pilots() -> list[dict[str, Any]]:
    no_ids: tuple[Any, ...] = (None, 7, "x", {}, make.NO_ID, LONG)
    rows = [make.pilot(number, name) for number, name in enumerate(NAMES)]
    rows += [make.pilot(1, "the same id, another name"), make.pilot(2, "again", ID=make.pilot_id(2).upper())]
    rows += [make.pilot(3, "no", ID=value) for value in no_ids]
    return rows + [make.pilot(n, f"crowd {n}") for n in range(100, 400)]


def _rounds() -> list[dict[str, Any]]:
    return [
        make.round_(1, order=HUGE, Name=LONG, Stage=make.guid(0xA, 1), EventType=["Race"]),
        make.round_(1, order=5, Name="the same id"),
        make.round_(
            2, Order=float("nan"), RoundNumber=HUGE, ScheduledStart="9999/12/31 23:59:59", Valid="yes"
        ),
        make.round_(
            3, Order="first", ScheduledStart="0001/01/01 0:00:00", PointSummary=[1], TimeSummary="PB"
        ),
        make.round_(4, Order=-1, Stage=make.guid(0xA, 2), ScheduledStart="32/13/2026 99:99"),
    ]


def _stages() -> list[dict[str, Any]]:
    stage = {"Name": NAMES[0], "Order": HUGE, "Valid": True, "StageType": NAMES[2]}
    ready = {
        "Headings": [NAMES[0], LONG, None, 7, *(["more"] * 500)],
        "Rows": [
            {"Name": name, "PilotId": make.pilot_id(number), "Values": [NAMES[0], LONG, 10**400, float("nan"), {}]}
            for number, name in enumerate(NAMES)
        ]
        + [None, 7, {}, {"Values": "x"}]
        + [{"Name": f"crowd {n}", "PilotId": "x", "Values": ["1"] * 20} for n in range(600)],
    }  # fmt: skip
    points = {"RoundPositionRollover": "yes", "DropWorstRound": 1}
    return [
        stage | {"ID": make.guid(0xA, 1), "Standings": ready},
        stage | {"ID": make.guid(0xA, 1), "Standings": None},
        stage | {"ID": make.guid(0xA, 2), "PointSummary": points, "TimeSummary": {"TimeSummaryType": LONG}},
        stage | {"ID": make.guid(0xA, 3), "Standings": [], "LapCountAfterRound": True},
        *(stage | {"ID": make.guid(0xA, n), "TimeSummary": {"TimeSummaryType": "RaceTime"}} for n in range(4, 300)),
    ]  # fmt: skip


def _results(kind: str) -> list[dict[str, Any]]:
    rows = [
        make.result(number, 1, Points=odd, Round=make.round_id(1), ResultType=kind, Time=LONG, LapsFinished=odd)
        | {"Position": odd}
        for number, odd in enumerate(_ODD)
    ]  # fmt: skip
    return [*rows, *rows, make.result(3, 1, Pilot=None), make.result(4, 1, DNF="perhaps", ResultType=kind)]


def _channels() -> list[dict[str, Any]]:
    odd = [
        make.channel(n, NAMES[0], 1, 5658, Frequency=value, ChannelPrefix=LONG)
        for n, value in enumerate(_ODD)
    ]
    named = [make.channel(9, LONG, HUGE, 5658, DisplayName=NAMES[1]), make.channel(9, "Raceband", 1, 5658)]
    return named + odd


def _race(number: int) -> dict[str, Any]:
    """The races differ in one thing each: a time, a line-up, laps."""
    start, end = {
        101: ("9999/12/31 23:59:59.999", "9999/12/31 23:59:59.9999999"),
        102: (make.START, make.NONE),
        103: (make.END, make.START),  # over before it began
        104: ("1900/01/01 0:00:00", "9999/12/31 0:00:00"),
        105: (make.NONE, make.END),
    }.get(number, (make.START, make.END))
    row = make.race(
        number % 100,
        seats=dict.fromkeys(range(800 if number == 106 else 16), 9),
        start=start,
        end=end,
        target=3,
        flown={1: [4.0, 9.0, 8.5, 8.25], 2: [4.5, 9.5]},
        Bracket=NAMES[0],
        TotalPausedTime="-99999999.00:00:00",
        **({"RaceNumber": HUGE, "TargetLaps": HUGE} if number == 107 else {}),
    )
    key = row["Detections"][0]["ID"]
    for odd in _ODD:
        row["Laps"] += [
            {"Detection": key, "LengthSeconds": odd, "LapNumber": 1},
            {"Detection": key, "LengthSeconds": 5.0, "LapNumber": odd},
        ]
        row["Detections"].append(
            dict(row["Detections"][0], ID=make.guid(0xE, 1), RaceSector=odd, Time=str(odd))
        )
    row["Detections"] += [dict(row["Detections"][0], Valid=False), dict(row["Detections"][0], Time=LONG)]
    if number == 108:
        row["Laps"] *= 40
    return row
