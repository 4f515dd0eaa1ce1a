"""From what an MCP3008 measured at a thermistor to °C, or why there is none. Pure.

A wire that is open or shorted lands at a rail, where a formula says −77 or +352 °C: within `_RAIL` steps of either the
wire is judged, not the room. So is a chip that is not there (its data line low or high all the time).
"""

import math
from collections.abc import Sequence
from statistics import median

from daemons.heating.hardware.ds18b20 import Said
from daemons.heating.hardware.wiring import Ntc
from daemons.heating.state import Fault

__all__ = ["FULL", "celsius_of", "celsius_of_all"]

FULL = 1023
_RAIL = 6
"""Of 1023 steps: with 10 kΩ a short is 59 Ω or less, an open wire 1.7 MΩ or more; −40 to 125 °C lie well inside."""
_KELVIN = 273.15
_LOWEST, _HIGHEST = -50.0, 150.0


def celsius_of_all(raws: Sequence[int], ntc: Ntc) -> Said:
    """Return what several measurements at once come to: their median, so that one spike says nothing."""
    return celsius_of(round(median(raws)), ntc)


def celsius_of(raw: int, ntc: Ntc) -> Said:
    """Return the temperature of a thermistor by ten bits of a channel.

    1/T = 1/T25 + ln(R/R25)/B, or with the coefficients of Steinhart and Hart (Deep-Sea Research 15, 1968)
    1/T = a + b ln R + c (ln R)³.
    """
    if not 0 <= raw <= FULL:
        return Fault.RANGE
    if raw <= _RAIL or raw >= FULL - _RAIL:
        return Fault.SHORT if (raw <= _RAIL) is ntc.to_ground else Fault.OPEN
    share = raw / FULL
    ohms = ntc.series * (share / (1 - share) if ntc.to_ground else (1 - share) / share)
    if ntc.steinhart is not None:
        a, b, c = ntc.steinhart
        inverse = a + b * math.log(ohms) + c * math.log(ohms) ** 3
    else:
        inverse = 1 / (25 + _KELVIN) + math.log(ohms / ntc.r25) / ntc.beta
    if inverse <= 0:
        return Fault.RANGE
    celsius = 1 / inverse - _KELVIN
    return celsius if _LOWEST <= celsius <= _HIGHEST else Fault.RANGE
