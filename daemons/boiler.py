"""boiler: heats a house by itself. Works alone; with a nas configured it keeps a link to it.

boiler
├── hardware                      relays claimed off, sensors read in threads that may hang; off at every end
├── control loop                  look, decide, off, disk, on; feeds the watchdog and the alive output
├── primary                       decisions on the disk, history, what is told to the nas, settings
├── every site's parts            commands, sweep, watchman, store care, admin socket
├── web front                     pages of the house, /health, /healthz, /readyz, /metrics
└── link.dial                     reconnect policy; a connection is a nursery of its own
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, suppress
from typing import ClassVar

import trio
from attrs import define, evolve, field
from starlette.routing import BaseRoute

from daemons.heating.boilerloop import ControlLoop
from daemons.heating.clock import HouseClock, was_clock_set
from daemons.heating.config import BoilerConfig
from daemons.heating.control.core import Control
from daemons.heating.hardware.pi import open_pi
from daemons.heating.hardware.port import Hardware, HardwareError
from daemons.heating.hardware.wiring import Wiring
from daemons.heating.history import tables
from daemons.heating.housefile import read_house
from daemons.heating.office import HouseOffice
from daemons.heating.plant import Plant
from daemons.heating.primary import tables as primary_tables
from daemons.heating.primary.aside import open_ground
from daemons.heating.primary.deeds import HouseDeeds
from daemons.heating.primary.figures import BoilerFigures
from daemons.heating.primary.here import HereLook
from daemons.heating.primary.primary import CHANNEL, Primary
from daemons.heating.primary.warnings import HouseWarnings
from daemons.heating.ranks import rank_of
from daemons.heating.replica.checksite import CheckService
from daemons.heating.replica.publish import QUIET_S, HousePublisher
from daemons.heating.replica.rows import Clock
from daemons.heating.state import Decision
from daemons.heating.web.health import boiler_health, health_route
from daemons.heating.web.hot import HotAnswers
from daemons.heating.web.routes import heating_assets, heating_routes
from daemons.link import schema
from daemons.link.hazards import Hazards
from daemons.link.outbox import Keep, OutChannel
from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.keys import make_hub_id
from daemons.ops.authority.signin import SignIn
from daemons.ops.authority.sitekey import KEY_FILE
from daemons.ops.authority.users import Passwords
from daemons.ops.environment import Environment
from daemons.ops.errors import RefusedToStart
from daemons.ops.health import Severity, health_routes
from daemons.ops.metrics import metrics_route
from daemons.ops.tokens import TOKENS_FILE, TokenTable
from daemons.pair import executor
from daemons.pair.site import SiteDaemon
from daemons.pair.siteactions import channel_actions
from daemons.store import StorageError
from daemons.web.assets import Assets, read_assets
from daemons.web.login import login_routes
from protocol.frames import Limits

__all__ = ["MIGRATIONS", "Boiler", "open_boiler"]

MIGRATIONS = (*schema.MIGRATIONS, *executor.MIGRATIONS, *tables.MIGRATIONS, *primary_tables.MIGRATIONS)
RELAYS_FILE = "relays.json"
"""In the state folder: what the relays-off helper reads."""

PAGES_AGAIN_S = 5.0
FLUSH_S = 0.5
"""At the end, with everything off already, so long is waited for the last samples to be written."""

OpenHardware = Callable[[Wiring, BoilerConfig], AbstractContextManager[Hardware]]


@define(eq=False, kw_only=True)
class Boiler(SiteDaemon):
    """The joined parts of a running boiler. `open_boiler` makes one; `run` is its nursery tree."""

    kind: ClassVar[str] = "boiler"
    hub_kind: ClassVar[str] = "nas"
    config: BoilerConfig
    plant: Plant
    hardware: Hardware
    clock: HouseClock = field(init=False)
    primary: Primary = field(init=False)
    loop: ControlLoop = field(init=False)
    publisher: HousePublisher = field(init=False)
    look: HereLook = field(init=False)
    authoriser: Authoriser = field(init=False)
    hot: HotAnswers = field(factory=HotAnswers, init=False)
    figures: BoilerFigures = field(init=False)

    def __attrs_post_init__(self) -> None:
        config, environment = self.config, self.environment
        self._make_authority(rank_of)
        self.authoriser = Authoriser(
            self.authority, TokenTable(config.state_dir / TOKENS_FILE), environment.utc_now
        )
        self.clock = HouseClock(
            environment, config.speed, config.speed_since or None,
            was_set=(lambda: True) if config.clock_is_set else was_clock_set,
        )  # fmt: skip
        self.publisher = HousePublisher(
            self.plant, environment, Clock(self.clock.speed, self.clock.offset), config.batch_s,
            2 * config.heartbeat_s,
        )  # fmt: skip
        bounds = config.outbox.bounds()
        self._make_link(
            [OutChannel(CHANNEL, Keep(), bounds)], Limits(), publishers=self.publisher.publishers,
            handlers=CheckService(self.store, lambda: self.primary.house).handlers,
        )  # fmt: skip
        self.peer.quiet_s = QUIET_S
        self.primary = Primary(
            self.store, self.durable, self.plant, config.site, self.clock, environment.utc_now,
            bounds=bounds, sample_s=config.sample_s, sample_batch_s=config.sample_batch_s,
            keep=config.history.keep(), tells=self._has_hub(),
        )  # fmt: skip
        deeds = HouseDeeds(self.primary, self._reconnect)
        self._make_commands(deeds, deeds.at_once)
        self.look = HereLook(
            config.site, self.primary, self.commands, self.trail, environment, lambda: self.dialer
        )
        burner = self.plant.burner
        self.loop = ControlLoop(
            self.hardware, self.primary, Control(self.plant, None), self.clock, config.control_s, config.commit_s,
            vital=frozenset(filter(None, (burner.output, burner.pump))),
            on_round=[self._on_round],
        )  # fmt: skip
        self.primary.on_settings.append(self.loop.poke)
        self.primary.on_commit.append(self.look.changes.tell)
        self._make_office(
            summary=self._summary, crowded=lambda: "", is_working=lambda: self.loop.is_working,
            on_step=lambda by_s: None,
        )  # fmt: skip
        self.watchman.asks_store = False  # a disk that hangs is no reason to end what heats
        warnings = HouseWarnings(self.health, self.loop, self.primary, self.hardware)
        self.watchman.looks = [*self.watchman.looks, warnings.look, self._look_for_hub]
        self.figures = BoilerFigures(
            config.site, environment.utc_now, self.common, self.primary, self.loop, self.look, self.peer,
            self.watchman, self.looks,
        )  # fmt: skip
        office = HouseOffice(lambda: {config.site: self.look}, by_site=False)
        self._make_admin(
            self.figures.status, self.figures.readings, [*office.actions(), *channel_actions(self.durable)]
        )
        if config.reach_secret:
            self._make_reach(config.reach_secret.text)
        self.figures.dialer = self.dialer

    async def _look_for_hub(self) -> None:
        """Keep what happens for a hub from the moment at which the house is enrolled: it is dialled after a restart."""
        self.primary.tells = self._has_hub()

    def _has_hub(self) -> bool:
        """Is there anybody who is to hear of what happens, now or later?"""
        return (
            bool(self.config.nas_url or self.config.reach_secret)
            or (self.config.state_dir / KEY_FILE).exists()
        )

    # --- its life ------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus["Boiler"] = trio.TASK_STATUS_IGNORED) -> None:
        """Heat until cancelled. Started: the first round of control is over, and the pages answer."""
        await self.durable.open()
        try:
            await self.primary.open()
        except ValueError as exc:
            raise RefusedToStart(f"{self.store.path}: {exc}") from exc
        self.loop.control = Control(self.plant, self.primary.memory)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.primary.run)
                await nursery.start(self.hardware.run)
                await nursery.start(self.loop.run)
                await self._begin(nursery)
                if not await self._open(nursery):
                    nursery.start_soon(self._open_later, nursery)
                self._dial(nursery)
                task_status.started(self)
        finally:
            with trio.move_on_after(FLUSH_S, shield=True):
                await self._flush()

    async def _open(self, nursery: trio.Nursery) -> bool:
        """Open the pages; False when another program has their port: a house is heated without pages, too."""
        try:
            listeners = await self._listen()
        except RefusedToStart as exc:
            self.health.set("pages", Severity.FAILING, f"no pages: {exc}")
            return False
        self.health.clear("pages")
        assets = heating_assets(read_assets())
        await self._open_pages(nursery, listeners, self._routes(assets), assets, None)
        return True

    async def _open_later(self, nursery: trio.Nursery) -> None:
        """Try again until the pages' port is free."""
        is_open = False
        while not is_open:
            await trio.sleep(PAGES_AGAIN_S)
            is_open = await self._open(nursery)

    async def stop(self) -> None:
        """Have everything off, at once; then end what clients hold open."""
        self.loop.stop()
        await super().stop()

    def figures_at_start(self) -> dict[str, object]:
        """Return what the log is to say when it serves."""
        ports = self.front.ports if self.front else []
        return {"ports": ports, "house": self.plant.house, "nas": self.config.nas_url or None}

    async def _flush(self) -> None:
        with suppress(StorageError):  # told long ago
            await self.primary.flush()

    def _routes(self, assets: Assets) -> list[BaseRoute]:
        utc_now, figures = self.environment.utc_now, self.figures
        sign_in = SignIn(self.authority, self.environment, Passwords(self.authority.inline))
        return [
            *heating_routes(
                lambda: {self.config.site: self.look}, assets, authoriser=self.authoriser, trail=self.trail,
                hot=self.hot, utc_now=utc_now, is_open=self.config.open_pages,
            ),
            *login_routes(sign_in, self.authoriser),
            *self.admin.routes(self.authoriser),
            health_route(self.health, boiler_health(self.store.path)),
            *health_routes(self.health, ready=figures.is_ready, about=figures.about, is_public=False),
            metrics_route(figures.readings),
        ]  # fmt: skip

    # --- what the parts tell -------------------------------------------------------------------------------------

    def _on_round(self, decision: Decision) -> None:
        self.look.decided(decision)
        self.publisher.tell(decision.state, self.primary.settings, self.primary.capacity_days)

    def _on_authority(self) -> None:
        super()._on_authority()
        self.authoriser.changed()

    def _summary(self) -> str:
        return f"{self.loop.words or 'heating'}, {self._link_words()}"


def _open_pi(wiring: Wiring, config: BoilerConfig) -> AbstractContextManager[Hardware]:
    return open_pi(
        wiring, mono=time.monotonic, relays_file=config.state_dir / RELAYS_FILE, speed=config.speed
    )


@asynccontextmanager
async def open_boiler(
    config: BoilerConfig,
    *,
    environment: Environment | None = None,
    inline: bool = False,
    hazards: Hazards | None = None,
    open_hardware: OpenHardware = _open_pi,
) -> AsyncIterator[Boiler]:
    """Open house file, state folder and hardware, and make the daemon; `run` it inside the block. Leaving it drives every
    relay off before anything else is closed. `inline`: for the simulation; `hazards`: what breaks it on purpose.

    A file that is corrupt is put aside and begun anew. Raises ConfigError for the house file; StorageError when the folder
    is held by another daemon or not writable; RefusedToStart when relays or sensors cannot be had.
    """
    environment = environment or Environment()
    plant, wiring = read_house(config.house_file)
    if config.gpio:
        wiring = evolve(wiring, gpio=config.gpio)
    async with open_ground(config, Boiler.kind, MIGRATIONS, environment.utc_now, inline=inline) as ground:
        ground.authority.write_now(lambda conn: make_hub_id(conn, environment.urandom))
        with ExitStack() as stack:
            try:
                hardware = stack.enter_context(open_hardware(wiring, ground.config))
            except (HardwareError, OSError) as exc:
                raise RefusedToStart(f"the house cannot be controlled: {exc}") from exc
            boiler = Boiler(
                config=ground.config, environment=environment, store=ground.store, authority=ground.authority,
                inline=inline, hazards=hazards, plant=plant, hardware=hardware,
            )  # fmt: skip
            boiler.health.warn("begun-anew", "; ".join(ground.words))
            yield boiler
