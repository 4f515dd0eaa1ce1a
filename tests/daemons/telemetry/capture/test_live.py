"""A simulator that comes, drives, changes cars, stands still and goes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from attrs import define, field

from chaos.doubles.iracing.memory import SimMemory
from chaos.doubles.iracing.shim import SimStatus, live_path
from daemons.telemetry.capture import live
from daemons.telemetry.capture.live import LiveSource
from daemons.telemetry.capture.opening import Opened
from daemons.telemetry.capture.pace import EventPace
from tests.daemons.telemetry.capture.sim import INFO, LAYOUT, Told, layout, row, started


@define(eq=False)
class Driven:
    """The source, whose looks the test allows one by one, on a clock that the test moves."""

    path: Path
    told: Told = field(factory=Told)
    now_us: int = 1_000_000
    source: LiveSource = field(init=False)
    _looks: "trio.MemorySendChannel[None]" = field(init=False)
    _allowed: "trio.MemoryReceiveChannel[None]" = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._looks, self._allowed = trio.open_memory_channel[None](0)
        self.source = LiveSource(
            "anna", self.path, retry_s=0.01, clock_us=lambda: self.now_us, utc_us=lambda: 7,
            pace=lambda opened: self,
        )  # fmt: skip

    async def wait(self, new: int) -> None:
        await self._allowed.receive()

    async def look(self, after_us: int = 16_667) -> None:
        """Let it look once more, and wait until it has looked."""
        self.now_us += after_us
        with trio.fail_after(20):
            await self._looks.send(None)
            await self.looked()

    async def looked(self) -> None:
        """Wait until it waits for the next look."""
        with trio.fail_after(20):
            while not self._allowed.statistics().tasks_waiting_receive:
                await trio.sleep(0.001)

    async def says(self, words: str) -> None:
        """Wait until its state has those words."""
        with trio.fail_after(20):
            while words not in self.source.statistics().state:
                await trio.sleep(0.001)


@asynccontextmanager
async def driven(path: Path) -> AsyncIterator[Driven]:
    made = Driven(path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.source.run, made.told)
        yield made
        nursery.cancel_scope.cancel()


async def drive(made: Driven, sim: SimMemory, *ticks: int, of: object = LAYOUT) -> None:
    for tick in ticks:
        sim.publish(row(tick, of=of))  # type: ignore[arg-type]
        await made.look()


async def test_the_simulator_comes_drives_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    async with driven(path) as made:
        await made.says("not there yet")
        with started(path) as sim:
            await made.looked()
            sim.publish(row(1))
            sim.set_info(INFO + b"more")
            await made.look()
            await drive(made, sim, 2, 3)
            assert made.told.ticks == [[1, 2, 3]]
            assert made.told.at_us == [1_016_667, 1_033_334, 1_050_001]
            assert made.told.recordings[0].info == INFO + b"more"
            assert made.source.statistics().state == f"capturing {len(LAYOUT.variables)} channels"
            sim.set_info(INFO + b"again")
            await drive(made, sim, 4)
            assert made.told.infos == [INFO + b"again"]
            sim.exit()  # pyirsdk's is_connected goes on saying yes
            await made._looks.send(None)
            await made.says("it does not run")
            assert made.told.ends == ["the simulator ended"]
            sim.start(INFO)
            await made.looked()
            await drive(made, sim, 1, 2)
            assert made.told.ticks == [[1, 2, 3, 4], [1, 2]]
    assert made.told.ends == ["the simulator ended", "the relay stopped"]
    assert len({recording.id for recording in made.told.recordings}) == 2
    figures = made.source.statistics()
    assert (figures.ticks, figures.recordings, figures.missed, figures.state) == (6, 2, 0, "stopped")


async def test_another_car_is_another_recording(tmp_path: Path) -> None:
    with started(tmp_path / "memory") as sim:
        async with driven(sim.path) as made:
            await made.looked()
            await drive(made, sim, 1, 2)
            other = layout("Throttle")  # as many variables, as long a row
            sim.change(other, INFO)
            sim.publish(row(3, of=other))
            await made._looks.send(None)
            await made.looked()
            await drive(made, sim, 4, 5, of=other)
    assert made.told.ticks == [[1, 2], [4, 5]]
    assert [recording.layout for recording in made.told.recordings] == [LAYOUT, other]
    assert made.source.statistics().reopened == 1


async def test_missed_ticks_are_counted_over_all_memories(tmp_path: Path) -> None:
    with started(tmp_path / "memory") as sim:
        async with driven(sim.path) as made:
            await made.looked()
            await drive(made, sim, 1)
            for tick in range(2, 10):
                sim.publish(row(tick))
            await made.look()
            sim.exit()
            await made._looks.send(None)
            await made.says("it does not run")
            figures = made.source.statistics()
    assert made.told.ticks == [[1, 8, 9]]
    assert (figures.ticks, figures.missed, figures.skipped) == (3, 6, 0)


async def test_a_memory_that_stands_still_is_opened_anew_and_its_recording_kept_for_a_while(
    tmp_path: Path,
) -> None:
    with started(tmp_path / "memory") as sim:
        async with driven(sim.path) as made:
            await made.looked()
            await drive(made, sim, 1, 2)
            await made.look(int(live.QUIET_S * 1e6) + 1)
            assert made.told.ends == []
            await drive(made, sim, 3)
            assert made.told.ticks == [[1, 2, 3]]
            for _ in range(20):
                await made.look(int(live.QUIET_S * 1e6) + 1)
            [words] = made.told.ends
            assert "stood still" in words
            await drive(made, sim, 4)
            assert made.told.ticks == [[1, 2, 3], [4]]
    assert made.source.statistics().reopened == 21


async def test_a_memory_that_is_not_there_for_a_moment_ends_nothing(tmp_path: Path) -> None:
    """So it is on Windows when the simulator loads for some seconds: pyirsdk waits 32 ms for its event and says no."""
    path = tmp_path / "memory"
    with started(path) as sim:
        async with driven(path) as made:
            await made.looked()
            await drive(made, sim, 1)
            path.rename(tmp_path / "away")
            made.now_us += int(live.QUIET_S * 1e6) + 1
            await made._looks.send(None)
            await made.says("not there yet")
            assert made.told.ends == []
            (tmp_path / "away").rename(path)
            await made.looked()
            await drive(made, sim, 2)
            path.unlink()  # and now for good
            made.now_us += int(live.QUIET_S * 1e6) + 1
            await made._looks.send(None)
            await made.says("not there yet")
            made.now_us += int(live.GONE_S * 1e6)
            with trio.fail_after(20):
                while not made.told.ends:
                    await trio.sleep(0.001)
    assert made.told.ticks == [[1, 2]]
    assert "not there yet" in made.told.ends[0]


async def test_at_the_pace_of_its_own_every_tick_is_captured(tmp_path: Path) -> None:
    told = Told()
    with started(tmp_path / "memory") as sim:
        source = LiveSource("anna", sim.path)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(source.run, told)
            await publish_until(sim, lambda: len(told.rows) >= 30)
            nursery.cancel_scope.cancel()
    figures = source.statistics()
    assert figures.ticks == len(told.rows) >= 30
    assert figures.torn == 0


async def publish_until(sim: SimMemory, done: Callable[[], bool]) -> None:
    tick = 0
    with trio.fail_after(30):
        while not done():
            tick += 1
            sim.publish(row(tick))
            await trio.sleep(1 / 60)


async def test_on_windows_the_event_is_awaited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the live path: pyirsdk's, with its stand-ins, and of Trio's one call that is there on Windows only a stand-in
    that asks the same kernel32 in a thread, as Trio's does."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    told, handles = Told(), list[int]()
    with (
        started(tmp_path / "memory") as sim,
        SimStatus() as status,
        live_path(sim.path, status.url) as kernel,
    ):

        def pace(opened: Opened) -> EventPace:
            handle = opened.event
            assert handle is not None

            async def wait_for_single_object() -> None:
                handles.append(handle)
                await trio.to_thread.run_sync(kernel.WaitForSingleObject, handle, 50, abandon_on_cancel=True)

            return EventPace(wait_for_single_object, 1 / 60)

        source = LiveSource("anna", pace=pace)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(source.run, told)
            await publish_until(sim, lambda: len(told.rows) >= 20)
            sim.exit()
            status.running = False
            with trio.fail_after(20):
                while not told.ends:
                    await trio.sleep(0.005)
            nursery.cancel_scope.cancel()
    assert told.ends == ["the simulator ended"]
    assert told.recordings[0].source == "the simulator"
    assert len(handles) >= 10
    assert len(set(handles)) == 1
    assert source.statistics().torn == 0
