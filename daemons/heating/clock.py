"""The time of the house: what control, schedules, events and samples go by. Link, audit and commands go by real time.

It is this machine's own time, but in a demonstration, where it runs `speed` times as fast.
"""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

from attrs import define, evolve, field

from daemons.heating.state import Inputs, Instant
from daemons.ops.environment import Environment

__all__ = ["HouseClock", "was_clock_set"]

SANE_UTC = 1_735_689_600.0
"""2025-01-01: a clock before this was never set."""

_MODEL = Path("/proc/device-tree/model")
_TIMEX_BYTES = 1024  # of struct timex, on any system; all zero: only look
_TIME_ERROR = 5  # adjtimex(2): nobody has set this clock since the boot, or long ago


def was_clock_set(model: Path = _MODEL) -> bool:
    """Has somebody set this machine's wall clock since it booted? A Raspberry Pi starts with the time at which it was last
    on, and knows better when a time server has answered; other machines have a clock that runs on a battery."""
    try:
        if "Raspberry Pi" not in model.read_text(errors="replace"):
            return True
        return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))) not in (
            -1,
            _TIME_ERROR,
        )
    except FileNotFoundError:
        return True  # no device tree: no Pi
    except (OSError, AttributeError):
        return False


@define(eq=False)
class HouseClock:
    """`since`: UTC seconds at which the house's time and this machine's are the same; None: now. With the same `since` a
    demonstration goes on after a restart where it was. `mono`: seconds of this boot. `was_set` is asked until it says
    yes; what was set stays so."""

    environment: Environment
    speed: float = 1.0
    since: float | None = None
    was_set: Callable[[], bool] = was_clock_set
    mono: Callable[[], float] = time.monotonic
    boot: str = field(init=False)
    offset: float = field(init=False)
    """House time = UTC × speed + offset."""
    _is_set: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.boot = self.environment.boot_id().decode("ascii", "replace")
        since = self.environment.utc_now() if self.since is None else self.since
        self.offset = since * (1.0 - self.speed)

    def instant(self) -> Instant:
        """Return now."""
        utc = self.environment.utc_now()
        self._is_set = self._is_set or (utc >= SANE_UTC and self.was_set())
        return Instant(self.mono() * self.speed, utc * self.speed + self.offset, self.boot, self._is_set)

    def known_set(self, boot: str) -> None:
        """Note that in this boot the clock had been set: known from before a restart of the daemon."""
        self._is_set = self._is_set or boot == self.boot

    def real_s(self, house_s: float) -> float:
        """Return how long so many seconds of the house take."""
        return house_s / self.speed

    def of_inputs(self, inputs: Inputs) -> Inputs:
        """Return what the hardware read, by this machine's monotonic clock, with the house's instants."""
        if self.speed == 1.0:
            return inputs
        readings = {id_: evolve(one, mono=one.mono * self.speed) for id_, one in inputs.readings.items()}
        return evolve(inputs, readings=readings)
