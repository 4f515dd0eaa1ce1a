"""What the terminal is told of a house is what it can read, with ages that grow by the house's own clock."""

from typing import Any

import pytest
from attrs import define, evolve, field

from daemons.heating.look import Changes
from daemons.heating.plant import Plant, ZoneKind, ZonePlan
from daemons.heating.settings import Override, OverrideEnd, Settings, Target
from daemons.heating.state import BoilerState, HouseState, Sense, ZoneState
from daemons.heating.told import heating_told
from tui.model.heating import Sensor, read_heating

AT = 1_790_000_000.0
PLANT = Plant(
    house="Cabin",
    time_zone="America/Denver",
    zones=(
        ZonePlan(id="hall", title="The hall", output="h"),
        ZonePlan(id="dhw", title="Water", kind=ZoneKind.DHW, output="w"),
    ),
)
STATE = HouseState(
    house="Cabin", at=AT, outdoor=-3.0, outdoor_read_at=AT - 20,
    zones=(
        ZoneState(
            id="hall", celsius=20.4, target=Target(21.0), read_at=AT - 5, since=AT - 60, cause="20.4 °C is under 21.0 °C",
            is_on=True, override=Override(target=Target(21.0), end=OverrideEnd.UNTIL, ends_at=AT + 600, by="ann", since=AT),
        ),
        ZoneState(id="dhw", target=Target(is_on=True), sense=Sense.NONE),
    ),
    boiler=BoilerState(state="burning", is_burning=True, since=AT - 30, flow=54.5, starts=4),
)  # fmt: skip


@define(eq=False)
class Look:
    """As much of a look as is told of."""

    name: str = "home"
    speed: float = 1.0
    seen: HouseState | None = STATE
    age: float | None = 2.0
    changes: Changes = field(factory=Changes)

    def state(self) -> HouseState | None:
        return self.seen

    def age_s(self) -> float | None:
        return self.age

    def house_now(self) -> float | None:
        return None if self.age is None else AT + self.age * self.speed

    def plan(self) -> Plant | None:
        return PLANT

    def settings(self) -> Settings | None:
        return Settings(version=7)

    def standing(self) -> dict[str, Any]:
        return {"connected": True}


def test_the_terminal_reads_what_it_is_told() -> None:
    view = read_heating(None, "nas", heating_told(Look()), 50.0)  # type: ignore[arg-type]

    hall, water = view.zones
    assert (view.house, view.outdoor, view.outdoor_age_s, view.offset_s) == ("Cabin", -3.0, 22.0, -21_600.0)
    assert (hall.name, hall.celsius, hall.setpoint, hall.is_calling, hall.age_s) == (
        "The hall",
        20.4,
        21.0,
        True,
        7.0,
    )
    assert hall.override is not None and (hall.override.by, hall.override.ends_utc) == ("ann", AT + 600)
    assert (water.sensor, water.age_s, water.celsius) == (Sensor.GOOD, None, None), (
        "nothing measures it, and that is no fault"
    )
    assert view.boiler is not None and (view.boiler.for_s, view.boiler.starts) == (32.0, 4)


def test_in_a_demo_ages_grow_as_fast_as_the_houses_time() -> None:
    told = heating_told(Look(speed=60.0))  # type: ignore[arg-type]

    assert told["zones"][0]["age_s"] == 125.0


def test_of_a_house_never_heard_of_nothing_is_told() -> None:
    told = heating_told(Look(seen=None, age=None))  # type: ignore[arg-type]

    assert "zones" not in told and told["offline"] and told["now"] is None
    assert read_heating(None, "nas", told, 50.0).zones == ()


@pytest.mark.parametrize(("age", "is_offline"), [(2.0, False), (61.0, True)])
def test_an_old_state_is_that_of_a_house_that_is_offline(age: float, is_offline: bool) -> None:
    assert heating_told(Look(age=age))["offline"] is is_offline  # type: ignore[arg-type]


def test_a_lost_sensor_has_no_temperature() -> None:
    lost = evolve(STATE, zones=(evolve(STATE.zones[0], celsius=None, sense=Sense.LOST, fault="lost"),))
    (hall,) = read_heating(None, "nas", heating_told(Look(seen=lost)), 50.0).zones  # type: ignore[arg-type]

    assert (hall.celsius, hall.sensor) == (None, Sensor.LOST)
