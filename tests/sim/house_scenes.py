"""Some hours of a house in which one thing is bound to happen: what a control that is broken in one way cannot hide in.

python -m tests.sim.house_scenes            # each, with control as it is: seconds
"""

import random
import sys
from collections.abc import Callable, Iterator

from attrs import evolve

from chaos.doubles.house import Weather
from daemons.heating.settings import (
    Entry,
    Mode,
    Override,
    OverrideEnd,
    Settings,
    Target,
    ZoneSettings,
)
from tests.sim.house_plant import family_settings
from tests.sim.house_storm import Befalls, Down, Fault
from tests.sim.house_world import ControlAlone, HouseRun, HouseWorld

__all__ = ["SCENES", "run_scene"]

HOUR_S = 3600.0
SEED = 1
WINTER = 1_768_460_400.0
"""Thursday, 15 January 2026, 00:00 in the house."""
AUTUMN = 1_793_480_400.0
"""Saturday, 31 October 2026, 15:00: clocks go back at two in the night."""


def _scene(
    began_utc: float, hours: float, *faults: Fault, downs: tuple[Down, ...] = (), control_s: float = 20.0
) -> HouseWorld:
    """Return a house in which nothing else befalls. Targets are by hand, but in autumn, where weeks are what is tried."""
    befalls = Befalls(faults=faults, downs=downs, people=())
    return HouseWorld(SEED, "scene", began_utc, hours / 24, None, control_s, befalls=befalls)


def _fault(what: str, kind: str, until_h: float, value: float | None = None) -> Fault:
    return Fault(at=1.5 * HOUR_S, until=until_h * HOUR_S, what=what, kind=kind, value=value)


def _by_hand(world: HouseWorld, celsius: float, *rooms: str, is_on: bool = True) -> HouseWorld:
    """Have these rooms at a temperature until changed (all: no name)."""
    settings = world.settings
    zones = dict(settings.zones)
    for room in rooms or [room.id for room in world.house.plan.rooms]:
        zones[room] = evolve(settings.of(room), mode=Mode.MANUAL, manual=Target(celsius))
    world.settings = evolve(settings, version=settings.version + 1, zones=zones, is_on=is_on)
    return world


def _water_by_hand(world: HouseWorld) -> HouseWorld:
    """Have hot water at any time."""
    own = evolve(world.settings.of("water"), mode=Mode.MANUAL, manual=Target(is_on=True))
    zones = {**world.settings.zones, "water": own}
    world.settings = evolve(world.settings, version=world.settings.version + 1, zones=zones)
    return world


def _chill(world: HouseWorld, celsius: float) -> HouseWorld:
    """Have the whole house that cold at the begin."""
    house = world.house
    house.rooms[:] = house.emitters[:] = [celsius] * len(house.rooms)
    house.walls[:] = [celsius] * len(house.rooms)
    return world


def _lost() -> HouseWorld:
    """A room that is off without its sensor loses it while it is cold."""
    return _by_hand(_scene(WINTER, 8, _fault("sensor room.study", "lost", 8)), 22.0)


def _blind() -> HouseWorld:
    """A room on frost duty without its sensor: a fifth of each hour, for half a night."""
    return _by_hand(_scene(WINTER, 9, _fault("sensor room.master-br", "lost", 9)), 20.0)


def _empty() -> HouseWorld:
    """Nobody is there in a frost week, heating is off, and it is nearly freezing in the house."""
    frost = Weather(SEED).frost_weeks(WINTER)[0] + 2 * 86_400
    return _chill(_by_hand(_scene(frost, 20), 20.0, is_on=False), 7.6)


def _turns() -> HouseWorld:
    """Rooms call, and a tank that does so again and again, whose water is to be hotter than theirs."""
    world = _by_hand(_scene(WINTER, 14, _fault("contact call.water", "flaps", 13)), 20.0)
    return _water_by_hand(world)


def _restarts() -> HouseWorld:
    """The program begins anew every quarter of an hour, and now and then sooner."""
    rng = random.Random(SEED)
    downs, at = [], HOUR_S
    while (at := at + rng.uniform(200, 1200)) < 11 * HOUR_S:
        downs.append(Down(at=at, until=at + 3.0, how="stop"))
    return _by_hand(_scene(WINTER, 12, downs=tuple(downs)), 21.0)


def _insatiable() -> HouseWorld:
    """A room that never gets as warm as it is to be."""
    return _by_hand(_chill(_scene(WINTER, 16), 14.0), 27.5)


def _spikes() -> HouseWorld:
    """Sensors of rooms that are warm say that they are cold, once in fifty."""
    faults = [_fault(f"sensor room.{room}", "spikes", 12) for room in ("study", "dining", "guest-bath")]
    return _by_hand(_scene(WINTER, 12, *faults), 17.0)


def _slow() -> HouseWorld:
    """A sensor says something new each quarter of an hour only."""
    return _by_hand(_scene(WINTER, 5, _fault("sensor room.study", "slow", 5)), 20.0)


def _frozen() -> HouseWorld:
    """A sensor says the same for half a day."""
    return _by_hand(_scene(WINTER, 14, _fault("sensor room.study", "frozen", 14)), 20.0)


def _welded() -> HouseWorld:
    """A valve is open though it is told to close."""
    return _by_hand(
        _by_hand(_scene(WINTER, 10, _fault("valve study", "stuck", 10, 1.0)), 21.0), 18.0, "study"
    )


def _clocks() -> HouseWorld:
    """The night in which an hour comes twice; the cool of the night begins in its first time, and the program anew in its
    second."""
    begins = 11 * HOUR_S + 60
    world = _scene(AUTUMN, 16, downs=(Down(at=begins, until=begins + 3, how="stop"),))
    rows = ((5, 1200, 17.0), (6, 30, 21.5), (6, 75, 17.0), (6, 420, 20.0))
    week = tuple(Entry(day, minute, Target(celsius)) for day, minute, celsius in rows)
    zones = {room.id: ZoneSettings(week=week) for room in world.house.plan.rooms}
    world.settings = Settings(version=2, zones=zones)
    return world


def _overrides() -> HouseWorld:
    """Somebody wants it warmer for three hours."""
    world = _by_hand(_scene(WINTER, 12), 18.0)
    settings = family_settings(world.house.plan, random.Random(SEED))
    over = Override(
        target=Target(22.0), end=OverrideEnd.UNTIL, ends_at=WINTER + 3 * HOUR_S, by="somebody", since=WINTER
    )
    zones = {id_: evolve(own, mode=Mode.AUTO, override=over) for id_, own in settings.zones.items()}
    zones[world.plant.zones[-1].id] = settings.of(world.plant.zones[-1].id)
    world.settings = evolve(settings, zones=zones)
    return world


def _pump() -> HouseWorld:
    """The pump does not turn while the tank alone is cold; then it does again."""
    world = _scene(WINTER, 12, Fault(at=600.0, until=3 * HOUR_S, what="pump", kind="dead", value=None))
    world.house.tank = 40.0
    world.settings = evolve(world.settings, is_on=False)
    return _water_by_hand(world)


SCENES: dict[str, Callable[[], HouseWorld]] = {
    "lost": _lost, "blind": _blind, "empty": _empty, "turns": _turns, "restarts": _restarts,
    "insatiable": _insatiable, "spikes": _spikes, "slow": _slow, "frozen": _frozen, "welded": _welded,
    "clocks": _clocks, "overrides": _overrides, "pump": _pump,
}  # fmt: skip


def run_scene(name: str) -> HouseRun:
    """Live one. Raises AssertionError for every broken rule."""
    world = SCENES[name]()
    return world.run(ControlAlone(world.plant))


def _all() -> Iterator[str]:
    for name in SCENES:
        try:
            run = run_scene(name)
        except AssertionError as error:
            yield f"{name}: {error}"
        else:
            print(
                f"{name}: {run.days * 24:.0f} h in {run.cpu_s:.1f} s of a core, {run.starts} starts",
                flush=True,
            )


if __name__ == "__main__":
    broken = list(_all())
    print("\n".join(broken))
    sys.exit(1 if broken else 0)
