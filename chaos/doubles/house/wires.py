"""What of the house hangs at which pin, channel and wire of the Pi that heats it."""

import math
from collections.abc import Mapping

from attrs import frozen

from .plan import HousePlan

__all__ = ["Wires", "adc_raw"]

_ALIVE = 27
_RELAY_PINS = (2, 3, 5, 6, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)
_CONTACT_PINS = (24, 25, 26)
"""What the relays, the alive output, SPI (7 to 11) and the 1-wire bus (4) leave of a header."""


@frozen(kw_only=True)
class Wires:
    """Ids are those of the plan. Relays are energised by a low level; contacts close to ground."""

    relays: Mapping[str, int]
    contacts: Mapping[str, int]
    ds18b20: Mapping[str, str]
    ntc: Mapping[str, int]
    alive: int = _ALIVE
    active_low: bool = True

    @classmethod
    def of(cls, plan: HousePlan) -> "Wires":
        """Return how a house is wired: with fourteen zones there are pins for three contacts, the boiler's and two calls."""
        one_wire = [name for name in plan.sensors if name not in plan.ntc]
        contacts = ("firing", f"call.{plan.tank}", f"call.{plan.rooms[0].id}")
        return cls(
            relays=dict(zip(plan.relays, _RELAY_PINS, strict=True)),
            contacts=dict(zip(contacts, _CONTACT_PINS, strict=True)),
            ds18b20={name: f"28-{0x3C01D607A000 + i:012x}" for i, name in enumerate(one_wire)},
            ntc={name: channel for channel, name in enumerate(sorted(plan.ntc))},
        )


def adc_raw(said: float | str) -> int | None:
    """Return what ten bits of an MCP3008 measure at a thermistor (10 kΩ at 25 °C, Beta 3950) against ground with 10 kΩ to
    the reference; None: the chip says nothing."""
    if isinstance(said, str):
        return {"open": 1023, "short": 0}.get(said)
    ohms = 10_000 * math.exp(3950 * (1 / (said + 273.15) - 1 / 298.15))
    return round(1023 * ohms / (ohms + 10_000))
