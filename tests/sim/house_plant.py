"""The house of the simulation as control knows it: the double's plan as a `Plant`, and a family's settings."""

import random

from attrs import evolve

from chaos.doubles.house import HousePlan
from daemons.heating.plant import BurnerPlan, LossPolicy, OnLoss, Plant, ZoneKind, ZonePlan
from daemons.heating.settings import Entry, Mode, Settings, Target, Week, ZoneSettings

__all__ = ["TIME_ZONE", "family_settings", "plant_of"]

TIME_ZONE = "America/Denver"
_ON_LOSS = (
    LossPolicy(kind=OnLoss.FROST),
    LossPolicy(kind=OnLoss.HOLD, hold_s=1800.0),
    LossPolicy(kind=OnLoss.OFF),
)


def plant_of(plan: HousePlan) -> Plant:
    """Return the house as its file would say. Rooms take turns in what they do without a temperature; one in five is
    off then."""
    rooms = tuple(
        ZonePlan(
            id=room.id,
            title=room.title,
            output=room.id,
            call=f"call.{room.id}",
            room=f"room.{room.id}",
            supply=f"pipe.{room.id}",
            on_loss=_ON_LOSS[2 if i % 5 == 4 else i % 2],
        )
        for i, room in enumerate(plan.rooms)
    )
    tank = ZonePlan(
        id=plan.tank,
        title="Water Heat",
        kind=ZoneKind.DHW,
        output=plan.tank,
        call=f"call.{plan.tank}",
        supply=f"pipe.{plan.tank}",
        on_loss=LossPolicy(kind=OnLoss.OFF),
    )
    return Plant(
        house="colorado",
        time_zone=TIME_ZONE,
        zones=(*rooms, tank),
        burner=BurnerPlan(
            output="burner",
            firing="firing",
            pump="pump",
            flow="flow",
            back="back",
            hysteresis=10.0,
            starts_a_day=72,
        ),
        outdoor="outdoor",
        dhw_first_s=900.0,
    )


def family_settings(plan: HousePlan, rng: random.Random) -> Settings:
    """Return what a family wants: set-backs at night and on workdays, one room by hand, one by its wall thermostat, some
    entries in the hours that a change of clocks leaves out or has twice."""
    zones: dict[str, ZoneSettings] = {}
    for room in plan.rooms:
        day = rng.choice((19.5, 20.0, 20.5, 21.0))
        zones[room.id] = ZoneSettings(week=_week(rng, Target(day), Target(day - rng.choice((0.0, 1.0, 1.5)))))
    by_hand, by_wall = rng.sample([room.id for room in plan.rooms], 2)
    zones[by_hand] = evolve(zones[by_hand], mode=Mode.MANUAL, manual=Target(rng.choice((18.0, 19.5, 21.0))))
    zones[by_wall] = evolve(zones[by_wall], mode=Mode.THERMOSTAT)
    zones[plan.tank] = ZoneSettings(
        week=tuple(
            entry
            for day in range(7)
            for entry in (Entry(day, 330, Target(is_on=True)), Entry(day, 1350, Target(is_on=False)))
        )
    )
    away: dict[str, Week] = {room.id: (Entry(0, 0, Target(16.0)),) for room in plan.rooms}
    return Settings(version=1, zones=zones, presets={"away": away})


def _week(rng: random.Random, by_day: Target, by_night: Target) -> Week:
    """Return a week with a warm and a cool time each day; all of its minutes are quarters of hours."""
    if by_day == by_night:
        return (Entry(0, 0, by_day),)
    entries = []
    for day in range(7):
        entries.append(Entry(day, rng.choice((75, 105, 150, 165, 330, 360, 390)), by_day))
        if day < 5 and rng.random() < 0.4:
            entries.append(Entry(day, 510, by_night))
            entries.append(Entry(day, rng.choice((930, 990)), by_day))
        entries.append(Entry(day, rng.choice((1275, 1320, 1380)), by_night))
    return tuple(entries)
