"""Signals, deadlines and exit codes, in processes of their own; systemd's notifications on a real socket."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from daemons.ops.lifecycle import notify

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
