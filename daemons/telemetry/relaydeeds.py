"""What a relay can be commanded to do from afar: dial anew. What is captured and kept is the driver's own affair."""

from collections.abc import Callable

from attrs import define

from daemons.pair.executor import Work
from protocol.messages import Action, Reconnect

__all__ = ["RelayDeeds"]


@define(eq=False)
class RelayDeeds:
    """The deeds of one relay, for `daemons.pair.executor`."""

    reconnect: Callable[[], None]

    async def act(self, action: Action, by: str, against: int) -> str | Work:
        """Do it. Raises ValueError for what a relay does not do."""
        if not isinstance(action, Reconnect):
            raise ValueError("this site captures telemetry, and does nothing else")
        self.reconnect()
        return "reconnecting"
