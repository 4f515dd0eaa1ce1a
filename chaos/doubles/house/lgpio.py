"""In the place of the module lgpio, in this process: it records what is called, in order, and has lines as a Pi's kernel has.

What a program calls is compared with what it should; what the lines do by it (a relay that is energised on the way) is in
`lines`. As with lgpio, a call of an edge comes from a thread that is not the caller's.
"""

import threading
import time
from collections.abc import Callable

from attrs import define, field

from .lines import Busy, Lines, NotOurs

__all__ = ["RecordingLgpio", "error"]

_UP, _DOWN, _NONE = 32, 64, 128
_PULLS = {0: "", _UP: "up", _DOWN: "down", _NONE: "none"}
_FLAGS = {pull: flag for flag, pull in _PULLS.items()}

Told = Callable[[int, int, int, int], None]


class error(Exception):  # noqa: N801  (lgpio's own name)
    """What lgpio raises."""


@define(eq=False)
class RecordingLgpio:
    """`calls`: ("claim_output", pin, level) and the like, as they came. `fails`: calls that raise, as ("write", pin)."""

    error = error
    RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3
    SET_PULL_UP, SET_PULL_DOWN, SET_PULL_NONE = _UP, _DOWN, _NONE

    lines: Lines = field(factory=Lines)
    calls: list[tuple[object, ...]] = field(factory=list)
    fails: set[tuple[str, int]] = field(factory=set)
    shorted: dict[int, int] = field(factory=dict)
    """Pins that have this level whatever drives them."""
    adc: dict[int, int] = field(factory=dict)
    stuck: threading.Event | None = None
    """A transfer over SPI waits for this one."""
    _told: dict[int, Told] = field(factory=dict, init=False)
    _handles: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.lines.on_edge = self._edge

    def outside(self, pin: int, level: int | None) -> None:
        """Drive a pin from outside; its edge is told before this returns, in another thread."""
        self.lines.outside(time.monotonic(), pin, level)

    def _edge(self, owner: object, pin: int, level: int) -> None:
        if (told := self._told.get(pin)) is not None:
            thread = threading.Thread(target=told, args=(0, pin, level, time.monotonic_ns()), name="lgpio")
            thread.start()
            thread.join()

    def _call(self, what: str, pin: int, *more: object) -> None:
        self.calls.append((what, pin, *more))
        if (what, pin) in self.fails:
            raise error(f"{what} of GPIO {pin} failed")

    def gpiochip_open(self, chip: int) -> int:
        self.calls.append(("open", chip))
        self._handles += 1
        return self._handles

    def gpiochip_close(self, handle: int) -> None:
        self.calls.append(("close", handle))
        self.lines.gone(handle, time.monotonic())

    def gpio_claim_output(self, handle: int, pin: int, level: int = 0, flags: int = 0) -> None:
        self._call("claim_output", pin, int(level), _PULLS[flags])
        try:
            self.lines.claim_output(handle, time.monotonic(), pin, int(level), _PULLS[flags])
        except Busy:
            raise error("GPIO busy") from None

    def gpio_claim_input(self, handle: int, pin: int, flags: int = 0) -> None:
        self._call("claim_input", pin, _PULLS[flags])
        self.lines.claim_input(handle, time.monotonic(), pin, _PULLS[flags])

    def gpio_claim_alert(self, handle: int, pin: int, edges: int, flags: int = 0) -> None:
        self._call("claim_alert", pin, _PULLS[flags])
        self.lines.claim_input(handle, time.monotonic(), pin, _PULLS[flags], listens=True)

    def gpio_free(self, handle: int, pin: int) -> None:
        self._call("free", pin)
        self.lines.free(handle, time.monotonic(), pin)

    def gpio_write(self, handle: int, pin: int, level: int) -> None:
        self._call("write", pin, int(level))
        try:
            self.lines.write(handle, time.monotonic(), pin, int(level))
        except NotOurs as exc:
            raise error(str(exc)) from None

    def gpio_read(self, handle: int, pin: int) -> int:
        if ("read", pin) in self.fails:
            raise error(f"read of GPIO {pin} failed")
        return self.shorted.get(pin, self.lines.lines[pin].now() or 0)

    def gpio_get_mode(self, handle: int, pin: int) -> int:
        line = self.lines.lines[pin]
        return (2 if line.is_output else 0) | _FLAGS[line.pull]

    def gpio_set_debounce_micros(self, handle: int, pin: int, micros: int) -> None:
        self._call("debounce", pin, micros)

    def callback(self, handle: int, pin: int, edges: int, told: Told) -> "_Callback":
        self._told[pin] = told
        return _Callback(self._told, pin)

    def spi_open(self, port: int, device: int, baud: int, flags: int = 0) -> int:
        self.calls.append(("spi_open", device))
        return 100 + device

    def spi_close(self, handle: int) -> None:
        self.calls.append(("spi_close", handle - 100))

    def spi_xfer(self, handle: int, data: list[int]) -> tuple[int, list[int]]:
        """Answer as an MCP3008 does."""
        if self.stuck is not None:
            self.stuck.wait()
        raw = self.adc.get(data[1] >> 4 & 7, 0)
        return 3, [0, raw >> 8 & 3, raw & 255]


class _Callback:
    def __init__(self, told: dict[int, Told], pin: int) -> None:
        self._told, self._pin = told, pin

    def cancel(self) -> None:
        self._told.pop(self._pin, None)
