"""pyirsdk's startup, the real one: what it does to who calls it, and what is made of it."""

import mmap
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import irsdk
import pytest
import trio

from daemons.telemetry.capture.opening import Opened, Opener
from tests.daemons.telemetry.capture.sim import row, started


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


def _answer(listener: socket.socket) -> None:
    peer = listener.accept()[0]
    peer.recv(4096)
    peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nrunning:1")
    peer.close()


async def test_the_path_that_windows_takes(
    status_page: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three stand-ins (status page, kernel32, mapping by name), the rest is pyirsdk's own code for the real thing."""
    sim = started(tmp_path / "memory")
    signalled = [0]
    kernel = SimpleNamespace(
        OpenEventW=lambda access, inherit, name: 42 if name == irsdk.DATAVALIDEVENTNAME else 0,
        WaitForSingleObject=lambda handle, ms: signalled[0],
    )

    def by_name(fileno: int, size: int, name: str, access: int) -> mmap.mmap:
        assert name == irsdk.MEMMAPFILE
        with sim.path.open("rb") as file:
            return mmap.mmap(file.fileno(), size, access=access)

    shim = SimpleNamespace(mmap=by_name, ACCESS_READ=mmap.ACCESS_READ)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, _answer, status_page)
        told = await Opener().open()
        assert isinstance(told, str)
        assert "Windows only" in told  # the simulator seems to run, but here is no Windows
        monkeypatch.setattr(irsdk, "ctypes", SimpleNamespace(windll=SimpleNamespace(kernel32=kernel)))
        monkeypatch.setattr(irsdk, "mmap", shim)
        nursery.start_soon(trio.to_thread.run_sync, _answer, status_page)
        found = await opened(Opener())
        assert found.event == 42
        with sim:
            sim.publish(row(100))
            assert [new.data for new in found.memory.new_rows()] == [row(100)]
        found.close()
        signalled[0] = 258  # the event is there and nothing sets it: the simulator still loads
        nursery.start_soon(trio.to_thread.run_sync, _answer, status_page)
        assert isinstance(await Opener().open(), str)
