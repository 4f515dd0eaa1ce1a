"""What a DS18B20 says, as the kernel's w1_therm shows it in `w1_slave`: a temperature, or why there is none. Pure.

    50 05 4b 46 7f ff 0c 10 1c : crc=1c YES
    50 05 4b 46 7f ff 0c 10 1c t=85000

The first line has the nine bytes that came this time and whether their CRC was right; the second what the kernel kept
from the last good time. So with a wrong CRC the second line is an old temperature, for ever: only the first is believed,
and its CRC is counted again here. Sources: Documentation/w1/slaves/w1_therm.rst and drivers/w1/slaves/w1_therm.c of the
kernel; data sheet of the DS18B20; for byte 6, which tells a sensor that has just got power (85.0 °C, and 0x0C there) from
one that measured 85.0 °C (0x10 less the lower half of byte 0: 0x10): github.com/cpetrich/counterfeit_DS18B20.
"""

import re

from daemons.heating.state import Fault

__all__ = ["Said", "crc8", "read_w1_slave"]

Said = float | Fault
"""°C, or why there is none."""

_LINE = re.compile(rb"((?:[0-9a-f]{2} ){9}): crc=[0-9a-f]{2} (YES|NO)\s*")
_LOWEST, _HIGHEST = -55.0, 125.0
_POWER_ON = 0x0550
_UNDEFINED = {0: 7, 1: 3, 2: 1, 3: 0}
"""By the resolution in byte 4 (9 to 12 bits): bits of the temperature that say nothing."""


def read_w1_slave(text: bytes) -> Said:
    """Return what a sensor said, by the whole text of its `w1_slave`."""
    lines = text.splitlines()
    if len(lines) != 2:
        return Fault.LOST  # empty: not yet converted, or gone while it was read
    found = _LINE.fullmatch(lines[0])
    if found is None:
        return Fault.LOST
    pad = bytes.fromhex(found[1].decode())
    if pad in (bytes(9), b"\xff" * 9):
        return Fault.LOST  # a bus that is shorted (whose CRC is right), one that nobody answers on
    if found[2] != b"YES" or crc8(pad[:8]) != pad[8]:
        return Fault.CRC
    raw = int.from_bytes(pad[:2], "little", signed=True)
    if raw == _POWER_ON and pad[6] != 0x10:
        return Fault.POWER_ON  # of a clone that has no such mark it is not known, and not guessed
    celsius = (raw & ~_UNDEFINED[pad[4] >> 5 & 3]) / 16
    return celsius if _LOWEST <= celsius <= _HIGHEST else Fault.RANGE


def crc8(data: bytes) -> int:
    """Return the CRC of a 1-wire device (Maxim, application note 27): x⁸ + x⁵ + x⁴ + 1, least bit first."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc
