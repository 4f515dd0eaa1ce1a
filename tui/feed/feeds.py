"""All feeds of one operator's terminal: each daemon's in a nursery of its own, and the time that passes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import trio
from attrs import define

from daemons.ops.client import Unreachable
from tui.feed.drilling import Drilling
from tui.feed.feed import Feed, Pace
from tui.feed.sources import Source
from tui.model.chaos_values import HERE
from tui.model.model import Model

__all__ = ["Feeds", "open_feeds"]

TICK_S = 1.0


@define(eq=False)
class Feeds:
    """The feeds, whose model's clock is Trio's. `run` must be running.

    `act` is for the same Trio run; the other methods may be called from anywhere in its thread.
    """

    model: Model
    pace: Pace
    feeds: dict[str, Feed]
    drilling: Drilling | None = None
    is_recorded: bool = False
    """All is looked at, whatever is shown: who replays it will want to see more."""

    async def run(self) -> None:
        """Watch all daemons until cancelled. One that is lost does not touch the others."""
        for name in self.feeds:
            self.model.watch(name, trio.current_time())
        async with trio.open_nursery() as nursery:
            for feed in self.feeds.values():
                nursery.start_soon(feed.run)
            if self.drilling is not None:
                nursery.start_soon(self.drilling.run)
            while True:
                if self.is_recorded:
                    self._look(self.model.sites)
                    self.look_at_chaos(True)
                await trio.sleep(TICK_S)
                self.model.tick(trio.current_time())

    async def act(self, daemon: str, action: str, params: Mapping[str, Any]) -> Any:
        """Have a daemon do something, or this machine; return its result. Raises AdminError and Unreachable."""
        if daemon == HERE and self.drilling is not None:
            return await self.drilling.act(action, params)
        if daemon not in self.feeds:
            raise Unreachable(f"{daemon} is not watched here")
        return await self.feeds[daemon].act(action, params)

    def look_at_all(self, sites: Iterable[tuple[str, str]]) -> None:
        """Keep commands, dead letters and allowlists of these (daemon, site) up to date, until told otherwise."""
        if not self.is_recorded:
            self._look(sites)

    def look_for(self, trace: str) -> None:
        """Search the logs of all daemons for the lines of a trace, once."""
        for feed in self.feeds.values():
            feed.look_for(trace)

    def look_at_chaos(self, is_wanted: bool) -> None:
        """Keep faults and drills of all daemons up to date, until told otherwise, and look what can be played here."""
        for feed in self.feeds.values():
            feed.look_at_chaos(is_wanted or self.is_recorded)
        if is_wanted and self.drilling is not None and self.model.chaos.playables is None:
            self.drilling.look()

    def place(self, daemon: str) -> str:
        """Return what `--at` of the other commands takes to reach it; "" where it is found by itself."""
        return self.feeds[daemon].source.place if daemon in self.feeds else ""

    def _look(self, sites: Iterable[tuple[str, str]]) -> None:
        wanted = list(sites)
        for name, feed in self.feeds.items():
            feed.look_at(site for daemon, site in wanted if daemon == name)


def open_feeds(
    sources: Sequence[tuple[str, Source]], hz: float = 2.0, recorded: Model | None = None
) -> Feeds:
    """Return feeds of these daemons, (name, way to it), and the model that they keep. `recorded`: one that writes down what
    it is told."""
    model, pace = recorded or Model(), Pace()
    pace.set(hz)
    feeds = {name: Feed(name, source, model, pace) for name, source in sources}
    return Feeds(model, pace, feeds, is_recorded=recorded is not None)
