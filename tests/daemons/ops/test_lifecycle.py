"""Signals, deadlines and exit codes, in processes of their own; systemd's notifications on a real socket."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from daemons.ops.errors import RefusedToStart, StartAgain
from daemons.ops.lifecycle import OPENING_MAX_S, notify, serve_daemon

_PROGRAM = """
import os, signal, sys, trio
from daemons.ops.errors import ConfigError, Problem, RefusedToStart
from daemons.ops.lifecycle import run_daemon
from daemons.ops.logs import configure_logs

configure_logs()

async def orderly(stop):
    sys.stdout.write("up\\n"); sys.stdout.flush()
    await stop.wait()
    sys.stdout.write("orderly\\n"); sys.stdout.flush()

async def stubborn(stop):
    sys.stdout.write("up\\n"); sys.stdout.flush()
    await trio.sleep_forever()

async def impatient(stop):
    sys.stdout.write("up\\n"); sys.stdout.flush()
    await stop.wait()
    start = trio.current_time()
    os.kill(os.getpid(), signal.SIGINT)
    try:
        await trio.sleep_forever()
    finally:
        print("at once" if trio.current_time() - start < 1 else "late")

async def refused(stop):
    raise RefusedToStart("port 1 is taken")

async def grouped(stop):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refused, stop)

async def wrong(stop):
    raise ConfigError([Problem("a.b", "is wrong", "mend it")])

async def bug(stop):
    raise ZeroDivisionError

sys.exit(run_daemon(globals()[sys.argv[1]]))
"""


@pytest.mark.process
@pytest.mark.parametrize(("kind", "number"), [("orderly", signal.SIGTERM), ("orderly", signal.SIGINT)])
async def test_a_signal_ends_in_order_with_0(kind: str, number: signal.Signals) -> None:
    assert await _signalled(kind, number) == (0, b"orderly\n")


@pytest.mark.process
async def test_a_daemon_that_does_not_stop_is_ended_after_its_deadline() -> None:
    assert await _signalled("stubborn", signal.SIGTERM) == (0, b"")


@pytest.mark.process
async def test_a_second_signal_does_not_wait() -> None:
    assert await _signalled("impatient", signal.SIGINT) == (0, b"at once\n")


async def _signalled(kind: str, number: signal.Signals) -> tuple[int, bytes]:
    command = [sys.executable, "-c", _PROGRAM, kind]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    async with process.stdout:
        try:
            with trio.fail_after(30):
                assert (await process.stdout.receive_some()).startswith(b"up")
                process.send_signal(number)
                rest = b"".join([part async for part in process.stdout])
                return await process.wait(), rest
        finally:
            process.kill()
            with trio.CancelScope(shield=True):  # it has been killed
                await process.wait()


@pytest.mark.process
@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("refused", 3, b"pitlink: port 1 is taken"),
        ("grouped", 3, b"pitlink: port 1 is taken"),
        ("wrong", 2, b"pitlink: a.b: is wrong (mend it)"),
        ("bug", 1, b"ZeroDivisionError"),
    ],
)
async def test_what_goes_wrong_is_said_and_has_its_exit_code(kind: str, code: int, words: bytes) -> None:
    with trio.fail_after(30):
        ended = await trio.run_process(
            [sys.executable, "-c", _PROGRAM, kind], capture_stderr=True, check=False
        )
    assert ended.returncode == code
    assert words in ended.stderr


def test_systemd_is_told_when_it_asks_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")  # nobody listens: nothing happens
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert listener.recv(100) == b"READY=1"


def test_a_listener_that_does_not_read_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        told = threading.Thread(target=lambda: [notify("WATCHDOG=1") for _ in range(2000)], daemon=True)
        told.start()
        told.join(30)
        assert not told.is_alive()
    assert "notify.failed" in caplog.text


class _Fake:
    """A daemon that serves until cancelled, or raises what it was given."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    async def run(self, *, task_status: trio.TaskStatus[object]) -> None:
        task_status.started()
        if self._failure is not None:
            raise self._failure
        await trio.sleep_forever()

    async def prove(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def figures_at_start(self) -> dict[str, object]:
        return {}


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Return what tells what systemd has heard."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        def heard() -> list[str]:
            lines: list[str] = []
            while True:
                try:
                    lines.append(listener.recv(300).decode())
                except BlockingIOError:
                    return lines

        yield heard


async def test_systemd_waits_while_a_daemon_looks_through_its_databases(
    autojump_clock: object, systemd: Callable[[], list[str]]
) -> None:
    """On a slow card that takes longer than the unit's TimeoutStartSec."""
    heard: list[str] = []

    @asynccontextmanager
    async def open_slowly() -> AsyncIterator[_Fake]:
        for _ in range(15):
            await trio.sleep(20.5)
            heard.extend(systemd())
        yield _Fake()

    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve_daemon, open_slowly, stop))
        await trio.sleep(600)
        stop.set()
    assert heard == ["EXTEND_TIMEOUT_USEC=60000000"] * 16  # three times in what each asks for
    assert systemd() == ["READY=1"], "and no more once it is ready"


async def test_systemd_does_not_wait_for_ever(
    autojump_clock: object, systemd: Callable[[], list[str]]
) -> None:
    @asynccontextmanager
    async def hang() -> AsyncIterator[_Fake]:
        await trio.sleep_forever()
        yield _Fake()

    heard: list[str] = []
    with trio.move_on_after(3 * OPENING_MAX_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(serve_daemon, hang, trio.Event()))
            while True:
                await trio.sleep(60)
                heard += systemd()
    assert len(heard) == OPENING_MAX_S / 20


async def test_a_daemon_that_asks_to_be_opened_anew_is_when_nothing_is_in_the_way(
    systemd: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemons.ops.lifecycle.AGAIN_S", 0.01)
    reasons = ["its disk is away", "its disk is away", "it is being checked", ""]
    again = StartAgain("its disk is away", lambda: reasons.pop(0))
    daemons = [_Fake(again), _Fake()]
    opened: list[_Fake] = []
    stop = trio.Event()

    @asynccontextmanager
    async def open_next() -> AsyncIterator[_Fake]:
        assert len(opened) == 0 or not reasons
        opened.append(daemons[len(opened)])
        yield opened[-1]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve_daemon, open_next, stop))
        with trio.fail_after(10):
            while len(opened) < 2:
                await trio.sleep(0.01)
        stop.set()
    told = [line for line in systemd() if not line.startswith("EXTEND")]
    assert told[:6] == [
        "READY=1",
        "STATUS=its disk is away",
        "WATCHDOG=1",
        "WATCHDOG=1",
        "STATUS=it is being checked",
        "WATCHDOG=1",
    ]


async def test_what_else_goes_wrong_is_raised_and_nothing_is_opened_anew() -> None:
    @asynccontextmanager
    async def open_once() -> AsyncIterator[_Fake]:
        yield _Fake(RefusedToStart("port 1 is taken"))

    with pytest.raises(ExceptionGroup) as caught:
        await serve_daemon(open_once, trio.Event())
    assert caught.group_contains(RefusedToStart)
