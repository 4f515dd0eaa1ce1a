"""Where a recording ends and the next begins."""

import struct
from itertools import count

import pytest

from daemons.telemetry.capture.recorder import Recorder, session_reader, tick_reader
from protocol.irsdk import Layout, Type, Variable
from tests.daemons.telemetry.capture.sim import INFO, LAYOUT, Told, layout, row


def recorder(told: Told) -> Recorder:
    ids = count(1)
    made = Recorder(told, "anna", "test", lambda: 1_700_000_000_000_000, lambda: bytes([next(ids)] * 16))
    made.layout(LAYOUT)
    made.info(INFO)
    return made


def given(told: Told, *rows: bytes) -> Recorder:
    made = recorder(told)
    for at, data in enumerate(rows):
        made.row(data, at)
    return made


def test_a_recording_begins_with_its_first_row() -> None:
    told = Told()
    made = recorder(told)
    assert told.recordings == []
    made.row(row(100), 7)
    [recording] = told.recordings
    assert (recording.id, recording.driver, recording.layout, recording.info, recording.source) == (
        b"\x01" * 16, "anna", LAYOUT, INFO, "test",
    )  # fmt: skip
    assert recording.started_utc_us == 1_700_000_000_000_000
    assert (told.ticks, told.rows, told.at_us) == ([[100]], [row(100)], [7])
    made.end("the relay stopped")
    made.end("twice")
    assert told.ends == ["the relay stopped"]


def test_session_info_is_handed_on_when_it_changed() -> None:
    told = Told()
    made = given(told, row(100))
    made.info(INFO)
    assert told.infos == []
    made.info(INFO + b"more")
    made.info(INFO + b"more")
    assert told.infos == [INFO + b"more"]
    made.end("")
    made.info(INFO + b"of the next")
    made.row(row(5), 0)
    assert told.infos == [INFO + b"more"]
    assert told.recordings[1].info == INFO + b"of the next"


def test_doubled_and_left_out_ticks_are_counted() -> None:
    told = Told()
    made = given(told, row(100), row(101), row(101), row(104))
    made.row(row(110), 0, missed=3)
    assert told.ticks == [[100, 101, 104, 110]]
    # 102, 103 the simulator left out; of 105 to 109 it published three that were not read
    assert (made.ticks, made.doubled, made.skipped) == (4, 1, 2 + 2)


@pytest.mark.parametrize(
    ("rows", "ticks", "ends"),
    [
        ([row(100), row(5), row(6), row(7)], [[100], [5, 6, 7]], ["the session's time began anew"]),
        ([row(100), row(101, session=1), row(102, session=1)], [[100], [101, 102]], ["another session began"]),
        ([row(100), row(5, unique=2), row(6, unique=2)], [[100], [5, 6]], ["another session began"]),
        ([row(100), row(0), row(101), row(102)], [[100, 101, 102]], []),
        ([row(100), row(50), row(40), row(30), row(101)], [[100, 101]], []),
        ([row(100), row(50), row(90), row(91)], [[100], [90, 91]], ["the session's time began anew"]),
        ([row(100), row(50)], [[100]], []),
    ],
    ids=["falls", "other session", "other server", "one odd row", "wound back", "wound about", "last row"],
)  # fmt: skip
def test_another_session_is_another_recording_once_it_goes_on(
    rows: list[bytes], ticks: list[list[int]], ends: list[str]
) -> None:
    told = Told()
    made = given(told, *rows)
    assert told.ticks == ticks
    assert told.ends == ends
    assert [recording.id[0] for recording in told.recordings] == list(range(1, len(ticks) + 1))
    made.end("over")
    assert made.ticks + made.doubled == len(rows)


def test_other_variables_are_another_recording() -> None:
    told = Told()
    made = given(told, row(100))
    made.layout(layout())
    assert told.ends == []
    other = layout("Throttle")
    made.layout(other)
    [words] = told.ends
    assert "other variables" in words
    made.row(row(101, of=other), 0)
    assert told.recordings[1].layout == other


def test_without_session_tick_time_tells_the_tick() -> None:
    old = Layout((Variable("SessionTime", Type.DOUBLE, 0),), 8)
    read = tick_reader(old)
    assert [read(struct.pack("<d", tick / 60 + 1e-7)) for tick in (0, 1, 59, 10**7)] == [0, 1, 59, 10**7]
    assert read(struct.pack("<d", float("nan"))) == read(struct.pack("<d", 1e300)) == 0
    assert session_reader(old)(bytes(8)) == ()
    with pytest.raises(ValueError, match="order"):
        tick_reader(Layout((Variable("Speed", Type.FLOAT, 0),), 4))
    with pytest.raises(ValueError, match="order"):
        tick_reader(Layout((Variable("SessionTick", Type.FLOAT, 0),), 4))
