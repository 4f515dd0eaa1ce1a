"""Files as `irsdk.IBT` opens them, and recordings played as live memory."""

from pathlib import Path

import irsdk
import numpy as np
import pytest

from chaos.doubles.iracing import Race, SimMemory
from chaos.doubles.iracing.ibt import Ibt, record, write_ibt
from chaos.doubles.iracing.playback import open_recording
from chaos.doubles.iracing.publisher import Publisher
from protocol.irsdk import BadLayout, Disk, Header


@pytest.fixture(scope="module")
def race() -> Race:
    return Race(seed=5, cars=8, lap_s=30.0)


@pytest.fixture(scope="module")
def file(race: Race, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ibt") / "race.ibt"
    record(race, path, 1030, 300)
    return path


def test_the_library_reads_every_row_of_a_file(race: Race, file: Path) -> None:
    ibt = irsdk.IBT()
    ibt.open(str(file))
    live = race.rows(1030, 300).view(race.layout.dtype)[:, 0]
    disk = race.disk_rows(1030, 300).view(race.disk_layout.dtype)[:, 0]
    for name in ibt.var_headers_names:
        values = ibt.get_all(name)
        assert np.array_equal(values, disk[name]), name
        if name in race.layout:
            assert np.array_equal(values, live[name]), name
    assert {"Lat", "Lon", "Alt", "LFpressure", "LFtempM"} <= set(ibt.var_headers_names) - set(
        race.layout.dtype.names
    )
    assert not any(
        name.startswith("CarIdx") or name.endswith("_ST")
        for name in ibt.var_headers_names
        if "Torque" not in name
    )
    with pytest.raises(Exception, match="requires a buffer"):
        ibt.get(300, "SessionTime")  # its bounds are not checked
    ibt.close()


def test_a_file_is_laid_out_as_the_simulators(race: Race, file: Path) -> None:
    data = file.read_bytes()
    header, disk = Header.read(data), Disk.read(data)
    assert (len(header.buffers), header.variables_at, header.session_info_at) == (
        1,
        144,
        144 + 144 * header.variables,
    )
    assert header.buffers[0].offset == header.session_info_at + header.session_info_bytes
    assert len(data) == header.buffers[0].offset + disk.records * header.row_bytes
    info = data[header.session_info_at : header.buffers[0].offset]
    assert info.startswith(b"---\nWeekendInfo:\n") and info.endswith(b"\n\n...\n")
    assert disk.session_end_s - disk.session_start_s == pytest.approx(299 / 60)


def test_what_a_crashed_simulator_leaves_is_counted_by_its_size(race: Race, tmp_path: Path) -> None:
    write_ibt(tmp_path / "a.ibt", race.disk_layout, race.disk_rows(0, 90), b"---\n\n...\n", crashed=True)
    ibt = Ibt(tmp_path / "a.ibt")
    assert ibt.disk.records == 0 and len(ibt.rows) == 90


def test_a_file_is_played_as_live_memory(race: Race, file: Path, tmp_path: Path) -> None:
    playback = open_recording(file)
    assert "Lat" not in playback.layout and "CarIdxLapDistPct" in playback.layout
    with SimMemory(tmp_path / "memory", playback.layout) as memory:
        publisher = Publisher(memory, playback, 0)
        publisher.start()
        while not publisher.ended:
            publisher.step()
        ir = irsdk.IRSDK()
        ir.startup(test_file=str(memory.path))
        ir.freeze_var_buffer_latest()
        last = race.columns(1329, 1, "SessionTick", "Speed", "LapDistPct")
        assert (ir["SessionTick"], ir["Speed"]) == (last["SessionTick"][0], last["Speed"][0])
        assert ir["CarIdxLapDistPct"][race.player_index] == last["LapDistPct"][0]
        assert ir["CarIdxLapDistPct"][0] == -1
        assert ir["DriverInfo"]["DriverCarIdx"] == race.player_index
        ir.shutdown()


def test_what_is_played_again_goes_on(file: Path) -> None:
    playback = open_recording(file, loop=True)
    rows = playback.rows(298, 304).view(playback.layout.dtype)[:, 0]
    assert np.array_equal(rows["SessionTick"], np.arange(1328, 1632))
    assert np.allclose(np.diff(rows["SessionTime"]), 1 / 60)
    assert rows["Speed"][2] == rows["Speed"][302]
    with pytest.raises(ValueError, match="300 rows"):
        open_recording(file).rows(299, 2)


def test_real_recordings_are_played(samples: Path, tmp_path: Path) -> None:
    paths = sorted((samples / "iracing").glob("*"))
    if not paths:
        pytest.skip(f"no recordings of iRacing in {samples}")
    for path in paths:
        try:
            playback = open_recording(path)
        except BadLayout:
            assert path.name.startswith("not_irsdk")
            continue
        with SimMemory(tmp_path / "memory", playback.layout) as memory:
            publisher = Publisher(memory, playback, 0)
            publisher.start()
            publisher.step()
            publisher.step()
            ir = irsdk.IRSDK()
            ir.startup(test_file=str(memory.path))
            ir.freeze_var_buffer_latest()
            row = playback.rows(1, 1).view(playback.layout.dtype)[0, 0]
            for name in ir.var_headers_names:
                assert np.array_equal(ir[name], row[name], equal_nan=row[name].dtype.kind == "f"), name
            assert ir["DriverInfo"]["Drivers"]
            ir.shutdown()
