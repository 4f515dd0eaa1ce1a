"""A machine on the network, and which machine the running code belongs to."""

import contextvars
import errno
import os
from typing import TYPE_CHECKING

from .endpoint import Endpoint
from .sockets import SimSocket

if TYPE_CHECKING:
    from .network import SimNetwork

_FIRST_PORT, _LAST_PORT = 32768, 60999
running_on: contextvars.ContextVar["Host | None"] = contextvars.ContextVar("simnet_host", default=None)
"""Set by `SimNetwork.host`; tasks inherit it from whoever started them."""


class Host:
    """A machine: a name, an address, its sockets.

    `powered` is False between `crash(power=True)` and `boot`.
    """

    def __init__(self, network: "SimNetwork", name: str, address: str) -> None:
        self.network = network
        self.name = name
        self.address = address
        self.powered = True
        self.sockets: dict[int, SimSocket] = {}
        self.listeners: dict[int, SimSocket] = {}
        self.refusing: set[int | None] = set()
        self.ignoring: set[int | None] = set()
        self._next_port = _FIRST_PORT

    def __repr__(self) -> str:
        power = "" if self.powered else " without power"
        return f"<Host {self.name} {self.address} sockets={len(self.sockets)}{power}>"

    def refuses(self, port: int) -> bool:
        """Whether `SimNetwork.refuse` holds for a port."""
        return not self.refusing.isdisjoint((port, None))

    def ignores(self, port: int) -> bool:
        """Whether `SimNetwork.ignore` holds for a port."""
        return not self.ignoring.isdisjoint((port, None))

    def new_socket(self, endpoint: Endpoint | None = None) -> SimSocket:
        """Make a socket. ENETDOWN without power."""
        if not self.powered:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        return SimSocket(self, self.network.next_ident(), endpoint)

    def free_port(self) -> int:
        """Return the next ephemeral port. They go round, so one is free again after 28,000 connections."""
        while True:
            port = self._next_port
            self._next_port = _FIRST_PORT if port == _LAST_PORT else port + 1
            if self.listener_at("0.0.0.0", port) is None:
                return port

    def listener_at(self, ip: str, port: int) -> SimSocket | None:
        """Return the listener that a connection to `ip`:`port` reaches."""
        return next((listener for listener in self.listeners.values() if listener.listens_at(ip, port)), None)
