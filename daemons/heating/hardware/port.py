"""What control asks of the pins and sensors of a house: the same on a Pi, before the latch double, in simulations."""

from collections.abc import Callable, Mapping
from typing import Protocol

import trio

from daemons.heating.state import Inputs

__all__ = ["Hardware", "HardwareError"]


class HardwareError(Exception):
    """A line could not be driven, or does not do what it was told. In words; which relays, by their ids, in `of`."""

    def __init__(self, words: str, of: tuple[str, ...] = ()) -> None:
        super().__init__(words)
        self.of = of


class Hardware(Protocol):
    """To be used by one task, in Trio's thread. `on_change`: called there when a contact may have changed; at most once
    for any number of edges, so it says "go and look", not what happened."""

    on_change: Callable[[], None]

    def inputs(self) -> Inputs:
        """Return the newest of everything, without waiting: what did not answer in time is `Fault.LOST`."""

    def drive(self, outputs: Mapping[str, bool]) -> None:
        """Drive the named relays, off before on; those not named stay. The same again is harmless, and mends what somebody
        else did to a pin. Raises HardwareError, which names those that do not obey, after all were tried."""

    def all_off(self) -> None:
        """Drive every relay and the alive output off. Raises HardwareError, never before every line was tried."""

    def pulse(self) -> None:
        """Say that a cycle of control was completed: the alive output goes on for a while."""

    def warnings(self) -> Mapping[str, str]:
        """Return what is not as it should be, for the registry of health: name → words."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read the sensors, again and again, until cancelled. Started: each was asked once, or its deadline is over."""
