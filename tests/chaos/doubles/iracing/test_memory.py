"""The memory as the real library reads it: `irsdk` 1.3.7, unmodified."""

from collections.abc import Iterator
from pathlib import Path

import irsdk
import numpy as np
import pytest

from chaos.doubles.iracing import MEMORY_BYTES, Race, SimMemory, coming_mask
from chaos.doubles.iracing.publisher import Publisher
from protocol.irsdk import Header, read_variables

SECTIONS = (
    "WeekendInfo",
    "SessionInfo",
    "CameraInfo",
    "RadioInfo",
    "DriverInfo",
    "SplitTimeInfo",
    "CarSetup",
)


@pytest.fixture(scope="module")
def race() -> Race:
    return Race(seed=7, cars=60, lap_s=30.0, sectors=5, stint=2, drivers=2, swap_every=1)


@pytest.fixture
def publisher(race: Race, tmp_path: Path) -> Iterator[Publisher]:
    with SimMemory(tmp_path / "memory", race.layout) as memory:
        found = Publisher(memory, race, 600)
        found.start()
        yield found


@pytest.fixture
def ir(publisher: Publisher) -> Iterator[irsdk.IRSDK]:
    publisher.step()
    publisher.step()
    found = irsdk.IRSDK()
    assert found.startup(test_file=str(publisher.memory.path))
    yield found
    found.shutdown()


def test_every_variable_is_read_as_it_was_made(race: Race, publisher: Publisher, ir: irsdk.IRSDK) -> None:
    for _ in range(69):
        publisher.step()
    ir.freeze_var_buffer_latest()
    row = race.rows(publisher.tick, 1).view(race.layout.dtype)[0, 0]
    assert ir["SessionTick"] == publisher.tick == 670
    assert ir.var_headers_names == [variable.name for variable in race.layout.variables]
    for name in ir.var_headers_names:
        assert np.array_equal(ir[name], row[name]), name


def test_the_session_info_is_read_section_by_section(race: Race, ir: irsdk.IRSDK) -> None:
    for section in SECTIONS:
        assert ir[section], section
    drivers = ir["DriverInfo"]["Drivers"]
    assert [each["CarIdx"] for each in drivers] == list(range(60))
    assert drivers[6]["CarNumber"] == "007" and drivers[6]["CarNumberRaw"] == 3007
    assert [each["SectorStartPct"] for each in ir["SplitTimeInfo"]["Sectors"]] == list(race.track.sectors)
    assert ir["WeekendInfo"]["Encoding"] == "ISO_8859_1"
    assert ir["DriverInfo"]["DriverCarIdx"] == race.player_index == ir["PlayerCarIdx"]
    assert 60_000 < len(race.session_info(600)) < 110_000


def test_the_map_is_laid_out_as_the_simulators(publisher: Publisher, race: Race) -> None:
    for _ in range(4):
        publisher.step()
    data = publisher.memory.path.read_bytes()
    assert len(data) == MEMORY_BYTES == 1_191_936
    header = Header.read(data)
    assert (header.version, header.status, header.tick_rate, header.session_info_update) == (2, 1, 60, 1)
    assert (header.session_info_at, header.session_info_bytes, header.variables_at) == (112, 524_288, 524_400)
    assert [buffer.offset for buffer in header.buffers] == [1_114_224, 1_138_800, 1_163_376]
    assert header.cur_buf_tick_count == 4 and header.cur_buf == 4 % 3
    assert [buffer.tick_count for buffer in header.buffers] == [3, 4, 2]
    assert all(buffer.tick_count == buffer.tick_count_begin for buffer in header.buffers)
    packed = data[header.variables_at : header.variables_at + 144 * header.variables]
    assert read_variables(packed, header.row_bytes) == race.layout
    newest = header.buffers[header.cur_buf].offset
    assert data[newest : newest + header.row_bytes] == race.row(publisher.tick)


def test_the_buffer_that_comes_next_holds_the_beginning_of_the_coming_row(
    publisher: Publisher, race: Race
) -> None:
    for _ in range(4):
        publisher.step()
    data = publisher.memory.path.read_bytes()
    header = Header.read(data)
    oldest = min(header.buffers, key=lambda buffer: buffer.tick_count)
    assert oldest.tick_count == oldest.tick_count_begin == publisher.memory.tick - 2
    found = np.frombuffer(data, race.layout.dtype, 1, oldest.offset)[0]
    coming = race.rows(publisher.tick + 1, 1).view(race.layout.dtype)[0, 0]
    assert found["SessionTick"] == 0 and found["Speed"] == 0
    assert found["ThrottleRaw"] == coming["ThrottleRaw"] > 0
    assert np.array_equal(found["VelocityX_ST"][:3], coming["VelocityX_ST"][:3])
    assert not found["VelocityX_ST"][3:].any()
    assert coming_mask(race.layout).sum() == 255 * (2 * 4 + 18 * 3 * 4)


def test_old_builds_leave_the_new_fields_empty(tmp_path: Path) -> None:
    race = Race(seed=3, cars=20, lap_s=30.0, since_2026=False)
    with SimMemory(tmp_path / "old", race.layout, since_2026=False) as memory:
        publisher = Publisher(memory, race, 0)
        publisher.start()
        for _ in range(5):
            publisher.step()
        data = memory.path.read_bytes()
        header = Header.read(data)
        assert (header.cur_buf_tick_count, header.cur_buf) == (0, 0)
        assert {buffer.tick_count_begin for buffer in header.buffers} == {0}
        assert max(buffer.tick_count for buffer in header.buffers) == 5
        assert race.layout["CarIdxLap"].count == 64
        assert b"Encoding" not in data[112:1000]


@pytest.mark.parametrize("utf8", [False, True])
def test_names_are_read_in_both_encodings(tmp_path: Path, utf8: bool) -> None:
    race = Race(seed=7, cars=60, lap_s=30.0, drivers=1, utf8=utf8)
    with SimMemory(tmp_path / "memory", race.layout) as memory:
        Publisher(memory, race, 0).start()
        ir = irsdk.IRSDK()
        ir.startup(test_file=str(memory.path))
        people = [each["UserName"] for each in ir["DriverInfo"]["Drivers"]]
        assert ir.is_session_info_utf8 is utf8
        ir.shutdown()
    there = ["Łucja Varnholt", "Zoë Birkmoor"] if utf8 else ["?ucja Varnholt", "Zoë Birkmoor"]
    assert set(there) <= set(people), people


def test_the_next_session_has_the_same_layout_and_begins_anew(publisher: Publisher, race: Race) -> None:
    practice = Race(seed=7, cars=60, lap_s=30.0, sectors=5, stint=2, drivers=2, swap_every=1, session=0)
    publisher.step()
    before = Header.read(publisher.memory.path.read_bytes())
    publisher.change(practice, 0)
    publisher.step()
    after = Header.read(publisher.memory.path.read_bytes())
    assert (after.cur_buf_tick_count, after.session_info_update) == (before.cur_buf_tick_count + 1, 2)
    row = np.frombuffer(
        publisher.memory.path.read_bytes(), race.layout.dtype, 1, after.buffers[after.cur_buf].offset
    )[0]
    assert (row["SessionNum"], row["SessionTick"]) == (0, 0)
    assert b"CurrentSessionNum: 0\n" in practice.session_info(0)
