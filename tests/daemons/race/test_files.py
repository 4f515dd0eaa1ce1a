"""FPVTrackside's files: what is read of them, what is forgiven, and what is a BadFile."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.race.files import (
    NAME_CHARACTERS_MAX,
    BadFile,
    event_of_home,
    read_channels,
    read_current,
    read_event,
    read_pilots,
    read_race,
    read_results,
    read_rollovers,
    read_rounds,
    read_stages,
)
from daemons.race.model import (
    Channel,
    EventType,
    Pilot,
    Result,
    RollOver,
    Seat,
    Standings,
    StandingsRow,
    State,
    Summary,
    TimeKind,
    Timing,
)

from . import makers as make

READERS: dict[str, Callable[[str, bytes], Any]] = {
    "Event": read_event,
    "Pilots": read_pilots,
    "Rounds": read_rounds,
    "Channels": read_channels,
    "Race": read_race,
    "Result": read_results,
    "Results": read_rollovers,
    "Stages": read_stages,
    "current": read_current,
}
GOOD: dict[str, Any] = {
    "Event": [make.event([make.race_id(101)])],
    "Pilots": [make.pilot(1, "Ann"), make.pilot(2, "Bo")],
    "Rounds": [make.round_(1), make.round_(2)],
    "Channels": make.CHANNELS,
    "Race": [make.race(1, start=make.START, flown={1: [4.0, 9.5, 8.5], 2: [4.5, 9.0]})],
    "Result": [make.result(1, 1), make.result(2, 2, dnf=True)],
    "Results": [
        make.result(1, 1, Points=10, Round=make.round_id(1), ResultType="RoundRollOver"),
        make.result(2, 2, Points=8, Round=make.round_id(1), ResultType="RoundRollOver", Valid=False),
        make.result(2, 2, Points=8, Round=make.round_id(1), ResultType="Race"),
    ],
    "Stages": [
        {
            "Name": "Finals",
            "Order": 200,
            "Valid": True,
            "StageType": "Final",
            "PointSummary": {"RoundPositionRollover": True, "DropWorstRound": False},
            "TimeSummary": {"IncludeAllRounds": True, "TimeSummaryType": "eventlap"},
            "LapCountAfterRound": True,
            "Standings": {
                "Headings": ["Place", "Points"],
                "Rows": [{"Name": "Ann", "PilotId": make.pilot_id(1), "Values": ["1", "10"]}],
            },
            "ID": make.guid(0xA, 1),
        },
        {"Name": "Nothing set", "ID": make.guid(0xA, 2)},
    ],
    "current": {"CurrentRace": make.race_id(101)},
}


def test_the_open_event_is_named_in_the_home_page_only() -> None:
    assert event_of_home(make.home()) == make.EVENT_ID
    assert event_of_home(make.home(make.EVENT_ID.upper())) == make.EVENT_ID
    assert event_of_home(b"new EventManager('/events/%s/', 1)" % make.EVENT_ID.encode()) == make.EVENT_ID
    assert event_of_home(make.home(None)) is None
    assert event_of_home(b'new EventManager("events/../../secret-secret-secret-secret-secret"') is None
    assert event_of_home(b"") is None


def test_an_event_is_read() -> None:
    event = read_event("Event.json", make.to_bytes(GOOD["Event"]))
    assert (event.id, event.name, event.type, event.laps) == (make.EVENT_ID, "Winter Cup", EventType.RACE, 3)
    assert event.race_ids == (make.race_id(101),)
    assert event.time_zone == "Australia/Brisbane"


def test_an_old_event_without_the_newer_fields_is_read() -> None:
    old = make.event([], Locked=False, MultiGPRaceFormat="AggregateLaps")
    for newer in ("TimeZone", "ChannelDisplayNames", "PBLaps"):
        del old[newer]
    event = read_event("Event.json", b"\xef\xbb\xbf" + make.to_bytes([old]))
    assert (event.time_zone, event.channel_names, event.pb_laps) == (None, (), 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Race", EventType.RACE),
        ("AggregateLaps", EventType.ENDURANCE),
        ("Enduro", EventType.ENDURANCE),
        ("Endurance", EventType.ENDURANCE),
        ("Practise", EventType.PRACTICE),
        ("Practice", EventType.PRACTICE),
        ("TimeTrial", EventType.TIME_TRIAL),
        ("HoverContest", EventType.OTHER),
        (7, EventType.OTHER),
        (None, EventType.RACE),
    ],
)
def test_event_types_have_aliases(text: Any, expected: EventType) -> None:
    rounds = read_rounds("Rounds.json", make.to_bytes([make.round_(1, EventType=text)]))
    assert rounds[make.round_id(1)].type is expected


def test_of_a_pilot_nothing_is_read_but_the_public_name() -> None:
    pilots = read_pilots("Pilots.json", make.to_bytes(GOOD["Pilots"]))
    assert pilots == {
        make.pilot_id(1): Pilot(make.pilot_id(1), "Ann"),
        make.pilot_id(2): Pilot(make.pilot_id(2), "Bo"),
    }
    assert "ecret" not in repr(pilots)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("  Ann\r\n", "Ann"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("A\ud800b", "A?b"),
        ("n" * 4096, "n" * NAME_CHARACTERS_MAX),
        ("\u202eevil\u202c \u200f(R)", "evil  \u200f(R)"),  # what turns the rest round is taken out
        ("\x00" * 4096, ""),
        (None, ""),
        (["Ann"], ""),
    ],
)
def test_hostile_names_are_cut_to_something_showable(name: Any, expected: str) -> None:
    (pilot,) = read_pilots("Pilots.json", make.to_bytes([make.pilot(1, name)])).values()
    assert pilot.name == expected
    pilot.name.encode()


def test_channels_are_named_as_in_fpvtrackside() -> None:
    body = make.to_bytes(
        [
            make.channel(9, "Raceband", 1, 5658),
            make.channel(49, "HDZero", 1, 5658, ChannelPrefix="R"),
            make.channel(75, "DJIO3", 1, 5669, ShortBand="O", DisplayName="O3-1"),
            {"ID": make.channel_id(1), "Band": "Fatshark", "Number": 1},
        ]
    )
    assert list(read_channels("Channels.json", body).values()) == [
        Channel(make.channel_id(9), "R1", 5658),
        Channel(make.channel_id(49), "HR1", 5658),
        Channel(make.channel_id(75), "O3-1", 5669),
        Channel(make.channel_id(1), "F1", 0),
    ]


def test_a_race_is_read() -> None:
    race = read_race("Race.json", make.to_bytes(GOOD["Race"]))
    assert race.id == make.race_id(101)
    assert race.state is State.LIVE
    assert race.start == datetime(2026, 2, 7, 3)
    assert race.seats == (
        Seat(make.pilot_id(1), make.channel_id(9)),
        Seat(make.pilot_id(2), make.channel_id(10)),
    )
    assert [lap.length_s for lap in race.laps] == [4.0, 9.5, 8.5, 4.5, 9.0]
    assert [d.sector for d in race.detections] == [0, 100, 200, 0, 100]


def test_the_state_of_a_race_follows_its_times() -> None:
    def state(**more: Any) -> State:
        return read_race("Race.json", make.to_bytes([make.race(1, **more)])).state

    assert state() is State.PENDING
    assert state(start=make.START) is State.LIVE
    assert state(start=make.START, end=make.END) is State.DONE
    assert state(Start=None, End=None) is State.PENDING


def test_stages_are_read_with_what_ranks_them() -> None:
    final, nothing = read_stages("Stages.json", make.to_bytes(GOOD["Stages"])).values()
    assert (final.name, final.type, final.order, final.valid) == ("Finals", "Final", 200, True)
    assert final.summary == Summary(
        points=True, rollover=True, drop_worst=False, time=TimeKind.EVENT_LAP, all_rounds=True, lap_count=True
    )
    assert final.standings == Standings(
        ("Place", "Points"), (StandingsRow(make.pilot_id(1), "Ann", ("1", "10")),)
    )
    assert (nothing.type, nothing.valid, nothing.summary, nothing.standings) == (
        "Default",
        True,
        Summary(),
        None,
    )


def test_of_the_results_of_an_event_only_what_rolls_over_is_read() -> None:
    rolled = read_rollovers("Results.json", make.to_bytes(GOOD["Results"]))
    assert rolled == (RollOver(make.pilot_id(1), make.round_id(1), 10, 1),)
    assert read_rollovers("Results.json", b"[]") == ()


def test_old_rounds_tell_what_is_summed_behind_them_and_new_ones_their_stage() -> None:
    old = make.round_(1, PointSummary={"DropWorstRound": True}, TimeSummary=None, LapCountAfterRound=False)
    new = make.round_(2, Stage=make.guid(0xA, 1), ScheduledStart="2026/02/07 9:30:00", Handicapped=True)
    first, second = read_rounds("Rounds.json", make.to_bytes([old, new])).values()
    assert first.summary == Summary(points=True, drop_worst=True)
    assert (first.stage_id, first.scheduled, first.handicapped) == ("", None, False)
    assert second.summary is None
    assert (second.stage_id, second.scheduled) == (make.guid(0xA, 1), datetime(2026, 2, 7, 9, 30))
    assert second.handicapped


def test_who_is_registered_and_what_the_race_goes_by_are_read() -> None:
    fields = make.event(
        [],
        PilotChannels=[
            {"Pilot": make.pilot_id(1), "Channel": make.channel_id(9)},
            {"Pilot": make.pilot_id(1), "Channel": make.channel_id(2)},
        ],
        RemovedPilots=[make.pilot_id(2), make.NO_ID],
        RaceLength="00:02:30",
        PrimaryTimingSystemLocation="EndOfLap",
        Start="2026/02/07 0:00:00",
    )
    event = read_event("Event.json", make.to_bytes([fields]))
    assert event.seats == (Seat(make.pilot_id(1), make.channel_id(9)),)
    assert event.removed == {make.pilot_id(2)}
    assert (event.race_length_s, event.timing) == (150.0, Timing.END_OF_LAP)
    assert event.start == datetime(2026, 2, 7)


def test_handicaps_and_pauses_are_read() -> None:
    race = make.race(1, TotalPausedTime="00:00:12.5", PrimaryTimingSystemLocation="unheard")
    race["PilotChannels"][0]["HandicapOffset"] = "00:00:03"
    race["PilotChannels"][1]["HandicapOffset"] = "soon"
    read = read_race("Race.json", make.to_bytes([race]))
    assert (read.paused_s, read.timing) == (12.5, Timing.HOLESHOT)
    assert [seat.handicap_s for seat in read.seats] == [3.0, 0.0]


def test_of_two_detections_with_one_id_the_first_counts() -> None:
    race = make.race(1, start=make.START, flown={1: [4.0, 9.5]})
    race["Detections"].append(dict(race["Detections"][1], Pilot=make.pilot_id(2), Valid=False))
    read = read_race("Race.json", make.to_bytes([race]))
    assert [lap.length_s for lap in read.valid_laps[make.pilot_id(1)]] == [4.0, 9.5]
    assert make.pilot_id(2) not in read.valid_laps


def test_a_race_forgives_what_does_not_matter() -> None:
    race = make.race(1, start=make.START, flown={1: [4.0, 9.5]})
    race["Laps"] += [
        {"Detection": None, "LengthSeconds": 1.0, "LapNumber": 1},
        {"Detection": make.guid(0xE, 1), "LengthSeconds": "1.0", "LapNumber": 1},
        {"Detection": make.guid(0xE, 1), "LengthSeconds": 1.0, "LapNumber": 2**63},
        {"Detection": make.guid(0xE, 1), "LengthSeconds": 10**400, "LapNumber": 1},
        "no lap",
    ]
    race["Detections"] += [
        None,
        {"ID": make.guid(0xE, 2)},
        {"ID": make.guid(0xE, 3), "Pilot": make.pilot_id(1)},
    ]
    race["PilotChannels"] += [
        {"Pilot": make.NO_ID},
        {"Pilot": make.pilot_id(1), "Channel": make.channel_id(2)},
    ]
    race["Unheard"] = {"of": [1, 2]}
    del race["GamePoints"], race["Bracket"], race["RaceNumber"]
    read = read_race("Race.json", make.to_bytes([race]))
    assert (len(read.laps), len(read.detections), len(read.seats), read.number) == (2, 2, 2, 0)


def test_a_sector_that_is_missing_is_computed() -> None:
    race = make.race(1, start=make.START, flown={1: [4.0]})
    (detection,) = race["Detections"]
    del detection["RaceSector"]
    detection.update(LapNumber=2, TimingSystemIndex=3)
    assert read_race("Race.json", make.to_bytes([race])).detections[0].sector == 203


def test_a_number_that_is_no_number_costs_one_lap_and_not_the_file() -> None:
    body = make.to_bytes([make.race(1, start=make.START, flown={1: [4.0, 9.25, 8.5]})]).replace(
        b"9.25", b"NaN"
    )
    assert [lap.length_s for lap in read_race("Race.json", body).laps] == [4.0, 8.5]


def test_results_are_read_and_invalid_ones_left_out() -> None:
    body = make.to_bytes([*GOOD["Result"], make.result(3, 3, Valid=False), make.result(1, 4)])
    assert read_results("Result.json", body) == (
        Result(make.pilot_id(1), 1, False),
        Result(make.pilot_id(2), 2, True),
    )
    (read,) = read_results(
        "Result.json", make.to_bytes([make.result(1, 1, Points=10, Time="00:01:02.5", LapsFinished=4)])
    )
    assert (read.points, read.time_s, read.laps) == (10, 62.5, 4)
    assert read_results("Result.json", b"[]") == ()


def test_the_selected_race_is_read() -> None:
    assert read_current("/current", make.to_bytes(GOOD["current"])) == make.race_id(101)
    assert read_current("/current", b'{"CurrentRace": null}') is None


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"<html>home</html>",
        b"[{",
        b"\xff\xfe[]",
        b"[1]",
        b"null",
        b"3",
        b"[" * 100_000,
        b'"text"',
    ],
    ids=["empty", "blank", "html", "torn", "utf-16", "number in array", "null", "number", "deep", "text"],
)
def test_a_body_that_is_no_such_file_is_a_bad_file(kind: str, body: bytes) -> None:
    with pytest.raises(BadFile) as caught:
        READERS[kind](f"{kind}.json", body)
    assert caught.value.path == f"{kind}.json"
    assert caught.value.why


@pytest.mark.parametrize(
    "broken", [{"ID": None}, {"ID": "../x"}, {"Start": "soon"}, {"End": 5}, {"Laps": {}}, {"Detections": "x"}]
)
def test_a_race_without_what_matters_is_a_bad_file(broken: dict[str, Any]) -> None:
    with pytest.raises(BadFile):
        read_race("Race.json", make.to_bytes([make.race(1) | broken]))
    for body in (b"[]", b"[[]]"):
        with pytest.raises(BadFile):
            read_race("Race.json", body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def mutated_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A good file with a few values replaced, removed or cut: what a hand or a crash does to it."""
    kind = draw(st.sampled_from(sorted(GOOD)))
    value = json.loads(json.dumps(GOOD[kind]))
    for _ in range(draw(st.integers(0, 4))):
        node = value
        while isinstance(node, (list, dict)) and node:
            key = draw(st.sampled_from(list(range(len(node))) if isinstance(node, list) else list(node)))
            if draw(st.booleans()) or not isinstance(node[key], (list, dict)):
                node[key] = draw(_JSON)
                break
            node = node[key]
    body = json.dumps(value).encode()
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(body)))
        body = body[:cut] + draw(st.binary(max_size=8)) + body[cut + draw(st.integers(0, 20)) :]
    return kind, body


@given(mutated_files())
def test_a_mutated_file_is_read_or_is_a_bad_file(file: tuple[str, bytes]) -> None:
    kind, body = file
    try:
        READERS[kind](kind, body)
    except BadFile:
        pass
    event_of_home(body)
