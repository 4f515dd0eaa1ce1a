"""pyirsdk's startup, the real one: what it does to who calls it, and what is made of it."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import irsdk
import pytest
import trio
from attrs import define

from chaos.doubles.iracing.shim import SimStatus, live_path
from daemons.telemetry.capture.memory import Changed, Memory
from daemons.telemetry.capture.opening import Opened, Opener
from tests.daemons.telemetry.capture.sim import INFO, layout, row, started


@pytest.fixture
def status_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The simulator's status page, where pyirsdk asks first: a socket that listens, and answers when told to."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        monkeypatch.setattr(irsdk, "SIM_STATUS_URL", f"http://127.0.0.1:{listener.getsockname()[1]}/status")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield listener


async def opened(opener: Opener) -> Opened:
    found = await opener.open()
    assert isinstance(found, Opened), found
    return found


async def test_a_file_is_opened_and_closed_again(tmp_path: Path) -> None:
    with started(tmp_path / "memory") as sim:
        found = await opened(Opener(sim.path))
        sim.publish(row(100))
        assert [new.data for new in found.memory.new_rows()] == [row(100)]
        assert found.event is None
        found.close()
        with pytest.raises(ValueError, match="closed"):
            found.memory.new_rows()


async def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    missing, empty, other, cut = (tmp_path / name for name in ("missing", "empty", "other", "cut"))
    empty.touch()
    other.write_bytes(b"no simulator wrote this" * 100)
    with started(tmp_path / "memory") as sim:
        cut.write_bytes(sim.path.read_bytes()[:600_000])  # pyirsdk says that it is open
    for path, words in (
        (missing, "not there yet"),
        (empty, "0 bytes"),
        (other, "not iRacing's"),
        (cut, "outside"),
    ):
        told = await Opener(path).open()
        assert isinstance(told, str)
        assert words in told
    recording = await Opener(_recording(tmp_path)).open()
    assert isinstance(recording, str)
    assert "--from" in recording


def _recording(folder: Path) -> Path:
    """A file with one row buffer: pyirsdk would show its first row for ever."""
    with started(folder / "memory") as sim:
        data = bytearray(sim.path.read_bytes())
    data[32] = 1
    path = folder / "recording.ibt"
    path.write_bytes(data)
    return path


async def test_a_simulator_that_does_not_answer_blocks_nobody(status_page: socket.socket) -> None:
    opener = Opener(deadline_s=0.2)
    began = trio.current_time()
    for _ in range(2):  # the second waits for the first, which still hangs: no thread a second
        told = await opener.open()
        assert isinstance(told, str)
        assert "has not answered" in told
    assert trio.current_time() - began < 10
    assert opener._one.borrowed_tokens == 1
    peer = status_page.accept()[0]
    peer.close()
    with trio.fail_after(10):
        while opener._one.borrowed_tokens:
            await trio.sleep(0.01)


async def test_what_is_opened_too_late_is_closed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, closed = threading.Event(), threading.Event()
    startup, shutdown = irsdk.IRSDK.startup, irsdk.IRSDK.shutdown

    def slow(self: Any, *args: Any, **named: Any) -> Any:
        go.wait(30)
        return startup(self, *args, **named)

    def told(self: Any) -> None:
        shutdown(self)
        closed.set()

    monkeypatch.setattr(irsdk.IRSDK, "startup", slow)
    monkeypatch.setattr(irsdk.IRSDK, "shutdown", told)
    with started(tmp_path / "memory") as sim:
        assert isinstance(await Opener(sim.path, deadline_s=0.05).open(), str)
        go.set()
        assert await trio.to_thread.run_sync(closed.wait, 10)


async def test_it_prints_nothing_and_needs_no_standard_output(
    status_page: socket.socket, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    status_page.close()
    monkeypatch.setattr(sys, "stdout", None)
    told = await Opener().open()
    monkeypatch.undo()
    assert isinstance(told, str)
    assert told.startswith("iRacing does not run (Failed to connect")
    assert capfd.readouterr().out == ""


async def test_the_path_that_windows_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyirsdk's own code for the real thing, with three stand-ins below it (chaos/doubles/iracing/shim.py)."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with SimStatus() as status:
        monkeypatch.setattr(irsdk, "SIM_STATUS_URL", status.url)
        told = await Opener().open()
        assert isinstance(told, str)
        assert "Windows only" in told  # the simulator runs, but here is no Windows
    with (
        started(tmp_path / "memory") as sim,
        SimStatus() as status,
        live_path(sim.path, status.url) as kernel,
    ):
        waits, closed = Calls(kernel.WaitForSingleObject), Calls(kernel.CloseHandle)
        monkeypatch.setattr(kernel, "WaitForSingleObject", waits)
        monkeypatch.setattr(kernel, "CloseHandle", closed)
        found = await opened(Opener())
        for tick in range(1, 4):
            sim.publish(row(tick))
            assert [new.data for new in found.memory.new_rows()] == [row(tick)]
        assert waits.times == 1  # at the opening: its frozen reads would block for 32 ms each
        found.close()
        assert closed.times == 1
        told = await Opener().open()
        assert isinstance(told, Opened)
        told.close()
        assert (
            await Opener().open() == "iRacing does not run"
        )  # its event is there and nothing sets it: it loads
        status.running = False
        assert await Opener().open() == "iRacing does not run"


@define
class Calls:
    """A function that counts how often it is called."""

    call: Callable[..., int]
    times: int = 0

    def __call__(self, *args: Any) -> int:
        self.times += 1
        return self.call(*args)


def test_what_pyirsdk_itself_would_say(tmp_path: Path) -> None:
    """Why rows, layout and connection are read by ourselves."""
    theirs = irsdk.IRSDK()
    with started(tmp_path / "memory") as sim:
        assert theirs.startup(test_file=str(sim.path))
        ours = Memory(theirs._shared_mem)
        for tick in (1, 2, 3):
            sim.publish(row(tick))
        assert theirs["SessionTick"] == 2  # the second newest
        assert int.from_bytes(ours.new_rows()[-1].data[8:12], "little") == 3
        sim.tear(row(4), 12)  # tick 4 for twelve bytes, tick 3 behind them
        theirs.freeze_var_buffer_latest()
        assert (theirs["SessionTick"], theirs["Speed"]) == (
            4,
            3.0,
        )  # half of one, half of the other, no error
        theirs.unfreeze_var_buffer_latest()
        assert ours.new_rows() == []
        sim.change(layout("Throttle"), INFO)
        for tick in (5, 6):
            sim.publish(row(tick))
        assert theirs["Speed"] == 5.0  # there is no Speed any longer: these are the throttle's bytes
        with pytest.raises(Changed):
            ours.new_rows()
        sim.exit()
        assert theirs.is_connected
        assert not ours.connected
    theirs.shutdown()
