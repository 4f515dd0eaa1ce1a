"""A nas and a house without a boiler: the link, the channels and the commands are the real ones, what heats is said by the test.

Both run in a simulated world (`run_farm`), under virtual time.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import apsw
import trio
from attrs import define, evolve, field

from chaos.simnet import World, run_world
from daemons.heating.config import BoilerConfig, NasConfig
from daemons.heating.history import tables, write
from daemons.heating.plant import Plant, ZonePlan
from daemons.heating.replica.checksite import CheckService
from daemons.heating.replica.publish import HousePublisher
from daemons.heating.settings import Settings
from daemons.heating.state import HouseState, ZoneState
from daemons.link import schema
from daemons.link.outbox import Keep, OutChannel
from daemons.nas import Nas, open_nas
from daemons.ops.authority import keys
from daemons.ops.authority.file import open_authority
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.environment import Environment
from daemons.ops.options import Address, Secret
from daemons.ops.tokens import TOKENS_FILE, TokenTable
from daemons.ops.tokens import Role as TokenRole
from daemons.pair import executor
from daemons.pair.executor import Work
from daemons.pair.site import SiteDaemon
from daemons.store import Migration, open_store
from daemons.web.front import serve_http
from daemons.web.guard import Rank
from protocol.frames import Limits
from protocol.heating import EventKind, HeatEvent
from protocol.heatsamples import HeatSamples, Sample, pack
from protocol.messages import Action, Command, encode_body

T = TypeVar("T")

SITE = "cabin"
PORT = 8444
ANN = Identity("user", "ann", Role.OPERATOR, (SITE,), "")

ROOMS = (
    "living", "kitchen", "study", "bath", "hall", "master", "guests", "east", "south", "mud", "dining", "family", "attic",
)  # fmt: skip
PLANT = Plant(
    house="Cabin",
    time_zone="America/Denver",
    zones=tuple(ZonePlan(id=room, title=room.capitalize(), output=f"v-{room}") for room in (*ROOMS, "dhw")),
)

DONE = Migration(
    "done", 1, "CREATE TABLE done (n INTEGER PRIMARY KEY, action TEXT, by TEXT, against INTEGER) STRICT"
)


@define(eq=False)
class Deeds:
    """Does nothing but to remember, in the transaction of the result."""

    async def act(self, action: Action, by: str, against: int) -> str | Work:
        return self.work(action, by, against)

    def at_once(self, command: Command) -> Work:
        return self.work(command.action, command.issuer, command.against)

    def work(self, action: Action, by: str, against: int) -> Work:
        def work(conn: apsw.Connection) -> str:
            if against > 5:
                raise ValueError(f"the settings are of version 5, yours of {against}")
            conn.execute(
                "INSERT INTO done (action, by, against) VALUES (?, ?, ?)", (repr(action), by, against)
            )
            return "so be it"

        return work


@define(eq=False, kw_only=True)
class House(SiteDaemon):
    """A site that heats nothing. `tell` says how it stands, `happen` and `sample` what happens there."""

    kind: ClassVar[str] = "boiler"
    hub_kind: ClassVar[str] = "nas"
    config: BoilerConfig
    publisher: HousePublisher = field(init=False)
    settings: Settings = field(factory=lambda: Settings(version=5))
    state: HouseState = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.publisher = HousePublisher(PLANT, self.environment, batch_s=self.config.batch_s)
        self.state = HouseState(
            house="Cabin", at=self.environment.utc_now(), settings_version=5, boot="b",
            zones=tuple(ZoneState(id=zone.id, celsius=20.0, supply=30.0) for zone in PLANT.zones),
        )  # fmt: skip
        self._make_authority(lambda head: Rank.LIVE)
        service = CheckService(self.store, lambda: 1)
        self._make_link(
            [OutChannel("event", Keep())],
            Limits(),
            publishers=self.publisher.publishers,
            handlers=service.handlers,
        )
        deeds = Deeds()
        self._make_commands(deeds, deeds.at_once)
        self._make_office(
            summary=lambda: "", crowded=lambda: "", is_working=lambda: True, on_step=lambda by_s: None
        )
        self._make_admin(dict, lambda: iter(()), [])
        if self.config.reach_secret:
            self._make_reach(self.config.reach_secret.text)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await self.durable.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.commands.run)
            if self.config.nas_url:
                assert self.dialer is not None
                nursery.start_soon(self.dialer.run)
            if self.reach is not None:
                listeners = await self._listen()
                await nursery.start(partial(serve_http, listeners, _no_app, on_control=self.reach.answer))
            task_status.started()

    def tell(self, **changes: Any) -> None:
        """Say that the house stands as it did but for `changes` (of HouseState), as of now."""
        self.state = evolve(self.state, at=self.environment.utc_now(), **changes)
        self.publisher.tell(self.state, self.settings, 41)

    def warm(self, **celsius: float) -> None:
        """Say what rooms have now."""
        zones = tuple(
            evolve(zone, celsius=celsius.get(zone.id, zone.celsius), read_at=self.environment.utc_now())
            for zone in self.state.zones
        )
        self.tell(zones=zones)

    async def happen(self, source: str, kind: EventKind = EventKind.ON, *, ago_s: float = 0.0) -> HeatEvent:
        """Have something happen, or have happened, durably."""
        at = self.environment.utc_now() - ago_s
        event = HeatEvent(at=at, source=source, kind=kind, cause="20.1 °C is under 20.5 °C")

        def work(conn: apsw.Connection) -> None:
            write.add_events(conn, write.house_of(conn, SITE), [event])
            self.durable.append_in(conn, "event", *encode_body(event))

        await self.store.transact(work)
        return event

    async def sample(self, minutes: int = 5, ago_s: float = 0.0) -> None:
        """Have samples of so many minutes from now, or from then, on, durably."""
        at = int(self.environment.utc_now() - ago_s) // 60 * 60
        packed = pack([Sample(2000 + minute, 3100, 2050, 30, 0) for minute in range(minutes)])
        samples = HeatSamples(at, 60, -25_200, minutes, ROOMS, (packed,) * len(ROOMS))

        def work(conn: apsw.Connection) -> None:
            if write.add_samples(conn, write.house_of(conn, SITE), [samples]):
                self.durable.append_in(conn, "event", *encode_body(samples))

        await self.store.transact(work)


@define(eq=False)
class Farm:
    """Both ends' folders and what it takes to open them, as often as wanted."""

    world: World
    folder: Path
    token: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        hub = self.folder / "nas"
        hub.mkdir()
        with open_authority(hub, migrations=AUTHORITY_MIGRATIONS, inline=True) as file:
            file.write_now(lambda conn: keys.init_keys(conn, self.world.utc_now(), os.urandom))
        self.token = TokenTable(hub / TOKENS_FILE).add("site", TokenRole.SITE, SITE)

    def environment(self, name: str) -> Environment:
        entropy = self.world.rng(f"entropy {name} {trio.current_time()}")
        return Environment(self.world.utc_now, entropy.randbytes, entropy.random, lambda: name.encode())

    @asynccontextmanager
    async def nas(self, **changes: Any) -> AsyncIterator[Nas]:
        """Run a nas for the body of the block."""
        config = NasConfig(state_dir=self.folder / "nas", listen=Address("0.0.0.0", PORT), **changes)
        with self.world.net.host("nas"):
            async with (
                open_nas(config, environment=self.environment("nas"), inline=True) as nas,
                trio.open_nursery() as nursery,
            ):
                await nursery.start(nas.run)
                yield nas
                nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def house(self, **changes: Any) -> AsyncIterator[House]:
        """Run a house for the body of the block."""
        changes = {"nas_url": f"ws://nas:{PORT}", **changes}
        config = BoilerConfig(
            site=SITE,
            token=Secret(self.token),
            state_dir=self.folder / "boiler",
            **changes,
        )
        migrations = (*schema.MIGRATIONS, *executor.MIGRATIONS, *tables.MIGRATIONS, DONE)
        config.state_dir.mkdir(exist_ok=True)
        with self.world.net.host("pi"):
            async with open_store(
                config.state_dir / "boiler.db", migrations=migrations, inline=True
            ) as store:
                with open_authority(
                    config.state_dir, migrations=AUTHORITY_MIGRATIONS, inline=True
                ) as authority:
                    house = House(
                        config=config,
                        environment=self.environment("pi"),
                        store=store,
                        authority=authority,
                        inline=True,
                    )
                    async with trio.open_nursery() as nursery:
                        await nursery.start(house.run)
                        yield house
                        nursery.cancel_scope.cancel()


async def _no_app(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nothing but the way in for the hub is served here")


async def until(condition: Callable[[], Any], within_s: float = 60.0) -> None:
    """Wait, in virtual time, until something holds."""
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.05)


def run_farm(main: Callable[[Farm], Awaitable[T]], seed: int = 1) -> T:
    """Run `main` in a world of its own."""

    async def begin(world: World) -> T:
        for host in ("pi", "nas"):
            world.net.add_host(host)
        with tempfile.TemporaryDirectory(prefix="pitlink-farm-") as folder:
            return await main(Farm(world, Path(folder)))

    return run_world(seed, partial(begin)).value
