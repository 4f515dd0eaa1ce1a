"""The relays and the alive output: gpiozero's devices over pins of ours, held as long as there are relays."""

from collections.abc import Callable, Mapping
from typing import Any

import trio
from attrs import define, field

from daemons.heating.hardware.port import HardwareError
from daemons.heating.hardware.wiring import Wiring

__all__ = ["Alive", "Relays"]


@define(eq=False)
class Relays:
    """By the id of an output. References are kept: one that is collected would let its relay go."""

    devices: dict[str, Any] = field(factory=dict)
    also_off: Callable[[], None] = field(default=lambda: None)
    """Done with all off: the alive output."""

    def claim(self, wiring: Wiring, factory: Any) -> None:
        """Claim every line at its level of off. Raises HardwareError, with those that were claimed closed again."""
        from gpiozero import DigitalOutputDevice

        for id_, relay in wiring.relays.items():
            try:
                self.devices[id_] = DigitalOutputDevice(
                    relay.pin, active_high=not relay.active_low, initial_value=False, pin_factory=factory
                )
            except Exception as exc:
                self.close()
                raise HardwareError(f"relay {id_}, GPIO {relay.pin}: {exc}", (id_,)) from exc

    def drive(self, outputs: Mapping[str, bool]) -> None:
        """Drive these, off before on. Raises HardwareError, after all were tried."""
        wrong = {id_: f"relay {id_} is not wired" for id_ in outputs if id_ not in self.devices}
        for id_ in sorted(outputs.keys() & self.devices.keys(), key=lambda id_: outputs[id_]):
            if words := self._set(id_, outputs[id_]):
                wrong[id_] = words
        if wrong:
            raise HardwareError("; ".join(wrong.values()), tuple(wrong))

    def all_off(self) -> None:
        """Drive all off. Raises HardwareError when some could not be, after all were tried."""
        wrong = {id_: words for id_ in self.devices if (words := self._set(id_, False))}
        try:
            self.also_off()
        except Exception as exc:
            wrong["alive"] = f"the alive output: {exc}"
        if wrong:
            raise HardwareError("; ".join(wrong.values()), tuple(wrong))

    def close(self) -> None:
        """Close all: each is driven off, then nothing is driven any more. What fails is left to the next layer."""
        for device in self.devices.values():
            try:
                device.close()
            except Exception:  # the line may be gone with its chip; the others are tried
                continue
        self.devices.clear()

    def _set(self, id_: str, is_on: bool) -> str:
        """Drive one, and look at its pin; return what is wrong, in words."""
        device = self.devices[id_]
        word = "on" if is_on else "off"
        try:
            device.value = is_on
            reads = bool(device.value)
        except Exception as exc:
            return f"relay {id_} ({device.pin}) could not be driven {word}: {exc}"
        return "" if reads is is_on else f"relay {id_} was driven {word}, and its pin is not: is it shorted?"


@define(eq=False)
class Alive:
    """An output that changes its level while cycles of control are completed, for a charge pump or a monostable in series
    with the boiler's relay.

    Trio changes it, in this loop: when the loop hangs it stands still at once, when control does `hold_s` later. Never
    gpiozero's `blink()`, whose thread goes on beside a program that hangs (measured: 20 edges in 1.0 s, ours 0).
    """

    device: Any
    half_s: float
    hold_s: float
    edges: int = field(default=0, init=False)
    is_high: bool = field(default=False, init=False)
    _until: float = field(default=-1.0, init=False)
    _more: trio.Event = field(factory=trio.Event, init=False)

    def pulse(self) -> None:
        """A cycle was completed: go on for another while."""
        self._until = trio.current_time() + self.hold_s
        self._more.set()

    def off(self) -> None:
        """Stand still, low."""
        self._until, self.is_high = -1.0, False
        self.device.off()

    async def run(self) -> None:
        """Change the level while there is reason to, until cancelled."""
        while True:
            await self._more.wait()
            self._more = trio.Event()
            while trio.current_time() < self._until:
                is_done = self._set(not self.is_high)
                self.edges += is_done
                await trio.sleep(self.half_s)
            self._set(False)

    def _set(self, is_high: bool) -> bool:
        try:
            self.device.value = is_high
        except Exception:  # it stands still then, which is what it is for
            return False
        self.is_high = is_high
        return True
