"""The port through which faults that know what messages mean are put between a connection and its frames."""

from collections.abc import Callable, Sequence
from typing import Protocol

from protocol.frames import Frame

__all__ = ["Tamper", "Tampering"]


class Tamper(Protocol):
    """Of one connection; used by its tasks only. What it is given it returns, or leaves out, or says later."""

    @property
    def is_armed(self) -> bool:
        """Is there anything to be done to frames now? Asked for each message that is sent."""

    def outgoing(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Return what is left of a message that is about to be compressed and sent; nothing: it is not sent."""

    def incoming(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Return what is left of a message that has come; nothing: it is as if it had not come."""

    async def run(self, send: Callable[[Frame], None], take: Callable[[Frame], None]) -> None:
        """Say what comes late, or again, until cancelled. What `send` is given comes by `outgoing` once more.

        `take` raises as the connection's reader does; that is to be let through.
        """


Tampering = Callable[[], Tamper]
"""Called for each connection as it begins."""
