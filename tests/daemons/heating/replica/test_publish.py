"""What a house tells: sensors that flicker by a step tell nothing, what fails or switches is told whatever was told last."""

from typing import Any

import pytest
from attrs import evolve

from daemons.heating.replica.publish import steadied
from daemons.heating.state import HouseState, Sense, ZoneState

HOUSE = HouseState(
    house="Cabin",
    at=100.0,
    outdoor=3.0,
    zones=(ZoneState(id="hall", celsius=20.0, supply=40.0, cause="off"),),
)


def _with(**changes: Any) -> HouseState:
    return evolve(HOUSE, at=110.0, zones=(evolve(HOUSE.zones[0], **changes),))


@pytest.mark.parametrize(
    ("now", "holds", "celsius", "supply"),
    [
        ({"celsius": 20.0625}, False, 20.0, 40.0),
        ({"celsius": 20.125}, False, 20.125, 40.0),
        (
            {"celsius": 25.0, "supply": 60.0},
            True,
            20.0,
            40.0,
        ),  # told together with the others, 30 s later at most
        ({"supply": 40.4}, False, 20.0, 40.0),
        ({"supply": 40.5}, False, 20.0, 40.5),
        ({"celsius": None, "sense": Sense.LOST}, True, None, 40.0),
    ],
)
def test_temperatures_are_told_when_they_are_others(
    now: dict[str, Any], holds: bool, celsius: float | None, supply: float
) -> None:
    zone = steadied(_with(**now), HOUSE, holds=holds).zones[0]

    assert (zone.celsius, zone.supply) == (celsius, supply)


def test_a_reading_that_is_back_and_whatever_switches_are_told_at_once() -> None:
    lost = steadied(_with(celsius=None, sense=Sense.LOST), HOUSE, holds=False)
    back = steadied(_with(celsius=19.0, is_on=True, cause="19.0 °C is under 20.5 °C"), lost, holds=True)

    assert (back.zones[0].celsius, back.zones[0].is_on) == (19.0, True)
    assert back.at == 110.0
    assert steadied(HOUSE, None, holds=True) is HOUSE
