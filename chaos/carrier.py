"""The port through which faults get to whatever carries them: a relay, a daemon itself, or the simulated network.

Who plays a scenario keeps the time: it calls `place` or `deed` when a step begins and `remove` when it ends.
"""

from typing import Final, Protocol

from chaos.faults import Placed
from chaos.scenario import Deed

__all__ = ["DRILL_PREFIX", "Carrier", "CarrierError", "NotBack", "NotCarried"]


DRILL_PREFIX: Final = "drill."
"""Before the names of faults that drills place: others are their owners' business."""


class CarrierError(Exception):
    """What was asked cannot be carried, or the carrier does not answer; `args[0]` says why in words."""


class NotCarried(CarrierError):
    """This carrier does not do such faults, or not there: another one may."""


class NotBack(CarrierError):
    """A machine does not come back as it should: that is its fault, not the carrier's."""


class Carrier(Protocol):
    """Carries faults, each under the name of its step.

    `lease_s`: without `renew` in this time the fault ends by itself; what carries it sees to that, not who placed it.
    Every method raises CarrierError.
    """

    async def place(self, step_name: str, target: str, placed: Placed, lease_s: float) -> None:
        """Begin a fault, or change the one of this name. Raises NotCarried for what it cannot carry."""

    async def deed(self, step_name: str, deed: Deed, lease_s: float) -> None:
        """Begin to do something to a machine; returns when it is seen to be done (a process has ended).

        A machine that is taken down stays down until `remove`, which for "restore" puts the backup in place first.
        Raises NotCarried for what it cannot do.
        """

    async def remove(self, step_name: str) -> None:
        """End what has this name; returns when it has ended (a process that was started again is asked for).

        A name that is not there: nothing happens, its lease may have ended.
        """

    async def renew(self) -> None:
        """Begin all leases anew."""

    async def reset(self) -> None:
        """End everything that a drill placed, whoever ran it; may be called at any time and again."""

    async def touched(self, step_name: str) -> int:
        """Return what the fault has met so far (connections, messages or deeds done): also after its end."""

    async def left_over(self) -> list[str]:
        """Return what is in force, a line of words each; [] after `reset`."""
