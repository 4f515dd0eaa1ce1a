"""Searches the log of one daemon for the lines of a trace, those of before the terminal began too."""

import trio
from attrs import define, field

from daemons.ops.client import AdminClient, AdminError
from tui.model.model import Model
from tui.model.tracebook import ROWS_MAX

__all__ = ["TraceLook"]


@define(eq=False)
class TraceLook:
    """Of the daemon `name`. `run` it while connected; `look_for` may be called from anywhere in the thread."""

    name: str
    model: Model
    _wanted: str = field(default="", init=False)
    _news: trio.Event = field(factory=trio.Event, init=False)

    def look_for(self, trace: str) -> None:
        """Search for this one, once; before a connection is there, as soon as it is. One that waits is forgotten."""
        self._wanted = trace
        self._news.set()

    async def run(self, client: AdminClient) -> None:
        """Search as it is wanted, until cancelled. Raises Unreachable, and ValueError for an answer that is none."""
        while True:
            self._news = trio.Event()
            if self._wanted:
                await self._search(client, self._wanted)
            await self._news.wait()

    async def _search(self, client: AdminClient, trace: str) -> None:
        try:
            async with client.log(count=ROWS_MAX, trace=trace) as lines:
                found = [line async for line in lines]
        except AdminError:
            return  # then what came by itself is all that is known
        try:
            self.model.traced(self.name, trace, found)
        except (KeyError, TypeError) as exc:
            raise ValueError(f"its log has a line that is none ({exc!r})") from exc
        if self._wanted == trace:
            self._wanted = ""
