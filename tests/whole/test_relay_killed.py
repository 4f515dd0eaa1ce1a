"""kill -9 of the relay and of the backend while a car is driven: afterwards every tick that was captured is there, once."""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from daemons.backend import MIGRATIONS
from daemons.demo import prepare_pair
from daemons.ops.environment import Environment
from daemons.store import open_store
from daemons.telemetry.archive.disk import RealDisk
from daemons.telemetry.archive.files import open_file_log
from daemons.telemetry.entries import Entry, EntryKind, unpack_head
from daemons.telemetry.spool.frames import ENTRY, TICK, scan
from daemons.telemetry.spool.shelf import Shelf
from protocol.columns import decode
from protocol.streams import Entry as Sent

pytestmark = pytest.mark.process

SITE = "anna"
LONG_S = 90.0
DRIVEN = 80
"""Ticks between one blow and the next."""


class Simulator:
    """The stand-in, asked for its status."""

    def __init__(self, memory: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "chaos.doubles.iracing",
            "--memory",
            str(memory),
            "--race",
            "--cars",
            "5",
            "--stay",
        ]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._line()

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def ask(self, order: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self._line()

    def drive(self, ticks: int) -> int:
        """Wait until so many more are written; return the newest."""
        upto = int(self.ask("status")["tick"]) + ticks
        until(lambda: int(self.ask("status")["tick"]) >= upto)
        return int(self.ask("status")["tick"])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


@contextlib.contextmanager
def daemon(log: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    with open(log, "ab") as out:
        process = subprocess.Popen([sys.executable, "-m", "daemons.cli", *words], stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def heads(spool: Path) -> dict[bytes, list[int]]:
    """Return the kinds of the entries that are not rows, by recording; the last number is in front."""
    found = {}
    for file in spool.glob("*.head"):
        id_ = bytes.fromhex(file.stem)
        frames = list(scan(file.read_bytes(), ENTRY, id_))
        if frames:
            found[id_] = [frames[-1].head.number, *(frame.head.kind for frame in frames)]
    return found


def newest_in_tails(spool: Path) -> int:
    """Return the newest tick that a killed relay has left in its tail files."""
    return max(
        frame.head.number
        for file in spool.glob("*.tail*")
        for frame in scan(file.read_bytes(), TICK, bytes.fromhex(file.stem))
    )


def all_there(spool: Path) -> bool:
    """Have all recordings ended, and has the backend said that it has them?"""
    known = heads(spool)
    acks = {file.stem: int(file.read_text() or 0) for file in spool.glob("*.ack")}
    return bool(known) and all(
        kinds[-1] == EntryKind.END and acks.get(id_.hex(), 0) == kinds[0] + 1 for id_, kinds in known.items()
    )


def ticks_of(entries: Sequence[Entry] | Sequence[Sent]) -> list[int]:
    layout = unpack_head(entries[0].data, SITE).layout
    return [
        int(tick)
        for entry in entries
        if entry.kind == EntryKind.ROWS
        for tick in decode(layout, entry.data, rows_max=4096, bytes_max=10**8).ticks
    ]


def ticks_captured(spool: Path) -> dict[bytes, list[int]]:
    """Return the ticks of each recording as the driver's disk has them."""
    disk, found = RealDisk(spool), {}
    for id_ in heads(spool):
        shelf = Shelf(disk, id_)
        shelf.load(disk.sizes())
        found[id_] = ticks_of(shelf.read(0, 10**9))
    return found


async def ticks_kept(folder: Path) -> dict[bytes, list[int]]:
    """Return the ticks of each recording as the backend's disk has them."""
    found = {}
    async with open_store(folder / "backend.db", migrations=MIGRATIONS) as store:
        log = await open_file_log(store, RealDisk(folder / "recordings"))
        try:
            for recording in await log.recordings(SITE):
                entries = await log.read(recording.id, 0, recording.next_number, bytes_max=10**9)
                found[recording.id] = ticks_of(entries)
                assert not await log.missing(recording.id)
        finally:
            log.close()
    return found


async def test_every_tick_is_at_the_backend_once_after_both_were_killed(tmp_path: Path) -> None:
    prepare_pair(tmp_path / "backend", tmp_path / "relay", SITE, Environment())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]  # of both lives of the backend
    spool, memory = tmp_path / "relay" / "spool", _memory(tmp_path)
    relay_words = (
        "relay", "--site", SITE, "--backend-url", f"ws://127.0.0.1:{port}", "--state-dir", str(tmp_path / "relay"),
        "--listen", "localhost:0", "--memory", str(memory),
    )  # fmt: skip
    backend_words = ("backend", "--state-dir", str(tmp_path / "backend"), "--listen", f"127.0.0.1:{port}")
    simulator = Simulator(memory)
    try:
        with contextlib.ExitStack() as stack:
            backend = stack.enter_context(daemon(tmp_path / "log", *backend_words))
            relay = stack.enter_context(daemon(tmp_path / "log", *relay_words))
            until(lambda: any(spool.glob("*.rows")))
            killed_at = simulator.drive(DRIVEN)
            relay.kill()
            relay.wait()
            in_tails = newest_in_tails(spool)
            stack.enter_context(daemon(tmp_path / "log", *relay_words))
            until(lambda: len(heads(spool)) == 2)
            simulator.drive(DRIVEN)
            backend.kill()
            backend.wait()
            simulator.drive(DRIVEN)
            stack.enter_context(daemon(tmp_path / "log", *backend_words))
            simulator.drive(DRIVEN)
            simulator.ask("exit")
            last = int(simulator.ask("status")["tick"])
            until(lambda: all_there(spool))
        kept, captured = await ticks_kept(tmp_path / "backend"), ticks_captured(spool)
        assert kept == captured
        first, second = sorted(kept.values())
        assert first == sorted(set(first))
        assert second == sorted(set(second))
        # What the capture of a machine with other work has missed is missed; what the kernel had of it is there.
        assert first[-1] >= in_tails >= killed_at - 60
        assert last - 60 < second[-1] <= last
    finally:
        simulator.process.kill()
        simulator.process.communicate()
        memory.unlink(missing_ok=True)


def _memory(folder: Path) -> Path:
    """Return where the simulator's memory is: in memory, where that is possible."""
    shared = Path("/dev/shm")
    where = shared if shared.is_dir() else folder
    with tempfile.NamedTemporaryFile(dir=where, prefix="pitlink-test-", delete=False) as file:
        return Path(file.name)
