"""The files of the kernel's 1-wire driver. All of this blocks, and belongs in threads."""

import time
from collections.abc import Callable
from pathlib import Path

from daemons.heating.hardware.ds18b20 import Said, read_w1_slave

__all__ = ["convert_all", "read_sensor"]

_TEXT_MAX = 4096
_POLL_S = 0.05


def read_sensor(folder: Path, rom: str) -> Said:
    """Return what a sensor says. Raises OSError when it is not there, or gone while it is read."""
    with (folder / rom / "w1_slave").open("rb", buffering=0) as file:
        return read_w1_slave(file.read(_TEXT_MAX))


def convert_all(folder: Path, within_s: float, clock: Callable[[], float] = time.monotonic) -> int:
    """Have all sensors of each bus convert at once, and wait for that; return how many buses can do it.

    Then reading them takes milliseconds each, not 0.75 s. A kernel without it, and a bus that this user may not write to
    (docs/heating-hardware.md has the udev rule), convert one by one, as they are read.
    """
    buses = []
    for trigger in sorted(folder.glob("w1_bus_master*/therm_bulk_read")):
        try:
            trigger.write_text("trigger\n")
        except OSError:
            continue
        buses.append(trigger)
    end = clock() + within_s
    while clock() < end and any(_is_converting(trigger) for trigger in buses):
        time.sleep(_POLL_S)
    return len(buses)


def _is_converting(trigger: Path) -> bool:
    try:
        return trigger.read_text().strip() == "-1"
    except OSError:
        return False
