"""Keeps the model up to date with the faults of one daemon, and the drills on it: while somebody looks, or there are any."""

import math
from collections.abc import Callable

import trio
from attrs import define, field

from daemons.ops.client import AdminClient, AdminError
from tui.model.model import Model

__all__ = ["ChaosLook"]

WANTED_S = 1.0
"""How often it is asked while somebody looks; how long a lease still is counts on by itself in between."""

KNOWN_S = 5.0
LIST, KINDS = "chaos.list", "chaos.kinds"


@define(eq=False)
class ChaosLook:
    """Of the daemon `name`. `run` it while connected; the other methods may be called from anywhere in the thread."""

    name: str
    model: Model
    now: Callable[[], float]
    _is_wanted: bool = field(default=False, init=False)
    _stood: tuple[object, ...] = field(default=(0, ()), init=False)
    _is_other: bool = field(default=False, init=False)
    _news: trio.Event = field(factory=trio.Event, init=False)

    def want(self, is_wanted: bool) -> None:
        """Keep it up to date from now on, or only while the daemon says that there is something."""
        if is_wanted != self._is_wanted:
            self._is_wanted = is_wanted
            self._news.set()

    def again(self) -> None:
        """Ask at once."""
        self._news.set()

    def stands(self) -> None:
        """Look at what a status just told: if that is something else, there is news."""
        stood = self._stands_now()
        if stood != self._stood:
            self._stood = stood
            self._is_other = True
            self._news.set()

    async def run(self, client: AdminClient) -> None:
        """Ask until cancelled. Raises Unreachable, and ValueError for an answer that is none."""
        kinds_asked = False
        while True:
            self._news = trio.Event()
            is_due = self._is_wanted or any(self._stands_now())
            # What is over is asked for once more: how a drill ended is not in the status.
            is_over, self._is_other = self._is_other and not is_due, False
            if (is_due or is_over) and self.model.offers(self.name, LIST):
                try:
                    told = await client.act(LIST)
                    self.model.chaos_told(self.name, told, self.now())
                    if self._is_wanted and not kinds_asked and self.model.offers(self.name, KINDS):
                        kinds_asked = True
                        self.model.chaos_kinds_told(self.name, await client.act(KINDS))
                except AdminError:
                    pass  # refused: what the status says of it is known
            with trio.move_on_after(WANTED_S if self._is_wanted else KNOWN_S if is_due else math.inf):
                await self._news.wait()

    def _stands_now(self) -> tuple[object, ...]:
        return (self.model.chaos.faults_on(self.name), self.model.chaos.drills_on(self.name))
