"""The path between two hosts, and what can be done to it while a run goes on."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .endpoint import Endpoint
from .pipe import Pipe
from .wire import Wire

if TYPE_CHECKING:
    from .network import SimNetwork


Doorman = Callable[[Endpoint, Endpoint, Pipe], None]
"""Told of a new connection: the ends of client and server, and the pipe between, on which it must `send_open`."""


class Path:
    """Both directions between two hosts.

    Wherever `toward` names one of them, only that direction is meant.
    """

    def __init__(self, network: "SimNetwork", a: str, b: str, there: Wire, back: Wire) -> None:
        self._network = network
        self._toward = {b: there, a: back}
        self.hosts = (a, b)
        self.name = f"{a}-{b}"
        self.doorman: Doorman | None = None

    def __repr__(self) -> str:
        return f"<Path {self.name} {list(self._toward.values())}>"

    def wire(self, toward: str) -> Wire:
        """Return the direction toward a host."""
        return self._toward[toward]

    def set(self, *, toward: str | None = None, **changes: Any) -> None:
        """Change fields of `Conditions` live."""
        for wire in self._wires(toward):
            wire.set(dataclasses.replace(wire.conditions, **changes))

    def freeze(self, *, toward: str | None = None) -> None:
        """Stop the conveyor: nothing arrives, nothing is lost, until `heal`."""
        for wire in self._wires(toward):
            wire.freeze()

    def drop(self, *, toward: str | None = None) -> None:
        """Drop every packet silently until `heal`; then the retransmission timers decide when bytes come."""
        for wire in self._wires(toward):
            wire.drop()

    def refuse(self, *, toward: str | None = None) -> None:
        """Refuse new connections over this path until `heal`; existing ones go on."""
        for wire in self._wires(toward):
            wire.refusing = True

    def ignore(self, *, toward: str | None = None) -> None:
        """Leave new connections over this path unanswered until `heal`; existing ones go on."""
        for wire in self._wires(toward):
            wire.ignoring = True

    def heal(self, *, toward: str | None = None) -> None:
        """End `freeze`, `drop`, `refuse` and `ignore`. Conditions stay, and what was cut or half-open."""
        for wire in self._wires(toward):
            wire.heal()

    def half_open(self, *, toward: str) -> None:
        """Make the connections of this moment deaf in one direction, for good and silently.

        New ones are not concerned.
        """
        for pipe in list(self._toward[toward].pipes.values()):
            pipe.die()

    def cut(self) -> None:
        """Reset every connection of this path, on both ends at once; what is under way is lost."""
        for connection in self.connections():
            for end in connection:
                end.outbound.vanish()
            for end in connection:
                end.on_reset()

    def fin(self) -> None:
        """Close every connection cleanly on behalf of both ends, as a proxy does.

        Each reads what came before, then EOF. What either sends afterwards meets a reset.
        """
        for connection in self.connections():
            for end in connection:
                end.outbound.finish()
            for end in connection:
                end.orphan()

    def connections(self) -> list[tuple[Endpoint, Endpoint]]:
        """Return the ends (client, server) of every connection over this path."""
        wires = set(map(id, self._toward.values()))
        return [ends for ends in self._network.connections.values() if id(ends[0].outbound.wire) in wires]

    def _wires(self, toward: str | None) -> list[Wire]:
        if toward is not None:
            return [self._toward[toward]]
        return list(self._toward.values())
