"""The faults of `chaos.faults` on paths of the simulated network: what the relay does to real connections, done here.

    async with open_carrier(world.net, {"field": ("pits", "cloud")}, seed="7") as carrier:
        await carrier.place("cut", "uplink", Placed("cut", Silence()), lease_s=0)

With the seed and the name of a relay's proxy the same connections are struck, and outages come and go at the same
times. Profiles are played by placing what they have (`Profile.placed`).
"""

import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Protocol

import trio

from chaos.carrier import CarrierError, NotCarried
from chaos.faults import FaultError, Placed
from chaos.model.leases import Leases
from chaos.model.placing import Placing
from chaos.scenario import Deed

from .endpoint import Endpoint
from .gated import GatedConnection, SimTimer
from .network import SimNetwork
from .path import Path
from .pipe import Pipe

__all__ = ["Machine", "PathFaults", "SimCarrier", "open_carrier"]


class PathFaults(Placing):
    """The faults on one path. Upstream is from whoever dials. Only one may be made for a path."""

    def __init__(self, network: SimNetwork, path: Path, seed: str, name: str, nursery: trio.Nursery) -> None:
        super().__init__(seed, nursery)
        self.draws = f"{seed}/{name}"
        self.timer = SimTimer(network.timeline)
        self._open: dict[int, GatedConnection] = {}
        for client, server in path.connections():
            self._add(client, server, server.inbound, is_new=False)
        path.doorman = self._let_in

    @property
    def connections(self) -> Collection[GatedConnection]:
        for number, connection in list(self._open.items()):
            if connection.is_over:
                del self._open[number]
        return self._open.values()

    def _let_in(self, client: Endpoint, server: Endpoint, there: Pipe) -> None:
        self.meet(self._add(client, server, there, is_new=True))

    def _add(self, client: Endpoint, server: Endpoint, there: Pipe, *, is_new: bool) -> GatedConnection:
        number, self.counts.connections = self.counts.connections, self.counts.connections + 1
        connection = GatedConnection(self, number, client, server, there, is_new=is_new)
        self._open[number] = connection
        return connection


class Machine(Protocol):
    """A machine to which deeds are done: whoever runs its program knows how. Raises NotCarried for what it cannot."""

    async def begin(self, deed: Deed) -> None:
        """Do it; return when it is done."""

    async def end(self, deed: Deed) -> None:
        """Undo it; return when it is undone."""


class SimCarrier:
    """See chaos.carrier.Carrier. Made by `open_carrier`."""

    def __init__(
        self, uplinks: Mapping[str, PathFaults], machines: Mapping[str, Machine], nursery: trio.Nursery
    ) -> None:
        self.uplinks = uplinks
        self._machines = machines
        self._leases: Leases[str] = Leases(nursery, self.remove)
        self._where: dict[str, list[PathFaults]] = {}
        self._deeds: dict[str, Deed] = {}
        self._touched: dict[str, int] = {}

    async def place(self, step_name: str, target: str, placed: Placed, lease_s: float) -> None:
        """Begin a fault on one uplink or all, or change the one of this name."""
        await trio.lowlevel.checkpoint()
        if type(placed.fault).knows_messages:
            raise NotCarried(f"{placed.fault.type} knows messages: a path carries bytes")
        for paths in self._paths(target):
            try:
                paths.place(_named(placed, step_name))
            except FaultError as exc:
                raise CarrierError(f"{step_name}: {exc}") from exc
        self._where[step_name] = self._paths(target)
        self._leases.begin(step_name, lease_s)

    async def deed(self, step_name: str, deed: Deed, lease_s: float) -> None:
        """Do it to the machine of that name."""
        machine = self._machines.get(deed.target)
        if machine is None:
            raise NotCarried(f"there is no machine {deed.target!r} to {deed.kind}")
        self._deeds[step_name] = deed
        try:
            await machine.begin(deed)
        except CarrierError:
            del self._deeds[step_name]
            raise
        self._leases.begin(step_name, lease_s)
        self._touched[step_name] = self._touched.get(step_name, 0) + 1

    async def remove(self, step_name: str) -> None:
        """End what has this name."""
        await trio.lowlevel.checkpoint()
        self._leases.drop(step_name)
        for paths in self._where.pop(step_name, []):
            self._touched[step_name] = self._touched.get(step_name, 0) + paths.counts.met[step_name]
            paths.remove(step_name)
        if (deed := self._deeds.pop(step_name, None)) is not None:
            await self._machines[deed.target].end(deed)

    async def renew(self) -> None:
        """Begin all leases anew."""
        await trio.lowlevel.checkpoint()
        self._leases.renew()

    async def reset(self) -> None:
        """End everything."""
        for name in [*self._where, *self._deeds]:
            await self.remove(name)

    async def touched(self, step_name: str) -> int:
        """Return how many connections it met, and deeds it was."""
        await trio.lowlevel.checkpoint()
        now = sum(paths.counts.met[step_name] for paths in self._where.get(step_name, []))
        return self._touched.get(step_name, 0) + now

    async def left_over(self) -> list[str]:
        """Return what is in force."""
        await trio.lowlevel.checkpoint()
        faults = [f"{name} on {len(paths)} uplinks" for name, paths in self._where.items()]
        return faults + [f"{name}: {deed.kind} of {deed.target}" for name, deed in self._deeds.items()]

    def _paths(self, target: str) -> list[PathFaults]:
        kind, _, name = target.partition(":")
        if kind != "uplink" or (name and name not in self.uplinks):
            raise NotCarried(f"{target}: faults on connections strike uplinks: {', '.join(self.uplinks)}")
        return [self.uplinks[name]] if name else list(self.uplinks.values())


def _named(placed: Placed, name: str) -> Placed:
    return Placed(name, placed.fault, placed.stream, placed.toxicity)


@contextlib.asynccontextmanager
async def open_carrier(
    network: SimNetwork,
    uplinks: Mapping[str, tuple[str, str]],
    *,
    machines: Mapping[str, Machine] | None = None,
    seed: str = "0",
    proxy: str = "relay",
) -> AsyncIterator[SimCarrier]:
    """Give a carrier for `uplinks`, the hosts (site, hub) by the site's name, and for machines by their target.

    `proxy`: the name of the relay's proxy that the draws are to be like; with several sites each has its own.
    Everything placed ends with the block.
    """
    async with trio.open_nursery() as nursery:
        paths = {
            site: PathFaults(
                network,
                network.link(*hosts),
                seed,
                proxy if len(uplinks) == 1 else f"{proxy} {site}",
                nursery,
            )
            for site, hosts in uplinks.items()
        }
        carrier = SimCarrier(paths, machines or {}, nursery)
        try:
            yield carrier
        finally:
            for one in paths.values():
                one.clear()
            for hosts in uplinks.values():
                network.link(*hosts).doorman = None
            nursery.cancel_scope.cancel(reason="the carrier ends")
