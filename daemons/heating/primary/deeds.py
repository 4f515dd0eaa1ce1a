"""What a boiler can be commanded to do: changes of its settings, inside the transaction that commits the result."""

from collections.abc import Callable
from functools import partial
from typing import get_args

from attrs import define

from daemons.heating.primary.primary import Primary
from daemons.pair.executor import Work
from protocol.heating import HeatAction
from protocol.messages import Action, Reconnect

__all__ = ["HouseDeeds"]


@define(eq=False)
class HouseDeeds:
    """The deeds of one house, for `daemons.pair.executor`."""

    primary: Primary
    reconnect: Callable[[], None]

    async def act(self, action: Action, by: str, against: int) -> str | Work:
        """Return what is to be done with the settings; do what is the link's. Raises ValueError for what is neither."""
        if isinstance(action, Reconnect):
            self.reconnect()
            return "reconnecting"
        if not isinstance(action, get_args(HeatAction)):
            raise ValueError("this site heats, and does nothing else")
        now = self.primary.clock.instant()
        return partial(self.primary.change_in, action=action, by=by, against=against, now=now)
