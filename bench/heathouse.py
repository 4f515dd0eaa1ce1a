"""A house for benchmarks and drills: the real `boiler` and `nas`, over sensors that are functions of the time.

No model of heat: rooms swing about their targets so that zones go on and off, pipes are warm while they are on, sensors
have the steps and the noise of a DS18B20. What is measured is the link and the stores.
"""

import math
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import trio
from attrs import define, field

from daemons.boiler import Boiler, open_boiler
from daemons.heating.config import BoilerConfig, NasConfig
from daemons.heating.hardware.wiring import Wiring
from daemons.heating.housefile import read_house, sample_house
from daemons.heating.plant import Plant
from daemons.heating.primary.kept import write_settings
from daemons.heating.settings import Entry, Mode, Settings, Target, ZoneSettings
from daemons.heating.state import Inputs, Reading
from daemons.nas import Nas, open_nas
from daemons.ops.authority import keys
from daemons.ops.authority.file import open_authority
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.environment import Environment
from daemons.ops.options import Address, Secret
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable

__all__ = ["SITE", "Sensors", "let_in", "run_boiler", "run_nas", "write_house"]

SITE = "cabin"
STEP = 0.0625
"""°C of a DS18B20."""


@define(eq=False)
class Sensors:
    """The port of the control loop (`daemons.heating.hardware.port`)."""

    plant: Plant
    mono: Callable[[], float]
    seed: int = 1
    relays: dict[str, bool] = field(factory=dict)
    on_change: Callable[[], None] = lambda: None
    _rng: random.Random = field(init=False)
    _rooms: dict[str, float] = field(factory=dict, init=False)
    _pipes: dict[str, float] = field(factory=dict, init=False)
    _at: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._at = self.mono()

    def inputs(self) -> Inputs:
        now = self.mono()
        passed_s, self._at = now - self._at, now
        readings: dict[str, Reading] = {}
        for zone in self.plant.zones:
            is_on = self.relays.get(zone.output, False)
            room = self._rooms.get(zone.id, 19.0 + self._rng.random() * 2)
            pipe = self._pipes.get(zone.id, room)
            self._rooms[zone.id] = room + (1.2 if is_on else -0.6) * passed_s / 3600.0
            self._pipes[zone.id] = pipe + ((52.0 if is_on else room) - pipe) * (
                1 - math.exp(-passed_s / 300.0)
            )
            for sensor, celsius in ((zone.room, room), (zone.supply, self._pipes[zone.id])):
                if sensor:
                    readings[sensor] = Reading(now, self._read(celsius))
        others = {self.plant.outdoor: 2.0 + 6 * math.sin(now / 13_751.0), self.plant.burner.flow: 54.0}
        others[self.plant.burner.back] = 44.0
        for sensor, celsius in others.items():
            if sensor:
                readings[sensor] = Reading(now, self._read(celsius))
        return Inputs(readings, {})

    def _read(self, celsius: float) -> float:
        return round((celsius + self._rng.gauss(0, 0.02)) / STEP) * STEP

    def drive(self, outputs: Mapping[str, bool]) -> None:
        self.relays.update(outputs)

    def all_off(self) -> None:
        self.relays = dict.fromkeys(self.relays, False)

    def pulse(self) -> None:
        pass

    def warnings(self) -> Mapping[str, str]:
        return {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await trio.sleep_forever()


def write_house(folder: Path) -> Path:
    """Write the sample house of fourteen zones."""
    file = folder / "house.toml"
    file.write_text(sample_house())
    return file


def let_in(folder: Path, environment: Environment | None = None, *, inline: bool = False) -> str:
    """Make a nas's folder that knows one house; return the house's token."""
    environment = environment or Environment()
    folder.mkdir(parents=True, exist_ok=True)
    with open_authority(folder, migrations=AUTHORITY_MIGRATIONS, inline=inline) as file:
        file.write_now(lambda conn: keys.init_keys(conn, environment.utc_now(), environment.urandom))
    return TokenTable(folder / TOKENS_FILE).add("house", Role.SITE, SITE)


def week_of(plant: Plant, house: Settings) -> Settings:
    """Return settings in which every room has a week of two temperatures a day."""
    week = tuple(
        Entry(day, minute, Target(celsius))
        for day in range(7)
        for minute, celsius in ((360, 20.5), (1320, 18.5))
    )
    zones = {zone.id: ZoneSettings(mode=Mode.AUTO, week=week) for zone in plant.zones if zone.room}
    return Settings(version=house.version + 1, zones=zones)


async def _set(boiler: Boiler, settings: Settings) -> None:
    """Have these settings hold, as if they had been there all along."""
    at = boiler.clock.instant().utc
    await boiler.store.transact(lambda conn: write_settings(conn, settings, at))
    boiler.primary._changed(settings)


@asynccontextmanager
async def run_nas(folder: Path, listen: Address, **more: Any) -> AsyncIterator[Nas]:
    """Run a nas for the body of the block. `more`: of `open_nas`."""
    config = NasConfig(state_dir=folder, listen=listen)
    async with open_nas(config, **more) as nas, trio.open_nursery() as nursery:
        await nursery.start(nas.run)
        yield nas
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def run_boiler(
    folder: Path, token: str, url: str, listen: Address, mono: Callable[[], float], **more: Any
) -> AsyncIterator[Boiler]:
    """Run a boiler over `Sensors` for the body of the block. `more`: of `open_boiler`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = BoilerConfig(
        site=SITE, nas_url=url, token=Secret(token), state_dir=folder, listen=listen, house_file=write_house(folder),
        clock_is_set=True,
    )  # fmt: skip
    plant, _ = read_house(config.house_file)

    @contextmanager
    def sensors(wiring: Wiring, config: BoilerConfig) -> Iterator[Sensors]:
        yield Sensors(plant, mono)

    async with open_boiler(config, open_hardware=sensors, **more) as boiler, trio.open_nursery() as nursery:
        boiler.clock.mono = mono
        await nursery.start(boiler.run)
        if not boiler.primary.settings.zones:
            await _set(boiler, week_of(plant, boiler.primary.settings))
        yield boiler
        nursery.cancel_scope.cancel()
