"""Pits and cloud over a link that was recorded: outages as they were, and nothing else that goes wrong.

The day of `world_whole`, whose daemons live all through it. The path lets through what the recordings say, each
direction its own, once from beginning to end. A command goes out every few seconds. Measured: from the end of each
outage until the cloud shows what the field knows; and what commands took. The oracle judges as after a storm.
"""

import os
import tempfile
from functools import partial
from pathlib import Path

import apsw
import trio
from attrs import define, field

from chaos.doubles.fpvtrackside import RaceDay
from chaos.recording import Recording
from chaos.simnet import World
from daemons.pair.executor import RESULTS
from daemons.race.board import Board
from protocol.frames import Message
from protocol.messages import Result, ResultStatus, Resume, decode_body
from tests.sim.figures import Figures
from tests.sim.world_whole import CONVERGED_S, ORIGIN_PORT, SITE, Day

__all__ = ["Measured", "Outage", "outages_of", "run_recorded"]

LATENCY_S = 0.05
QUEUE_BYTES = 256 * 1024
"""What a modem keeps, as in the profile lte-driving."""
COMMAND_EVERY_S = 2.0
FRESH_S = 2.0
LOOK_S = 0.02
GIVE_UP_S = 60.0
SETTLED_S = 60.0
GAP_S = 5.0
"""Between races: nearly always one is flown, and there is something to miss."""
CLOCKS_S = 0.1
"""The hub knows the site's clock by pings."""

Outage = tuple[float, float]


@define
class Measured:
    """Seconds. `fresh_s`: from each outage's end; `missed`: outages in which the field's board changed, so that there was
    something to catch up with. `commands`: (issued, took), `hit` those that an outage struck."""

    outages: list[Outage] = field(factory=list)
    fresh_s: list[float] = field(factory=list)
    missed: int = 0
    commands: list[tuple[float, float]] = field(factory=list)
    hit: int = 0
    connections: int = 0
    figures: Figures = field(factory=lambda: Figures("recorded", None))

    def note_command(self, issued_at: float, done_at: float) -> None:
        """Take a command that went out and was answered at these seconds of the run."""
        if any(since < done_at and until > issued_at for since, until in self.outages):
            self.hit += 1
        else:
            self.commands.append((issued_at, done_at - issued_at))

    def took_s(self, share: float) -> float:
        """Return what `share` (0…1) of the commands took at most."""
        ordered = sorted(took for _, took in self.commands)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def outages_of(recordings: list[Recording], from_s: float, length_s: float) -> list[Outage]:
    """Return when any direction stood still in this part, in order and counted from its beginning. One that follows
    within FRESH_S is the same outage."""
    rounds = (
        (since + number * recording.length_s - from_s, until + number * recording.length_s - from_s)
        for recording in recordings
        for number in range(int((from_s + length_s) // recording.length_s) + 1)
        for since, until in recording.outages()
    )
    found: list[Outage] = []
    for since, until in sorted(rounds):
        if until <= 0 or since > length_s:
            continue
        if found and since < found[-1][1] + FRESH_S:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return [(since, until) for since, until in found if until <= length_s - FRESH_S]


@define(eq=False)
class _Watch:
    """Looks at a day from outside, and gives commands at the cloud. Runs as on the cloud's host: its clock is right."""

    day: Day
    world: World
    measured: Measured
    began: float
    _boards: list[Board] = field(factory=list)  # of the field, one after the other
    _issued: dict[str, float] = field(factory=dict)

    async def note_boards(self) -> None:
        """Keep what the field's board was."""
        assert self.day.pits is not None
        keeper = self.day.pits.keeper
        while True:
            self._boards.append(keeper.board)
            await keeper.wait_change(keeper.serial)

    async def time_freshness(self) -> None:
        """Take the time from the end of each outage until the cloud shows what the field knew by then."""
        for since, until in self.measured.outages:
            await trio.sleep_until(self.began + since)
            before = len(self._boards)
            await trio.sleep_until(self.began + until)
            self.measured.missed += len(self._boards) > before
            assert self.day.pits is not None
            read_at = (self.day.pits.keeper.as_of or 0.0) - self.world.skew_s["pits"]
            number = len(self._boards) - 1
            with trio.move_on_after(GIVE_UP_S):
                while not self._is_fresh(read_at, number):
                    await trio.sleep(LOOK_S)
            self.measured.fresh_s.append(trio.current_time() - self.began - until)

    def _is_fresh(self, read_at: float, number: int) -> bool:
        assert self.day.cloud is not None
        site = self.day.cloud.members[SITE].site
        shown = site.keeper.freshness(self.world.utc_now())
        if site.peer.connection is None or shown.is_stale or shown.why:
            return False
        as_of = (site.keeper.as_of or 0.0) - self.world.skew_s["cloud"]
        return as_of >= read_at - CLOCKS_S or site.keeper.board in self._boards[number:]

    async def command(self) -> None:
        """Give a command every few seconds. It changes nothing: nobody had paused."""
        assert self.day.cloud is not None
        desk = self.day.cloud.members[SITE].desk
        effects = self.day.cloud.members[SITE].site.peer.durable._in.effects
        decide = effects[RESULTS]

        def decided(conn: apsw.Connection, message: Message) -> None:
            decide(conn, message)
            desk.store.after_commit(partial(self._decided, message))

        effects[RESULTS] = decided
        while True:
            await trio.sleep(COMMAND_EVERY_S)
            issued_at = trio.current_time() - self.began
            self._issued[await desk.issue(Resume(), "simulation")] = issued_at

    def _decided(self, message: Message) -> None:
        result = decode_body(message.type, message.version, message.body)
        assert isinstance(result, Result) and result.status is ResultStatus.DONE, result
        self.measured.note_command(self._issued.pop(result.id), trio.current_time() - self.began)


async def run_recorded(
    world: World, up: Recording, down: Recording, from_s: float = 0.0, length_s: float | None = None
) -> Measured:
    """Run a day over a link for `length_s` (once through `up`) from `from_s` on, and judge.

    Raises AssertionError for what is lost, doubled, out of order, or not the same at both ends in the end.
    """
    scratch = "/dev/shm" if os.path.isdir("/dev/shm") else None
    length_s = up.length_s if length_s is None else length_s
    figures = Figures("recorded", world.seed)
    measured = Measured(outages_of([up, down], from_s, length_s), figures=figures)
    net = world.net
    with tempfile.TemporaryDirectory(prefix="pitlink-sim-", dir=scratch) as folder:
        day = Day(world, Path(folder), figures)
        net.add_host("timing")
        net.link("timing", "pits").set(latency_s=0.0005)
        path = net.link("pits", "cloud")
        async with trio.open_nursery() as nursery:
            race_day = RaceDay(day.double, world.seed, rounds=None, gap_s=GAP_S)
            with net.host("timing"):
                await nursery.start(partial(day.double.serve, ORIGIN_PORT, "0.0.0.0"))
                nursery.start_soon(race_day.run)
            for daemon in (day.pits_daemon, day.cloud_daemon):
                daemon.calm = True
                nursery.start_soon(daemon.program.run)
            with trio.fail_after(SETTLED_S):
                while day.pits is None or day.cloud is None or await day.differences():
                    await trio.sleep(1)
            nursery.start_soon(day.watch)
            for toward, recording in (("cloud", up), ("pits", down)):
                path.set(
                    toward=toward,
                    latency_s=LATENCY_S,
                    queue_bytes=QUEUE_BYTES,
                    recording=recording,
                    recording_from_s=from_s,
                )
            watch = _Watch(day, world, measured, trio.current_time())
            opened = day.pits.peer.figures.opened
            with trio.move_on_after(length_s):
                async with trio.open_nursery() as looking:
                    with net.host("cloud"):
                        looking.start_soon(watch.note_boards)
                        looking.start_soon(watch.time_freshness)
                        looking.start_soon(watch.command)
            measured.connections = day.pits.peer.figures.opened - opened
            path.set(recording=None)
            differences = ["nothing was compared"]
            converged_at = trio.current_time() + CONVERGED_S
            while differences and trio.current_time() < converged_at:
                await trio.sleep(1)
                differences = await day.differences()
            assert not differences, f"{CONVERGED_S:.0f} s after the last outage: {differences}"
            nursery.cancel_scope.cancel()
        day.judge()
        figures.hours = trio.current_time() / 3600
        return measured
