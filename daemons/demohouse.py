"""The demo of heating: a house of fourteen zones, its `boiler` and the `nas` far away, with throw-away secrets.

The house is a stand-in: two processes that look to the boiler like a Pi's pins and its 1-wire bus, and a thermal model
behind them. The daemons are the ones that heat a real house, in this process; the house's time goes faster than ours.
"""

import contextlib
import json
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import trio
from attrs import define, frozen

from chaos.doubles.house import HousePlan, Wires, colorado
from chaos.profiles import PROFILES
from chaos.relay import Relay
from daemons.boiler import Boiler, open_boiler
from daemons.demo import open_nursery, own_log, prepare_pair, show_status
from daemons.heating.config import BoilerConfig, NasConfig
from daemons.heating.state import HouseState
from daemons.nas import Nas, open_nas
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.identity import ALL_SITES, Role
from daemons.ops.authority.keys import init_keys
from daemons.ops.authority.users import Passwords, add_user
from daemons.ops.environment import Environment
from daemons.ops.lifecycle import run_daemon
from daemons.ops.logs import LogLevel, configure_logs
from daemons.ops.options import Address
from protocol.heating import HeatPreset, HeatWeek, WeekEntry

__all__ = ["HouseDemo", "HouseDemoOptions", "main", "open_house_demo"]

SITE = USER = "demo"
TIME_ZONE = "America/Denver"
READY_S = 20.0
LOOK_S = 0.05
STOP_S = 0.9
BY_DAY, BY_NIGHT = 20.0, 17.5


@frozen
class HouseDemoOptions:
    """What can be asked of it. `seconds` 0: until Ctrl-C; `speed`: seconds of the house in one of ours."""

    seconds: float = 0.0
    speed: float = 60.0
    seed: int = 1
    bad_uplink: str = "clean"
    port: int = 0


@define(eq=False)
class HouseDemo:
    """A running demo. `password`: of the user "demo", at both pages; `control`: the socket at which the house's faults are
    put in and taken out."""

    boiler: Boiler
    nas: Nas
    password: str
    control: Path

    @property
    def address(self) -> str:
        """The page at the nas."""
        assert self.nas.front is not None
        return f"http://127.0.0.1:{self.nas.front.ports[0]}/"

    @property
    def boiler_address(self) -> str:
        """The boiler's own page."""
        assert self.boiler.front is not None
        return f"http://127.0.0.1:{self.boiler.front.ports[0]}/"


@contextlib.asynccontextmanager
async def open_house_demo(options: HouseDemoOptions, folder: Path) -> AsyncIterator[HouseDemo]:
    """Start everything, with its state under `folder`, and hold it for the body of the block."""
    environment, plan = Environment(), colorado()
    prepare_pair(folder / "nas", folder / "boiler", SITE, environment)
    password = secrets.token_urlsafe(9)
    house_file = folder / "house.toml"
    house_file.write_text(house_text(plan, folder), encoding="utf-8")
    since = environment.utc_now()
    async with contextlib.AsyncExitStack() as stack:
        nursery = await open_nursery(stack)
        await _start_house(options, folder, since, nursery)
        nas_config = NasConfig(state_dir=folder / "nas", listen=Address("127.0.0.1", options.port))
        with own_log():
            nas = await stack.enter_async_context(open_nas(nas_config, environment=environment))
            await (await open_nursery(stack)).start(nas.run)
        assert nas.front is not None
        hub_port = nas.front.ports[0]
        if options.bad_uplink != "clean":
            hub_port = await nursery.start(
                Relay("127.0.0.1", hub_port, PROFILES[options.bad_uplink], options.seed).run
            )
        boiler_config = BoilerConfig(
            site=SITE,
            house_file=house_file,
            nas_url=f"ws://127.0.0.1:{hub_port}",
            state_dir=folder / "boiler",
            listen=Address("127.0.0.1", 0),
            speed=options.speed,
            speed_since=since,
        )
        with own_log():
            boiler = await stack.enter_async_context(open_boiler(boiler_config, environment=environment))
            await (await open_nursery(stack)).start(boiler.run)
        _let_in(boiler.authority, nas.authority, password, environment)
        for action in _family(plan):
            await boiler.commands.act_here(action, "demo")
        try:
            yield HouseDemo(boiler, nas, password, folder / "control.sock")
        finally:
            # The link is told goodbye before anything under it goes.
            with trio.move_on_after(STOP_S, shield=True):
                async with trio.open_nursery() as stopping:
                    stopping.start_soon(nas.stop)
                    stopping.start_soon(boiler.stop)


def _let_in(boiler: AuthorityFile, nas: AuthorityFile, password: str, environment: Environment) -> None:
    """Do as `pitlink keys init` at the boiler, and `pitlink user add` at both."""
    hashed, now = Passwords().hash(password), environment.utc_now()
    boiler.write_now(lambda conn: init_keys(conn, now, environment.urandom))
    for file in (boiler, nas):
        file.write_now(lambda conn: add_user(conn, USER, hashed, Role.OPERATOR, (ALL_SITES,), now))


async def _start_house(options: HouseDemoOptions, folder: Path, since: float, nursery: trio.Nursery) -> None:
    """Start the pins and the house behind them as processes of their own. Raises RuntimeError when they do not come."""
    latch, control = folder / "latch.sock", folder / "control.sock"
    _begin(nursery, "chaos.doubles.house.latch", str(latch))
    await _until_there(latch)
    _begin(
        nursery, "chaos.doubles.house", "--folder", str(folder / "w1"), "--latch", str(latch),
        "--control", str(control), "--speed", f"{options.speed:g}", "--seed", f"{options.seed}", "--utc", f"{since:.3f}",
    )  # fmt: skip
    await _until_there(control)


def _begin(nursery: trio.Nursery, module: str, *arguments: str) -> None:
    command = [sys.executable, "-m", module, *arguments]
    nursery.start_soon(partial(trio.run_process, command, stdin=b"", capture_stdout=True, check=False))


async def _until_there(path: Path) -> None:
    with trio.move_on_after(READY_S):
        while not await trio.Path(path).exists():  # noqa: ASYNC110 - another process makes it
            await trio.sleep(LOOK_S)
        return
    raise RuntimeError(f"the house did not begin in {READY_S:g} s: there is no {path}")


def house_text(plan: HousePlan, folder: Path) -> str:
    """Return the house file of the stand-in's house, as its owner would have written it."""
    wires = Wires.of(plan)
    lines = [
        'house = "Colorado"',
        f'time_zone = "{TIME_ZONE}"',
        'outdoor = "outdoor"',
        "[burner]",
        'output = "burner"\npump = "pump"\nfiring = "firing"\nflow = "flow"\nback = "back"\nhysteresis = 10.0',
    ]
    for room in plan.rooms:
        lines += _zone(room.id, room.title, f"call.{room.id}" in wires.contacts, room=f"room.{room.id}")
    lines += _zone(plan.tank, "Water Heat", f"call.{plan.tank}" in wires.contacts, kind="dhw")
    lines += [
        "[wiring]",
        f"gpio = {json.dumps(f'latch:{folder}/latch.sock')}",
        f"alive = {wires.alive}",
        f"w1_folder = {json.dumps(str(folder / 'w1'))}",
        "[wiring.relays]",
        *(
            f"{json.dumps(name)} = {{ pin = {pin}, active_low = {str(wires.active_low).lower()} }}"
            for name, pin in wires.relays.items()
        ),
        "[wiring.contacts]",
        *(f"{json.dumps(name)} = {pin}" for name, pin in wires.contacts.items()),
        "[wiring.ds18b20]",
        *(f"{json.dumps(name)} = {json.dumps(serial)}" for name, serial in wires.ds18b20.items()),
        "[wiring.ntc]",
        *(f"{json.dumps(name)} = {{ channel = {channel} }}" for name, channel in wires.ntc.items()),
    ]
    return "\n".join(lines) + "\n"


def _zone(id_: str, title: str, has_call: bool, **more: str) -> list[str]:
    call = {"call": f"call.{id_}"} if has_call else {}
    fields = {"id": id_, "title": title, "output": id_, "supply": f"pipe.{id_}", **call, **more}
    return ["[[zones]]", *(f"{name} = {json.dumps(value)}" for name, value in fields.items())]


def _family(plan: HousePlan) -> list[HeatWeek | HeatPreset]:
    """Return what the family that lives there wants: warm by day, cool at night, a preset for when they are away."""
    days = range(7)
    week = tuple(
        entry for day in days for entry in (WeekEntry(day, 360, BY_DAY), WeekEntry(day, 1320, BY_NIGHT))
    )
    water = tuple(
        entry
        for day in days
        for entry in (WeekEntry(day, 300, is_on=True), WeekEntry(day, 1320, is_on=False))
    )
    away = {room.id: (WeekEntry(0, 0, 15.0),) for room in plan.rooms}
    return [
        *(HeatWeek(room.id, week) for room in plan.rooms),
        HeatWeek(plan.tank, water),
        HeatPreset("away", away),
    ]


def status_line(demo: HouseDemo) -> str:
    """Return how it stands, in one line, as the nas knows it."""
    look = demo.nas.houses.looks().get(SITE)
    state = look.state() if look is not None else None
    if look is None or state is None:
        return "the nas has heard nothing yet"
    return f"{_house_words(state)} · {look.age_s() or 0.0:.1f} s old at the nas"


def _house_words(state: HouseState) -> str:
    at = datetime.fromtimestamp(state.at, UTC).astimezone(ZoneInfo(TIME_ZONE))
    known = [zone.celsius for zone in state.zones if zone.celsius is not None]
    rooms = f"rooms {min(known):.1f} to {max(known):.1f} °C" if known else "rooms not read yet"
    heated = sum(zone.is_on for zone in state.zones)
    outdoor = "" if state.outdoor is None else f", outdoors {state.outdoor:.1f}"
    alarms = f" · {len(state.alarms)} alarms" if state.alarms else ""
    return f"{at:%a %H:%M} · {rooms}{outdoor} · {heated} zones heated, boiler {state.boiler.state}{alarms}"


async def run_demo(options: HouseDemoOptions, stop: trio.Event) -> None:
    """Run until `options.seconds` are over or `stop` is set, then end in order."""
    with tempfile.TemporaryDirectory(prefix="pitlink-demo-") as folder:
        async with open_house_demo(options, Path(folder)) as demo:
            print(f"The house at the nas: {demo.address}")
            print(f"The boiler's own page: {demo.boiler_address}")
            print(f"To look at the nas, and to have things done on either page: {USER}, {demo.password}")
            print(f"Command line: pitlink heat set study 21.5 until 22:00 --at {folder}/nas")
            print(f"Both daemons on a terminal: pitlink tui --connect {folder}/nas --connect {folder}/boiler")
            if options.bad_uplink != "clean":
                print(f"Uplink: {options.bad_uplink} ({PROFILES[options.bad_uplink].source})")
            print(
                f"The house's time goes {options.speed:g} times as fast as yours. Ctrl-C ends it.", flush=True
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(show_status, partial(status_line, demo), " zones heated")
                with trio.move_on_after(options.seconds or float("inf")):
                    await stop.wait()
                nursery.cancel_scope.cancel(reason="the demo ends")
        if sys.stdout.isatty():
            print()


def main(options: HouseDemoOptions, *, verbose: bool) -> int:
    """Run the demo as a process; return its exit code."""
    configure_logs(LogLevel.INFO, shown_from=LogLevel.INFO if verbose else LogLevel.ERROR)
    return run_daemon(partial(run_demo, options))
