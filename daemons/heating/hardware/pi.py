"""The hardware of a house at a Pi, or at a latch that stands for its pins: one code above the pins."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio
from attrs import define, field

from daemons.heating.hardware.contacts import Contacts
from daemons.heating.hardware.ds18b20 import Said
from daemons.heating.hardware.latchpins import LatchLgpio
from daemons.heating.hardware.ntc import celsius_of_all
from daemons.heating.hardware.offnote import Note, write_note
from daemons.heating.hardware.pins import open_pins
from daemons.heating.hardware.port import HardwareError
from daemons.heating.hardware.relays import Alive, Relays
from daemons.heating.hardware.sensing import ReadSensor, Sensing
from daemons.heating.hardware.strict import strict_words
from daemons.heating.hardware.w1bus import convert_all, read_sensor
from daemons.heating.hardware.wiring import Ntc, Wiring
from daemons.heating.state import Fault, Inputs, Reading

__all__ = ["PiHardware", "open_pi"]

_log = structlog.stdlib.get_logger("pitlink.heating")

_SAMPLES = 5
"""Of a thermistor at once: a relay that switches makes a spike in one."""


def _nobody() -> None:
    pass


@define(eq=False)
class PiHardware:
    """See `port.Hardware`. Made by `open_pi`, which also closes it."""

    relays: Relays
    contacts: Contacts
    sensing: Sensing
    alive: Alive | None
    strict: str
    opened_at: float
    on_change: Callable[[], None] = _nobody
    _off: str = field(default="", init=False)

    def inputs(self) -> Inputs:
        """Return the newest of everything; a sensor that was not read yet is lost."""
        lost = Reading(self.opened_at, fault=Fault.LOST)
        readings = {name: self.sensing.readings.get(name, lost) for name in self.sensing.sensors}
        return Inputs(readings, self.contacts.read())

    def drive(self, outputs: Mapping[str, bool]) -> None:
        self._off = ""
        try:
            self.relays.drive(outputs)
        except HardwareError as exc:
            self._off = str(exc)
            raise

    def all_off(self) -> None:
        self.relays.all_off()

    def pulse(self) -> None:
        if self.alive is not None:
            self.alive.pulse()

    def warnings(self) -> Mapping[str, str]:
        """Return what is not as it should be: name → words."""
        hanging = self.sensing.hanging
        told = {
            "gpio.strict": self.strict,
            "gpio.relays": self._off,
            "sensors.hanging": f"{', '.join(hanging)}: reading does not come back" if hanging else "",
        }
        return {name: words for name, words in told.items() if words}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read sensors, tell of contacts, let the alive output go, until cancelled."""
        self.contacts.begin()
        async with trio.open_nursery() as nursery:
            if self.alive is not None:
                nursery.start_soon(self.alive.run)
            await nursery.start(self.sensing.run)
            task_status.started()


@contextmanager
def open_pi(
    wiring: Wiring,
    *,
    mono: Callable[[], float] = time.monotonic,
    relays_file: Path | None = None,
    speed: float = 1.0,
) -> Iterator[PiHardware]:
    """Claim all lines, relays at off, and give the hardware; at the end, whatever the reason, all are driven off and let go.

    `mono`: readings are stamped with it; `speed`: how much faster the house's time goes than ours (only in demos): sensors
    are read the more often. `relays_file`: where the note for the relays-off helper is kept. Raises HardwareError; OSError
    when the note cannot be written: without it no relay is driven.
    """
    with ExitStack() as stack:
        factory = _open_factory(wiring)
        stack.callback(factory.close)
        if relays_file is not None:
            write_note(relays_file, _note(wiring, factory.chip))
        relays = Relays()
        stack.callback(relays.close)  # drives all off, and before the chip is closed
        relays.claim(wiring, factory)
        alive = _alive(wiring, factory, stack)
        if alive is not None:
            relays.also_off = alive.off
        hardware = PiHardware(
            relays,
            Contacts(lambda: hardware.on_change()),
            _sensing(wiring, factory, stack, mono, speed),
            alive,
            strict_words() if wiring.gpio == "pi" else "",
            mono(),
        )
        stack.callback(hardware.contacts.close)
        hardware.contacts.claim(wiring, factory)
        stack.callback(_last_off, hardware)
        yield hardware


def _last_off(hardware: PiHardware) -> None:
    try:
        hardware.all_off()
    except HardwareError as exc:
        _log.error("relays.not_off", words=str(exc))


def _open_factory(wiring: Wiring) -> Any:
    """Return the pins. Raises HardwareError."""
    try:
        if wiring.gpio != "pi":
            return open_pins(LatchLgpio(), wiring.gpio.removeprefix("latch:"))
        import lgpio

        return open_pins(lgpio)
    except ImportError as exc:
        remedy = "apt-get install python3-lgpio" if exc.name == "lgpio" else 'pip install "pitlink[boiler]"'
        raise HardwareError(f"{exc}: {remedy} (docs/heating-hardware.md)") from exc
    except Exception as exc:
        raise HardwareError(f"the pins cannot be opened: {exc}") from exc


def _note(wiring: Wiring, chip: int | str) -> Note:
    lines = {relay.pin: int(relay.active_low) for relay in wiring.relays.values()}
    if wiring.alive is not None:
        lines[wiring.alive] = 0
    return Note(wiring.gpio, chip if isinstance(chip, int) else 0, lines)


def _alive(wiring: Wiring, factory: Any, stack: ExitStack) -> Alive | None:
    from gpiozero import DigitalOutputDevice

    if wiring.alive is None:
        return None
    try:
        device = stack.enter_context(DigitalOutputDevice(wiring.alive, pin_factory=factory))
    except Exception as exc:
        raise HardwareError(f"the alive output, GPIO {wiring.alive}: {exc}") from exc
    return Alive(device, wiring.alive_half_s, wiring.alive_hold_s)


def _sensing(
    wiring: Wiring, factory: Any, stack: ExitStack, mono: Callable[[], float], speed: float
) -> Sensing:
    sensors: dict[str, ReadSensor] = {
        id_: partial(read_sensor, wiring.w1_folder, rom) for id_, rom in wiring.ds18b20.items()
    }
    for id_, ntc in wiring.ntc.items():
        sensors[id_] = _thermistor(id_, ntc, factory, stack)
    prepare = partial(convert_all, wiring.w1_folder, wiring.deadline_s * 0.8) if wiring.ds18b20 else None
    return Sensing(sensors, mono, max(wiring.read_s / speed, 0.5), wiring.deadline_s, prepare)


def _thermistor(id_: str, ntc: Ntc, factory: Any, stack: ExitStack) -> ReadSensor:
    from gpiozero import MCP3008
    from gpiozero.exc import SPISoftwareFallback

    try:
        with warnings.catch_warnings():
            # SPI by software measured 3 °C beside that by hardware (gpiozero issue 555): rather none.
            warnings.simplefilter("error", SPISoftwareFallback)
            chip = stack.enter_context(MCP3008(ntc.channel, device=ntc.device, pin_factory=factory))
    except Exception as exc:
        raise HardwareError(f"sensor {id_}, channel {ntc.channel} of the MCP3008: {exc}", (id_,)) from exc

    def read() -> Said:
        return celsius_of_all([chip.raw_value for _ in range(_SAMPLES)], ntc)

    return read
