"""What is wired to which pin, bus and channel. Values only; `problems` says what cannot be."""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

__all__ = ["Ntc", "RelayPin", "Wiring"]

_PINS = range(2, 28)  # of the header; 0 and 1 belong to the HAT's EEPROM
_SPI_PINS = {7: "CE1", 8: "CE0", 9: "MISO", 10: "MOSI", 11: "SCLK"}
_DS18B20 = re.compile(r"28-[0-9a-f]{12}")


@frozen
class RelayPin:
    """The pin (its GPIO number) of a relay. `active_low`: a low level energises it, as most relay boards want."""

    pin: int
    active_low: bool = False


@frozen(kw_only=True)
class Ntc:
    """A thermistor at a channel of an MCP3008, in series with a resistor, the reference voltage over both.

    By its Beta value, or by the three coefficients of Steinhart and Hart when those are given.
    """

    channel: int
    device: int = 0
    """The chip's select line: 0 (CE0) or 1 (CE1)."""
    r25: float = 10_000.0
    """Ω at 25 °C."""
    beta: float = 3950.0
    steinhart: tuple[float, float, float] | None = None
    series: float = 10_000.0
    """Ω of the resistor."""
    to_ground: bool = True
    """The thermistor lies between channel and ground; False: between channel and reference."""


@frozen(kw_only=True)
class Wiring:
    """Everything. Ids are those of the plant: its outputs, contacts and sensors.

    `gpio`: "pi", or "latch:/path/of/a/socket" for the double that stands for a Pi's pins.
    """

    gpio: str = "pi"
    relays: Mapping[str, RelayPin] = field(factory=dict)
    contacts: Mapping[str, int] = field(factory=dict)
    """Each closes its pin to ground; the pin is pulled up."""
    ds18b20: Mapping[str, str] = field(factory=dict)
    ntc: Mapping[str, Ntc] = field(factory=dict)
    alive: int | None = None
    alive_half_s: float = 0.2
    """The alive output changes its level so often while cycles are completed: 2.5 Hz."""
    alive_hold_s: float = 25.0
    """And for so long after the last completed cycle: two and a half of them."""
    w1_folder: Path = Path("/sys/bus/w1/devices")
    read_s: float = 10.0
    """From one reading of all sensors to the next."""
    deadline_s: float = 3.0
    """A sensor that has not answered by then is lost. A DS18B20 takes 0.75 s, two when the bus is busy."""
    debounce_s: float = 0.05

    def problems(self) -> list[str]:
        """Return all that cannot be, in words."""
        return [*self._pin_problems(), *self._sensor_problems()]

    def _pin_problems(self) -> list[str]:
        users: defaultdict[int, list[str]] = defaultdict(list)
        for id_, relay in self.relays.items():
            users[relay.pin].append(f"relay {id_}")
        for id_, pin in self.contacts.items():
            users[pin].append(f"contact {id_}")
        if self.alive is not None:
            users[self.alive].append("the alive output")
        if self.ntc:
            for pin, name in _SPI_PINS.items():
                if pin in users:
                    users[pin].append(f"SPI ({name}), which the MCP3008 needs")
        said = []
        if self.gpio != "pi" and not self.gpio.removeprefix("latch:").startswith("/"):
            said.append(f'gpio is "pi" or "latch:/path/of/a/socket", not {self.gpio!r}')
        for pin, who in sorted(users.items()):
            if pin not in _PINS:
                said.append(f"{who[0]}: GPIO {pin} is not on the header (2 to 27)")
            if len(who) > 1:
                said.append(f"GPIO {pin} is given to {' and to '.join(who)}")
        return said

    def _sensor_problems(self) -> list[str]:
        both = self.ds18b20.keys() & self.ntc.keys()
        said = [f"sensor {id_} is a DS18B20 and an NTC" for id_ in sorted(both)]
        roms: defaultdict[str, list[str]] = defaultdict(list)
        for id_, rom in self.ds18b20.items():
            roms[rom].append(id_)
            if not _DS18B20.fullmatch(rom):
                said.append(
                    f'sensor {id_}: a DS18B20 is called "28-" and twelve hexadecimal digits, not {rom!r}'
                )
        channels: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
        for id_, ntc in self.ntc.items():
            channels[ntc.device, ntc.channel].append(id_)
            if ntc.channel not in range(8) or ntc.device not in (0, 1):
                said.append(f"sensor {id_}: an MCP3008 has channels 0 to 7, and SPI the devices 0 and 1")
            if min(ntc.r25, ntc.beta, ntc.series) <= 0:
                said.append(f"sensor {id_}: r25, beta and series are more than 0")
        said += [
            f"DS18B20 {rom} is given to {' and to '.join(ids)}" for rom, ids in roms.items() if len(ids) > 1
        ]
        said += [
            f"channel {channel} of MCP3008 {device} is given to {' and to '.join(ids)}"
            for (device, channel), ids in channels.items()
            if len(ids) > 1
        ]
        return said
