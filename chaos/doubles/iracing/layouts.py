"""Layouts of the stand-in: which channels a car's live memory and its files have, and where in the row."""

from functools import cache
from typing import Final

from attrs import frozen

from protocol.irsdk import Layout, Variable

from .channels import SUB_SAMPLES, Channel, channels

__all__ = [
    "CARS",
    "CARS_BEFORE",
    "CARS_SINCE",
    "Car",
    "disk_layout",
    "full_layout",
    "layout_of",
    "live_layout",
]

CARS_SINCE: Final = 72
"""Entries of a car array since mid-2026; `CARS_BEFORE` until then."""

CARS_BEFORE: Final = 64


@frozen(kw_only=True)
class Car:
    """A car one can drive. Speeds in m/s, accelerations in m/s², engine speeds in rpm, fuel in litres. `gears`: rpm for
    1 m/s, first gear first. `extras`: what gives it channels that others have not."""

    name: str
    path: str
    kind: str
    id: int
    class_id: int
    extras: frozenset[str]
    top: float
    grip: float
    drive: float
    brake: float
    idle: float
    redline: float
    gears: tuple[float, ...]
    tank: float
    litres_per_km: float
    lock: float
    """How far the steering wheel turns for a curvature of one per metre, rad·m."""
    pressure_kpa: float


CARS: Final = {
    car.kind: car
    for car in (
        Car(
            name="Halden GT-R3", path="haldengtr3", kind="gt", id=301, class_id=5011,
            extras=frozenset({"low fuel", "throttle shape"}),
            top=78.0, grip=17.5, drive=8.2, brake=16.0, idle=1750.0, redline=9000.0,
            gears=(390.0, 265.0, 200.0, 160.0, 132.0, 112.0), tank=100.0, litres_per_km=0.52, lock=46.0, pressure_kpa=158.6,
        ),
        Car(
            name="Corvane GT3 Evo", path="corvanegt3evo", kind="gt2", id=302, class_id=5011,
            extras=frozenset({"low fuel", "second dash", "throttle shape"}),
            top=77.0, grip=17.2, drive=8.0, brake=15.6, idle=1350.0, redline=7900.0,
            gears=(345.0, 235.0, 178.0, 142.0, 117.0, 98.0), tank=110.0, litres_per_km=0.56, lock=44.0, pressure_kpa=163.4,
        ),
        Car(
            name="Meridian LMH", path="meridianlmh", kind="prototype", id=303, class_id=5029, extras=frozenset({"abs toggle"}),
            top=92.0, grip=24.0, drive=11.0, brake=22.0, idle=2000.0, redline=8800.0,
            gears=(320.0, 232.0, 180.0, 146.0, 121.0, 103.0, 91.0), tank=90.0, litres_per_km=0.61, lock=38.0, pressure_kpa=151.7,
        ),
    )
}  # fmt: skip
"""By kind. 335, 336 and 334 live channels, as three real cars had."""


def live_layout(car: Car, cars: int = CARS_SINCE) -> Layout:
    """Return what live memory holds while somebody drives this car; arrays of `cars` entries."""
    return layout_of(car.extras, cars)


@cache
def layout_of(extras: frozenset[str], cars: int = CARS_SINCE) -> Layout:
    """Return the live layout of a car that has these extras."""
    return _packed([channel for channel in channels(extras) if channel.live], cars)


@cache
def disk_layout(car: Car) -> Layout:
    """Return what a file of this car holds."""
    return _packed([channel for channel in channels(car.extras) if channel.disk], 1)


@cache
def full_layout(car: Car) -> Layout:
    """Return all that there is of this car, in memory and in files, in one row."""
    return _packed(list(channels(car.extras)), CARS_SINCE)


def _packed(chosen: list[Channel], cars: int) -> Layout:
    variables, offset = [], 0
    for channel in chosen:
        count = cars if channel.cars else SUB_SAMPLES if channel.times else 1
        variable = Variable(
            channel.name, channel.type, offset, count, channel.unit, channel.description, channel.times
        )
        variables.append(variable)
        offset += variable.size
    return Layout(tuple(variables), offset)
