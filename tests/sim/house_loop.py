"""The same house under the daemon's own loop and store, on a virtual clock: killed at any await, power cut in a commit.

The loop reads sensors, decides, drives off, commits, drives on; here its hardware is the simulated house and its disk is
slow now and then. A kill leaves the relays as they are until something else has them off. A power cut takes with it
whatever was not committed at that moment.
"""

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import trio
import trio.testing
from attrs import define, evolve, field

from chaos.simnet.seeding import seeded_process
from daemons.heating.boilerloop import ControlLoop
from daemons.heating.clock import HouseClock
from daemons.heating.control import Control
from daemons.heating.history import tables
from daemons.heating.primary import tables as primary_tables
from daemons.heating.primary.kept import write_settings
from daemons.heating.primary.primary import CHANNEL, Primary
from daemons.heating.state import Decision, Inputs
from daemons.link import schema
from daemons.link.durable import DurableChannels, OutChannel
from daemons.link.outbox import Keep
from daemons.ops.environment import Environment
from daemons.pair import executor
from daemons.store import Store, open_store
from protocol.heating import (
    EventKind,
    HeatAction,
    HeatMode,
    HeatOverride,
    HeatResume,
    HeatSwitch,
    HeatUnlock,
    HeatUsePreset,
)
from protocol.reliable import Bounds, Full
from tests.sim.house_step import BrokenRule, Step
from tests.sim.house_storm import Down
from tests.sim.house_world import HouseRun, HouseWorld, inputs_of

__all__ = ["run_in_loop"]

MIGRATIONS = (*schema.MIGRATIONS, *executor.MIGRATIONS, *tables.MIGRATIONS, *primary_tables.MIGRATIONS)
SLOW_COMMITS = 0.3
"""Of those that wait for the writer, an eighth of all: so many take virtual time; some of them longer than the loop waits."""
KILLED_IN_COMMIT = 0.01
LATE_S = 2.5
"""On waits for the disk, two seconds at most, off does not: so much may be missing of a time on."""


@define(eq=False)
class _Hardware:
    """The port of the loop onto the house. Whatever is asked, first the time goes by that has gone by."""

    world: HouseWorld
    relays: dict[str, bool] = field(factory=dict)
    is_dead: bool = False
    """The process was killed: what it still says does not reach the pins."""
    said: Mapping[str, float | str] = field(factory=dict)
    contacts: Mapping[str, bool] = field(factory=dict)
    driven: list[tuple[float, str, bool]] = field(factory=list)
    """What the relays did, by seconds of the run."""
    pulses: int = 0
    on_change: Callable[[], None] = lambda: None

    def pass_(self) -> None:
        """Let the house live until now."""
        world = self.world
        now = trio.current_time()
        if now > world.at:
            world.befall(now)
            world.house.advance(now - world.at, self.relays)
            world.at = now

    def inputs(self) -> Inputs:
        self.pass_()
        house = self.world.house
        self.said, self.contacts = house.readings(), house.contacts()
        now = self.world.pi.instant(self.world.at)
        return inputs_of(now.mono, self.said, self.contacts, self.world.kept)

    def drive(self, outputs: Mapping[str, bool]) -> None:
        if self.is_dead:
            return
        self.pass_()
        for relay, is_on in outputs.items():
            if self.relays.get(relay, False) is not is_on:
                self.driven.append((self.world.at, relay, is_on))
            self.relays[relay] = is_on

    def all_off(self) -> None:
        self.drive(dict.fromkeys(self.relays, False))

    def pulse(self) -> None:
        self.pulses += 1

    def warnings(self) -> Mapping[str, str]:
        return {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await trio.sleep_forever()


@define(eq=False)
class _Lives:
    """All lives of the program on one file."""

    world: HouseWorld
    file: Path
    hardware: _Hardware = field(init=False)
    rng: random.Random = field(init=False)
    acknowledged: list[tuple[float, str, str]] = field(factory=list)
    """Events that the loop knew to be on its disk: when, of what, which."""
    rounds: int = 0
    _scope: trio.CancelScope | None = None
    _pulled: dict[str, bytes] | None = None
    _is_first: bool = True
    _is_to_unlock: bool = False

    def __attrs_post_init__(self) -> None:
        self.hardware = _Hardware(self.world)
        self.rng = random.Random(f"{self.world.seed}/loop/{self.world.name}")

    async def run(self) -> None:
        """Live until the world's days are over."""
        world = self.world
        downs = list(world.befalls.downs) if world.befalls is not None else []
        for down in [*downs, None]:
            until = world.days * 86_400 if down is None else down.at + self.rng.uniform(0, world.control_s)
            if trio.current_time() < until:
                await self._live(until, down)
            if down is not None:
                await self._be_down(down)

    async def _live(self, until: float, down: Down | None) -> None:
        """Run the program until then, or until it is killed in a commit; then at once again."""
        while trio.current_time() < until:
            self._is_first, self.hardware.is_dead = True, False
            with trio.CancelScope() as self._scope:
                async with (
                    open_store(
                        self.file, migrations=MIGRATIONS, inline=True, commit_s=self._commit_s
                    ) as store,
                    trio.open_nursery() as nursery,
                ):
                    nursery.start_soon(self._end_at, until, down)
                    await self._control(store)
            if trio.current_time() < until:
                self.world.happened["killed in a commit"] += 1
                await self._let_go(2.0)
        if down is not None and down.how == "power":
            self._pull()

    async def _end_at(self, until: float, down: Down | None) -> None:
        """End the program then: in order, or so that nothing of it reaches a pin any more."""
        await trio.sleep_until(until)
        self.hardware.is_dead = down is not None and down.how != "stop"
        assert self._scope is not None
        self._scope.cancel()

    async def _control(self, store: Store) -> None:
        world = self.world
        environment = Environment(
            lambda: world.pi.instant(trio.current_time()).utc, self.rng.randbytes, self.rng.random,
            lambda: f"boot{world.pi.boot}".encode(),
        )  # fmt: skip
        clock = HouseClock(
            environment,
            was_set=lambda: world.pi.instant(trio.current_time()).is_sure,
            mono=lambda: world.pi.instant(trio.current_time()).mono,
        )
        bounds = Bounds(full=Full.DROP_OLDEST)
        durable = DurableChannels(
            store, "hub", out=[OutChannel(CHANNEL, Keep(), bounds), OutChannel(executor.RESULTS)], inbound={},
            new_epoch=environment.new_epoch, utc_now=environment.utc_now,
        )  # fmt: skip
        primary = Primary(store, durable, world.plant, "home", clock, environment.utc_now, bounds=bounds)
        await durable.open()
        await primary.open()
        if not primary.settings.version:
            await store.transact(lambda conn: write_settings(conn, world.settings, clock.instant().utc))
            await primary.open()
        world.settings = primary.settings
        loop = ControlLoop(
            self.hardware, primary, Control(world.plant, primary.memory), clock, world.control_s,
            vital=frozenset({"burner", "pump"}),
        )  # fmt: skip
        primary.on_settings.append(loop.poke)
        loop.on_round.append(lambda decision: self._judge(primary, decision))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(primary.run)
                nursery.start_soon(self._people, store, primary)
                await loop.run()
        finally:
            assert self._scope is not None
            self._snapshot()

    def _snapshot(self) -> None:
        """Keep the file as it is at the moment at which everything ended, for a power cut: what a commit under way would
        still write is not in it."""
        self._pulled = {
            end: path.read_bytes()
            for end in ("", "-wal")
            if (path := self.file.with_name(self.file.name + end)).exists()
        }

    def _pull(self) -> None:
        """The power is gone: the file is as it was then."""
        assert self._pulled is not None
        for end in ("", "-wal", "-shm"):
            path = self.file.with_name(self.file.name + end)
            path.unlink(missing_ok=True)
            if end in self._pulled:
                path.write_bytes(self._pulled[end])

    async def _be_down(self, down: Down) -> None:
        world = self.world
        world.happened[f"down {down.how}"] += 1
        if down.how in ("kill", "hang"):
            # Dead, and the relays as they were: until the watchdog, and what has them off when a unit ends.
            await self._let_go(self.rng.uniform(8, 15) if down.how == "hang" else 2.0)
        until = max(down.until, trio.current_time() + 1)
        self._dark(until)
        await trio.sleep_until(until)
        self.hardware.pass_()
        if down.how == "power":
            world.house.cut_power()
            world.pi.power(evolve(down, until=until))
            world.kept.clear()

    async def _let_go(self, after_s: float) -> None:
        await trio.sleep(after_s)
        self._dark(trio.current_time())

    def _dark(self, until: float) -> None:
        self.hardware.is_dead = False
        self.hardware.all_off()
        self.world.oracle.dark(self.world.at, until)

    def _commit_s(self) -> float:
        """Draw how long a commit takes; or the process is killed in it."""
        if self.rng.random() >= SLOW_COMMITS:
            return 0.0
        if self.rng.random() < KILLED_IN_COMMIT and self._scope is not None:
            self.hardware.is_dead = True
            self._scope.cancel()
        return self.rng.choice((0.005, 0.05, 0.4, 3.0, 12.0))

    def _judge(self, primary: Primary, decision: Decision) -> None:
        """Each round that was completed is judged: the relays follow it now."""
        world, hardware = self.world, self.hardware
        hardware.pass_()
        self.rounds += 1
        if primary.fault is None and not primary.backlog:
            self.acknowledged += [(event.at, event.source, event.kind) for event in decision.events]
        wrong = {
            id_ for id_, is_on in decision.outputs.items() if hardware.relays.get(id_, False) is not is_on
        }
        world.settings = primary.settings
        step = Step(
            world.at, world.pi.instant(world.at), world.plant, world.house, hardware.said, hardware.contacts,
            primary.settings, decision, self._is_first,
        )  # fmt: skip
        if wrong:
            raise BrokenRule(f"relays that do not follow: {sorted(wrong)}")
        self._is_first = False
        world.oracle.step(step)
        self._is_to_unlock = world.look_after(decision) or self._is_to_unlock

    async def _people(self, store: Store, primary: Primary) -> None:
        """People and their commands, as the hub's or the page's would come: an action in a transaction."""
        world = self.world
        while True:
            await trio.sleep(min(1800.0, self.rng.expovariate(1 / (10 * 3600))))
            if self._is_to_unlock:
                self._is_to_unlock = False
                await self._command(store, primary, HeatUnlock("boiler"))
            is_sure = world.pi.instant(trio.current_time()).is_sure
            if world.is_nobody_there:
                if primary.settings.is_on:
                    await self._command(store, primary, HeatSwitch(False))
            elif is_sure and self.rng.random() < 0.06:
                await self._command(store, primary, self._action(primary))

    def _action(self, primary: Primary) -> HeatAction:
        rng, utc = self.rng, primary.clock.instant().utc
        zone = rng.choice(self.world.plant.zones[:-1]).id
        match rng.randrange(9):
            case 0 | 1:
                return HeatOverride(
                    zone, "until", rng.choice((18.0, 21.0)), None, utc + rng.uniform(1, 7) * 3600
                )
            case 2:
                return HeatOverride(zone, "boundary", rng.choice((18.0, 21.0)))
            case 3:
                return HeatResume(zone)
            case 4:
                return HeatMode(zone, "auto")
            case 5:
                return HeatMode(zone, "manual", rng.choice((17.0, 20.5)))
            case 6:
                return HeatUsePreset("away", utc + rng.uniform(4, 20) * 3600)
            case 7:
                return HeatUsePreset("")
            case _:
                return HeatSwitch(not primary.settings.is_on)

    async def _command(self, store: Store, primary: Primary, action: HeatAction) -> None:
        world = self.world
        now, against = primary.clock.instant(), primary.settings.version
        try:
            await store.transact(
                lambda conn: primary.change_in(conn, action, by="somebody", against=against, now=now)
            )
        except ValueError:
            world.happened["refused"] += 1
        else:
            world.happened["people"] += 1


def _read_events(file: Path) -> list[tuple[float, str, str]]:
    with closing(sqlite3.connect(file)) as conn:
        rows = conn.execute("SELECT at, source, kind FROM heat_event ORDER BY id").fetchall()
    return [(at, source, kind) for at, source, kind in rows]


def _check_kept(lives: _Lives) -> None:
    """What is in the file at the end: all that was acknowledged, and of each source ON and OFF in turns."""
    events = _read_events(lives.file)
    if lost := Counter(lives.acknowledged) - Counter(events):
        raise BrokenRule(f"events that were acknowledged are not in the file: {list(lost)[:3]}")
    last: dict[str, str] = {}
    for at, source, kind in events:
        if kind not in (EventKind.ON, EventKind.OFF):
            continue
        if last.get(source, EventKind.OFF) == kind:
            raise BrokenRule(f"the file has {kind} of {source} twice in turn, at {at:.0f}")
        last[source] = kind


def run_in_loop(world: HouseWorld, folder: Path) -> HouseRun:
    """Live all of a world under the daemon's loop, on a file in `folder`. Raises AssertionError for every broken rule."""
    world.oracle.watches_events = (
        False  # the file is looked at instead: decisions that were never driven are in it
    )
    world.oracle.limits.late_s = LATE_S
    lives = _Lives(world, folder / "boiler.db")
    with seeded_process(world.seed):
        trio.run(lives.run, clock=trio.testing.MockClock(autojump_threshold=0))
    _check_kept(lives)
    world.happened["rounds"] += lives.rounds
    return world.figures(lives.rounds)
