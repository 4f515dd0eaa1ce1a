"""Follows the car of a driver of one daemon while somebody looks at it: samples, cars, fuel, tyres, the track."""

from collections.abc import Callable, Iterable

import trio
from attrs import define, field

from daemons.ops.client import AdminClient, AdminError
from tui.model.model import Model

__all__ = ["CarLook"]

BACK_S = 60.0
"""What is shown at once: as much as the traces have room for."""

AGAIN_S = 2.0
"""The daemon ends its streams when it stops, and refuses a driver who was put out."""


@define(eq=False)
class CarLook:
    """Of the daemon `name`. `run` it while connected; `want` may be called from anywhere in the thread."""

    name: str
    model: Model
    now: Callable[[], float]
    _wanted: frozenset[str] = field(default=frozenset(), init=False)
    _scope: trio.CancelScope | None = field(default=None, init=False)
    _news: trio.Event = field(factory=trio.Event, init=False)

    def want(self, sites: Iterable[str]) -> None:
        """Follow those of these that are drivers, from now on, and no others."""
        self._wanted = frozenset(sites)
        self._news.set()
        if self._scope is not None:
            self._scope.cancel(reason="another car is looked at")

    async def run(self, client: AdminClient) -> None:
        """Follow until cancelled. Raises Unreachable, and ValueError for what is told and cannot be."""
        while True:
            self._news = trio.Event()
            drivers = [
                name for name in sorted(self._wanted) if (self.name, name) in self.model.services.telemetry
            ]
            if not drivers:
                with trio.move_on_after(AGAIN_S if self._wanted else float("inf")):
                    await self._news.wait()
                continue
            with trio.CancelScope() as self._scope:
                async with trio.open_nursery() as nursery:
                    for driver in drivers:
                        nursery.start_soon(self._follow, client, driver)
            self._scope = None

    async def _follow(self, client: AdminClient, driver: str) -> None:
        while True:
            try:
                async with client.follow("telemetry", driver=driver, back_s=BACK_S) as lines:
                    async for told in lines:
                        self.model.measured(self.name, "telemetry", told, self.now())
            except AdminError:
                pass  # refused: what the status says of the driver is known
            await trio.sleep(AGAIN_S)
