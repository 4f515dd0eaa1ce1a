"""The session info: real ones as pyirsdk reads them, and those of people who mean no good."""

from pathlib import Path

import irsdk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.telemetry.capture.ibtfile import IbtFile
from daemons.telemetry.capture.memory import Memory
from daemons.telemetry.sessioninfo import SessionInfo, Track, parse, parsed
from protocol.irsdk import BadLayout

TEXT = """---
WeekendInfo:
 Encoding: ISO_8859_1
 TrackName: sebring international
 TrackID: 95
 TrackLength: 5.79 km
 TrackConfigName: International
 TrackNorthOffset: 1.5656 rad
 TrackPitSpeedLimit: 72.00 kph
 EventType: Race
 SubSessionID: 77
 TeamRacing: 1
 WeekendOptions:
  NumStarters: 50
  TrackID: 7

SessionInfo:
 CurrentSessionNum: 1
 Sessions:
 - SessionNum: 0
   SessionLaps: unlimited
   SessionTime: 600.0000 sec
   SessionType: Practice
   ResultsPositions:
   - Position: 1
     SessionNum: 9
 - SessionNum: 1
   SessionLaps: 32
   SessionTime: unlimited
   SessionType: Race
   ResultsPositions:

DriverInfo:
 DriverCarIdx: 3
 DriverCarFuelMaxLtr: 75.000
 DriverTires:
 - TireIndex: 0
   TireCompoundType: "Hard"
 Drivers:
 - CarIdx: 0
   UserName: Pace Car
   CarIsPaceCar: 1
 - CarIdx: 3
   UserName: J\xfcrgen "J: {&*" O'Neil, Jr.
   CarNumber: "010"
   CarClassColor: 0x33ceff
   TeamName: , a team

SplitTimeInfo:
 Sectors:
 - SectorNum: 0
   SectorStartPct: 0.000000
 - SectorNum: 1
   SectorStartPct: 0.356625

CarSetup:
 UpdateCount: 2

...
"""


def test_what_is_used_is_read() -> None:
    info = parse(TEXT.encode("cp1252"))
    assert info.track == Track(
        id=95, name="sebring international", config="International", length_m=5790.0, north_offset_rad=1.5656,
        pit_speed_mps=20.0,
    )  # fmt: skip
    assert info.track.key == "95_sebring_international_international"
    assert (info.event, info.subsession_id, info.session_id, info.is_team_event) == ("Race", 77, None, True)
    assert [(one.number, one.kind, one.laps, one.time_s) for one in info.sessions] == [
        (0, "Practice", None, 600.0),
        (1, "Race", 32, None),
    ]
    assert info.sectors == (0.0, 0.356625)
    assert info.own.tank_l == 75.0
    driver = info.driver
    assert driver is not None
    assert (driver.name, driver.number, driver.team, driver.colour) == (
        'Jürgen "J: {&*" O\'Neil, Jr.', "010", ", a team", 0x33CEFF,
    )  # fmt: skip
    assert info.drivers[0].is_pace
    assert info.session(1) is info.sessions[1]
    assert info.session(5) is None


def test_utf8_is_read_where_it_is_switched_on() -> None:
    text = TEXT.replace("ISO_8859_1", "UTF8").replace("Jr.", "日本")
    driver = parse(text.encode()).driver
    assert driver is not None
    assert driver.name.endswith("日本")


def test_only_what_changed_is_read_again() -> None:
    first = parse(TEXT.encode("cp1252"))
    second = parse(TEXT.replace("SessionLaps: 32", "SessionLaps: 33").encode("cp1252"), first)
    assert second.sessions[1].laps == 33
    assert second.drivers is first.drivers
    assert second.track is first.track
    gone = parse(b"---\nWeekendInfo:\n TrackID: 95\n\n...\n", second)
    assert (gone.track, gone.drivers, gone.sectors) == (Track(id=95), (), ())


async def test_a_large_one_is_read_beside_the_loop() -> None:
    text = (TEXT + "x" * 20_000).encode("cp1252")
    assert await parsed(text) == parse(text)
    assert await parsed(b"") == SessionInfo()


@pytest.mark.parametrize(
    "sectors",
    ["- SectorNum: 0\n   SectorStartPct: 0.1", "- SectorNum: 0\n   SectorStartPct: nan", "- a: b", "0.0", ""],
)
def test_sectors_that_cannot_be_are_not_told(sectors: str) -> None:
    assert parse(f"---\nSplitTimeInfo:\n Sectors:\n {sectors}\n\n".encode()).sectors == ()


KEYS = [
    "Drivers:", "Sessions:", "Sectors:", "CarIdx:", "SessionNum:", "SectorStartPct:", "TrackID:", "a:", ":", "&a [*a,",
    "\x00",
]  # fmt: skip
VALUES = ["", " 1", " 1e999", " -0.5", ' "', " \x1b[31m", " 99999999999999999999999", "\udcff"]
_LINE = st.builds(
    lambda indent, dash, key, value: " " * indent + dash + key + value,
    st.integers(0, 6),
    st.sampled_from(["", "- ", "-"]),
    st.sampled_from(KEYS),
    st.sampled_from(VALUES),
)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["WeekendInfo", "SessionInfo", "DriverInfo", "SplitTimeInfo"]),
            st.lists(_LINE, max_size=12),
        ),
        max_size=4,
    )
)
def test_any_lines_are_survived(sections: list[tuple[str, list[str]]]) -> None:
    text = "---" + "".join(f"\n{name}:\n" + "\n".join(lines) + "\n" for name, lines in sections) + "\n...\n"
    info = parse(text.encode("utf-8", "surrogateescape"))
    assert all(0 <= start < 1 for start in info.sectors)
    assert all(isinstance(one.car_index, int) for one in info.drivers)


def test_a_stranger_cannot_make_it_large() -> None:
    many = "".join(f" - CarIdx: {at}\n   UserName: {'x' * 500}\x07\n" for at in range(20_000))
    info = parse(f"---\nDriverInfo:\n Drivers:\n{many}\n\n".encode())
    assert len(info.drivers) == 256
    assert info.drivers[0].name == "x" * 80
    assert parse(b"---\nDriverInfo:\n" + b" " * (2 << 20)) == SessionInfo()


def _real(samples: Path) -> list[bytes]:
    texts = []
    for path in sorted((samples / "iracing").glob("*")):
        try:
            if path.suffix == ".ibt":
                with IbtFile.open(path) as file:
                    texts.append(file.info)
            elif path.suffix == ".bin":
                texts.append(Memory(path.read_bytes()).info() or b"")
        except BadLayout:
            continue
    return texts or pytest.skip("no recordings of the simulator")


def test_real_ones_are_read_as_pyirsdk_reads_them(samples: Path) -> None:
    for text in _real(samples):
        ours, theirs = parse(text), irsdk.IRSDK()
        theirs._shared_mem, theirs._header = text, _Header(text)
        theirs.is_initialized = True
        weekend, driver_info = theirs["WeekendInfo"], theirs["DriverInfo"]
        assert (ours.track.name, ours.track.id) == (weekend["TrackName"], weekend["TrackID"])
        assert ours.sectors == tuple(one["SectorStartPct"] for one in theirs["SplitTimeInfo"]["Sectors"])
        assert [(one.number, one.kind) for one in ours.sessions] == [
            (one["SessionNum"], one["SessionType"]) for one in theirs["SessionInfo"]["Sessions"]
        ]
        assert ours.own.tank_l == driver_info["DriverCarFuelMaxLtr"]
        for one, other in zip(ours.drivers, driver_info["Drivers"], strict=True):
            assert (one.car_index, one.name, one.number, one.user_id, one.car_path) == (
                other["CarIdx"], other["UserName"], other["CarNumber"], other["UserID"], str(other["CarPath"]),
            )  # fmt: skip


class _Header:
    session_info_offset, session_info_update, num_vars = 0, 1, 0

    def __init__(self, text: bytes) -> None:
        self.session_info_len = len(text)
