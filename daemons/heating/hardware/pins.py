"""Pins on gpiozero and lgpio that are never driven on by being constructed, closed or left behind.

What gpiozero 2.0.1's own pins do to a relay board that a low level energises (measured with a recording stand-in for
lgpio): constructing it off calls `claim_input`, `claim_output` (level 0: it is energised), `write 1`; `initial_value=None`
leaves it energised; closing makes the line an input without a pull, which floats. Ours claim the line once, as an output,
with the level of off and a pull towards it; close writes off and lets the line stay so. Who lets it go in the end is the
chip that is closed: a Pi's kernel leaves it driven as it is, off; a strict one makes it an input, whose pull says off.
"""

import importlib.util
import sys
from collections import defaultdict
from contextlib import suppress
from threading import Lock
from types import ModuleType
from typing import Any, cast

__all__ = ["open_pins"]

_PI_3B = 0xA02082
"""The board that a latch stands for."""


def open_pins(lgpio: Any, chip: int | str | None = None) -> Any:
    """Return a gpiozero pin factory of ours over `lgpio`: that module, or what has its functions.

    `chip`: None finds that of the header; a path is a latch's. Raises what `lgpio` does.
    """
    module = _lgpio_pins(lgpio)
    pin_class = _own_pin(module, lgpio)

    class OwnFactory(module.LGPIOFactory):  # type: ignore[misc, name-defined]
        """gpiozero keeps the pins of all factories together; ours are their own."""

        def __init__(self) -> None:
            super().__init__(chip)
            self.pins: dict[Any, Any] = {}
            self._reservations: defaultdict[int, list[Any]] = defaultdict(list)
            self._res_lock = Lock()
            self.pin_class = pin_class

        def _get_revision(self) -> int:
            return _PI_3B if isinstance(chip, str) else cast(int, super()._get_revision())

    return OwnFactory()


def _lgpio_pins(lgpio: Any) -> ModuleType:
    """Return gpiozero's module of lgpio pins, its own code, bound to this lgpio: it knows the one that it imports first."""
    spec = importlib.util.find_spec("gpiozero.pins.lgpio")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get("lgpio")
    sys.modules["lgpio"] = lgpio
    try:
        spec.loader.exec_module(module)
    finally:
        if before is None:
            del sys.modules["lgpio"]
        else:
            sys.modules["lgpio"] = before
    module.LGPIOHardwareSPIShared._instances = {}  # not those of another factory
    return module


def _own_pin(module: ModuleType, lgpio: Any) -> type:
    class OwnPin(module.LGPIOPin):  # type: ignore[misc, name-defined]
        """`output_with_state` is to be called first with the level of off; `close` goes back to it."""

        def __init__(self, factory: Any, info: Any) -> None:
            # Not lgpio's own, which claims an input: a relay's line would float.
            super(module.LGPIOPin, self).__init__(factory, info)
            self._pwm = self._bounce = None
            self._callback: Any = None
            self._edges = lgpio.BOTH_EDGES
            self._off: bool | None = None

        def output_with_state(self, state: bool) -> None:
            """Claim the line as an output that is at this level from the first moment on."""
            pull = lgpio.SET_PULL_UP if state else lgpio.SET_PULL_DOWN
            lgpio.gpio_claim_output(self.factory._handle, self._number, int(state), pull)
            self._off = bool(state)

        def _set_state(self, value: bool) -> None:
            """Write, without asking the kernel first whether it is an output: a write to none fails."""
            lgpio.gpio_write(self.factory._handle, self._number, int(value))

        def close(self) -> None:
            """Drive an output off and leave it so; an input stays what it is until the chip is closed.

            Never raises: gpiozero closes one pin after the other, then the chip, and what it collects. Whether a relay is
            off `Relays.all_off` has found out and told before.
            """
            if self.factory._handle is None:
                return
            if self._off is not None:
                with suppress(lgpio.error):
                    lgpio.gpio_write(self.factory._handle, self._number, int(self._off))
            elif self._callback is not None:
                self._callback.cancel()
                self._callback = None

    return OwnPin
