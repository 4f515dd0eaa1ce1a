"""The port through which a daemon is broken on purpose: bound by the command line where the config allows it."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from daemons.link.tampering import Tampering
from daemons.ops.faultsinside import FaultsInside

__all__ = ["Hazards", "LookUp", "StreamWrapper"]

StreamWrapper = Callable[[trio.abc.Stream], trio.abc.Stream]
"""Puts faults below the WebSocket, and above TLS."""

LookUp = Callable[[str], Awaitable[None]]
"""Called before a name is looked up; raises OSError where that is to fail, and waits where it is to take long."""


class Hazards(FaultsInside, Protocol):
    """What breaks one daemon."""

    def wrapper(self, site: str) -> StreamWrapper:
        """Return what wraps each connection of the link with `site`."""

    def tampering(self, site: str) -> Tampering:
        """Return what its frames come by."""

    async def look_up(self, host: str) -> None:
        """See LookUp."""
