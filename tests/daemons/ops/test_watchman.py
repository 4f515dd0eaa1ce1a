"""The watchman: what makes a daemon not ready, a clock that steps, a watchdog that is fed by work alone."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from daemons.ops.health import Health, Severity
from daemons.ops.watchman import LOOK_S, STEP_SHOWN_S, Watchman
from daemons.store import Store, open_store
from tests.conftest import ErrorLogs

UTC = 1_795_000_000.0


@define(eq=False)
class Clock:
    """UTC that goes with Trio's clock, and can be set."""

    set_by_s: float = 0.0
    born_at: float = field(factory=trio.current_time)

    def utc(self) -> float:
        return UTC + self.set_by_s + trio.current_time() - self.born_at


@define(eq=False)
class Stage:
    watchman: Watchman
    health: Health
    clock: Clock
    store: Store
    crowded: list[str]
    nursery: trio.Nursery

    def words(self, name: str) -> str:
        return next((w.words for w in self.health.warnings if w.name == name), "")


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    clock = Clock()
    health = Health(clock.utc)
    crowded: list[str] = []
    async with (
        open_store(folder / "x.db", migrations=(), inline=True) as store,
        trio.open_nursery() as nursery,
    ):
        watchman = Watchman(
            store, health, clock.utc, lambda: "2 of 3 sites", lambda: crowded[0] if crowded else ""
        )
        yield Stage(watchman, health, clock, store, crowded, nursery)
        nursery.cancel_scope.cancel()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd hears."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def heard(listener: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(listener.recv(1000).decode())
        except BlockingIOError:
            return found


async def test_a_clock_that_is_set_is_told_for_a_while(tmp_path: Path, autojump_clock: MockClock) -> None:
    steps: list[float] = []
    async with stage(tmp_path) as it:
        it.nursery.start_soon(it.watchman.run)
        await trio.sleep(3 * LOOK_S + 1)
        assert it.health.warnings == []
        it.watchman.on_step = steps.append
        it.clock.set_by_s = -3600
        await trio.sleep(LOOK_S)
        assert "went -3600 s" in it.words("clock-step")
        assert it.watchman.steps == 1
        assert steps == [pytest.approx(-3600, abs=0.1)]
        await trio.sleep(STEP_SHOWN_S + 2 * LOOK_S)
        assert it.health.warnings == []


async def test_what_makes_it_not_ready(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with stage(tmp_path) as it:
        assert it.watchman.why_not_ready() == ""
        it.crowded.append("too many wait")
        assert it.watchman.why_not_ready() == "too many wait"
        it.nursery.start_soon(it.watchman.run)
        await trio.sleep(1)
        assert it.words("queues") == "too many wait"
        it.crowded.clear()
        await trio.sleep(LOOK_S)
        assert it.health.warnings == []
        it.clock.set_by_s = -UTC  # 1970
        assert "never set" in it.watchman.why_not_ready()
        await trio.sleep(LOOK_S)
        assert "never set" in it.words("clock")
        it.clock.set_by_s = 0

        def fill(conn: apsw.Connection) -> Any:
            raise apsw.FullError("disk is full")

        with pytest.raises(Exception, match="free some space"):
            await it.store.transact(fill)
        assert "free some space" in it.watchman.why_not_ready()
        await it.store.transact(lambda conn: None)


async def test_the_status_line_changes_when_something_changes(
    tmp_path: Path, autojump_clock: MockClock, systemd: socket.socket
) -> None:
    async with stage(tmp_path) as it:
        it.nursery.start_soon(it.watchman.run)
        await trio.sleep(5 * LOOK_S + 1)
        assert heard(systemd) == ["STATUS=2 of 3 sites"]
        it.health.set("disk", Severity.NOTICE, "12 MB\nare free")
        await trio.sleep(LOOK_S)
        assert heard(systemd) == ["STATUS=2 of 3 sites; notice: 12 MB are free"]


async def test_the_watchdog_is_fed_by_work(
    tmp_path: Path,
    autojump_clock: MockClock,
    systemd: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    error_logs: ErrorLogs,
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    async with stage(tmp_path) as it:
        await it.watchman.prove()  # returns: nobody asks for it
        monkeypatch.setenv("WATCHDOG_USEC", "20000000")
        it.nursery.start_soon(it.watchman.prove)
        await trio.sleep(19)
        assert heard(systemd) == ["WATCHDOG=1"] * 4
        it.watchman.is_working = lambda: False
        await trio.sleep(60)
        assert heard(systemd) == []
        error_logs.expect("watchdog.not_fed")
        it.watchman.is_working = lambda: True
        await trio.sleep(5)  # it looks at whole fives, we a second before
        assert heard(systemd) == ["WATCHDOG=1"]


async def test_a_writer_that_hangs_is_not_alive(
    tmp_path: Path,
    autojump_clock: MockClock,
    systemd: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    error_logs: ErrorLogs,
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    async with stage(tmp_path) as it:

        async def hang(work: object) -> None:
            await trio.sleep_forever()

        monkeypatch.setattr(Store, "transact", lambda self, work: hang(work))
        with trio.move_on_after(60):
            await it.watchman.prove()
        assert heard(systemd) == []
        error_logs.expect("watchdog.not_fed")
        monkeypatch.undo()
