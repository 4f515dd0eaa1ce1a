"""What pyirsdk 1.3.7 does that a collector must know of, reproduced with the stand-in: if the library mends one of these,
the test that says so fails."""

import threading
from collections.abc import Iterator
from pathlib import Path

import irsdk
import pytest

from chaos.doubles.iracing import Race, SimMemory
from chaos.doubles.iracing.publisher import Publisher
from chaos.doubles.iracing.shim import SimStatus, live_path
from protocol.irsdk import Header


@pytest.fixture(scope="module")
def race() -> Race:
    return Race(seed=7, cars=12, lap_s=30.0)


@pytest.fixture
def publisher(race: Race, tmp_path: Path) -> Iterator[Publisher]:
    with SimMemory(tmp_path / "memory", race.layout) as memory:
        found = Publisher(memory, race, 600)
        found.start()
        for _ in range(3):
            found.step()
        yield found


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimStatus]:
    monkeypatch.setenv("no_proxy", "*")
    with SimStatus() as found:
        yield found


@pytest.fixture
def ir() -> Iterator[irsdk.IRSDK]:
    found = irsdk.IRSDK()
    yield found
    found.shutdown()


def test_the_live_path_runs_from_status_to_row(
    publisher: Publisher, status: SimStatus, ir: irsdk.IRSDK
) -> None:
    with live_path(publisher.memory.path, status.url):
        assert ir.startup() and status.asked == 1
        publisher.step()
        ir.freeze_var_buffer_latest()
        assert ir["SessionTick"] == publisher.tick
        assert ir["WeekendInfo"]["EventType"] == "Race"
        assert ir.is_connected
        publisher.memory.exit()
        assert not ir.is_connected
    assert irsdk.mmap.__name__ == "mmap"


def test_no_simulator_no_startup(
    tmp_path: Path, publisher: Publisher, status: SimStatus, ir: irsdk.IRSDK
) -> None:
    status.running = False
    with live_path(publisher.memory.path, status.url):
        assert not ir.startup()
    status.running = True
    with live_path(tmp_path / "nothing", status.url):
        assert not ir.startup()  # there is no event


def test_nobody_answers_for_the_simulator(
    publisher: Publisher, ir: irsdk.IRSDK, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with SimStatus() as gone:
        url = gone.url
    with live_path(publisher.memory.path, url):
        assert not ir.startup()
    assert "Failed to connect to sim" in capsys.readouterr().out


def test_startup_waits_for_ever_for_an_answer(
    publisher: Publisher, status: SimStatus, ir: irsdk.IRSDK
) -> None:
    status.hangs = True
    failed: list[BaseException] = []

    def start() -> None:
        try:
            ir.startup()
        except Exception as exc:  # the connection is closed under it, at the end
            failed.append(exc)

    with live_path(publisher.memory.path, status.url):
        thread = threading.Thread(target=start)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        status.let_go()
        thread.join(20)
        assert not thread.is_alive() and failed


def test_freezing_blocks_until_the_next_tick_or_32_ms(
    publisher: Publisher, status: SimStatus, ir: irsdk.IRSDK
) -> None:
    with live_path(publisher.memory.path, status.url) as kernel:
        assert ir.startup()
        assert (
            kernel.WaitForSingleObject(0x4D0, 1) == 0x102
        )  # startup has seen the last one: the event is reset
        publisher.step()
        assert kernel.WaitForSingleObject(0x4D0, 1) == 0
        assert kernel.WaitForSingleObject(7, 1) == 0xFFFFFFFF


def test_a_test_file_stays_connected_for_ever(publisher: Publisher, ir: irsdk.IRSDK) -> None:
    assert ir.startup(test_file=str(publisher.memory.path)) and ir.is_connected
    publisher.memory.exit()
    assert Header.read(publisher.memory.path.read_bytes()).status == 0
    assert ir.is_connected


def test_a_torn_row_is_read_without_a_word(publisher: Publisher, ir: irsdk.IRSDK, race: Race) -> None:
    ir.startup(test_file=str(publisher.memory.path))
    publisher.tear()
    ir.freeze_var_buffer_latest()
    assert ir["SessionTick"] == publisher.tick  # its beginning is the new row's ...
    assert (
        ir["RFshockVel"] == race.columns(publisher.tick - 1, 1, "RFshockVel")["RFshockVel"][0]
    )  # ... its end is not
    buffers = Header.read(publisher.memory.path.read_bytes()).buffers
    newest = max(buffers, key=lambda buffer: buffer.tick_count)
    assert newest.tick_count_begin == newest.tick_count + 1  # what shows it
    publisher.mend()
    ir.freeze_var_buffer_latest()
    assert ir["RFshockVel"] == race.columns(publisher.tick, 1, "RFshockVel")["RFshockVel"][0]
    publisher.step()
    ir.freeze_var_buffer_latest()
    assert ir["SessionTick"] == publisher.tick


def test_another_layout_is_read_by_the_old_one(publisher: Publisher, ir: irsdk.IRSDK) -> None:
    ir.startup(test_file=str(publisher.memory.path))
    ir.freeze_var_buffer_latest()
    assert ir["dcABS"] == 4.0
    other = Race(seed=7, cars=12, lap_s=30.0, car="prototype")
    publisher.change(other, 700)
    for _ in range(3):
        publisher.step()
    ir.freeze_var_buffer_latest()
    assert ir["dcABS"] != 4.0  # another variable's bytes, and no error
    again = irsdk.IRSDK()
    again.startup(test_file=str(publisher.memory.path))
    again.freeze_var_buffer_latest()
    assert again["dcABS"] == 4.0 and again["SessionTick"] == publisher.tick
    assert len(again.var_headers_names) == len(ir.var_headers_names) - 1
    again.shutdown()


def test_unfrozen_is_the_second_newest(publisher: Publisher, ir: irsdk.IRSDK) -> None:
    ir.startup(test_file=str(publisher.memory.path))
    assert ir["SessionTick"] == publisher.tick - 1
    ir.freeze_var_buffer_latest()
    assert ir["SessionTick"] == publisher.tick


def test_ticks_that_never_were_and_ticks_that_are_there_twice(publisher: Publisher, ir: irsdk.IRSDK) -> None:
    ir.startup(test_file=str(publisher.memory.path))
    seen = []
    publisher.double += 1
    for turn in range(4):
        if turn == 2:
            publisher.skip(1)
        publisher.step()
        ir.freeze_var_buffer_latest()
        seen.append((ir["SessionTick"], ir._header.cur_buf_tick_count))
    assert seen == [(602, 4), (603, 5), (605, 6), (606, 7)]
    assert publisher.missed == 1
