"""What a boiler can be commanded to do: changes of its settings, inside the transaction that commits the result."""

from collections.abc import Callable
from functools import partial
from typing import get_args

from attrs import define

from daemons.heating.primary.primary import Primary
from daemons.pair.executor import Work
from protocol.heating import HeatAction
from protocol.messages import Action, Command, Reconnect

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
        work = self._change(action, by, against)
        if work is None:
            raise ValueError("this site heats, and does nothing else")
        return work

    def at_once(self, command: Command) -> Work | None:
        """Return what a command changes of the settings: it is done in the transaction that takes it. None: see `act`."""
        return self._change(command.action, command.issuer, command.against)

    def _change(self, action: Action, by: str, against: int) -> Work | None:
        if not isinstance(action, get_args(HeatAction)):
            return None
        now = self.primary.clock.instant()
        return partial(self.primary.change_in, action=action, by=by, against=against, now=now)
