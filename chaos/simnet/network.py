"""The network: hosts by name, a path between each pair, and all that can be done to both during a run.

net = SimNetwork(seed=1)
net.install()                                   # inside trio.run, clock = MockClock(autojump_threshold=0)
with net.host("cloud"):
    nursery.start_soon(cloud)                   # belongs to the host, and so do its children
with net.host("pits"):
    nursery.start_soon(pits)                    # may now trio.open_tcp_stream("cloud", 8443)
net.link("pits", "cloud").set(latency_s=0.3, rate_bytes_s=250_000)
net.link("pits", "cloud").half_open(toward="cloud")
"""

import contextlib
import contextvars
import dataclasses
import errno
import ipaddress
import os
import random
import socket as stdlib_socket
from collections.abc import Iterator
from typing import Any

import trio

from .endpoint import Endpoint
from .link import Conditions
from .pipe import CONTROL_BYTES, Pipe
from .sockets import SimResolver, SimSocket, SimSocketFactory
from .timeline import Timeline
from .trace import Trace
from .wire import Wire

LOOPBACK = Conditions(latency_s=30e-6)
"""A host's path to itself."""

SYN_RETRIES = 6
"""Linux's tcp_syn_retries: SYNs at 0, 1, 3, 7, 15, 31, 63 s, ETIMEDOUT at 127 s."""

_FIRST_PORT, _LAST_PORT = 32768, 60999
_current_host: contextvars.ContextVar["Host | None"] = contextvars.ContextVar("simnet_host", default=None)


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
        self._next_port = _FIRST_PORT

    def __repr__(self) -> str:
        power = "" if self.powered else " without power"
        return f"<Host {self.name} {self.address} sockets={len(self.sockets)}{power}>"

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


class Path:
    """Both directions between two hosts.

    Wherever `toward` names one of them, only that direction is meant.
    """

    def __init__(self, network: "SimNetwork", a: str, b: str, there: Wire, back: Wire) -> None:
        self._network = network
        self._toward = {b: there, a: back}
        self.name = f"{a}-{b}"

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

    def heal(self, *, toward: str | None = None) -> None:
        """End `freeze` and `drop`. Conditions set stay; what was cut, half-open or lost stays so."""
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
                end.inbound.vanish()
            for end in connection:
                end.on_reset()

    def fin(self) -> None:
        """Close every connection cleanly on behalf of both ends, as a proxy does.

        Each reads what came before, then EOF. What either sends afterwards meets a reset.
        """
        for connection in self.connections():
            for end in connection:
                end.inbound.finish()
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


class SimNetwork:
    """A seeded network. Every direction of every path draws from a stream of its own, keyed by its name.

    `default` are the conditions of a path that was not set otherwise; `trace` takes the fingerprint of the
    run.
    """

    def __init__(self, seed: int, *, default: Conditions | None = None, trace: Trace | None = None) -> None:
        self.seed = seed
        self.default = default if default is not None else Conditions()
        self.trace = trace if trace is not None else Trace()
        self.timeline = Timeline()
        self.hosts: dict[str, Host] = {}
        self.paths: dict[frozenset[str], Path] = {}
        self.connections: dict[int, tuple[Endpoint, Endpoint]] = {}
        self._refusing: set[tuple[str, int | None]] = set()
        self._ignoring: set[tuple[str, int | None]] = set()
        self._last_ident = 0

    def install(self) -> None:
        """Serve Trio's sockets and names for the rest of this run.

        Raises RuntimeError without an autojumping MockClock.
        """
        self.timeline.install()
        trio.socket.set_custom_socket_factory(SimSocketFactory(self))
        trio.socket.set_custom_hostname_resolver(SimResolver(self))

    def rng(self, name: str) -> random.Random:
        """Return a new random stream of this seed and name, the same in every process."""
        return random.Random(f"{self.seed}/{name}")

    def next_ident(self) -> int:
        """Return the next number for a socket or a pipe."""
        self._last_ident += 1
        return self._last_ident

    # -- hosts and names

    def add_host(self, name: str) -> Host:
        """Return the host of that name, made when new."""
        if name not in self.hosts:
            address = str(ipaddress.IPv4Address("10.77.0.0") + len(self.hosts) + 1)
            self.hosts[name] = Host(self, name, address)
        return self.hosts[name]

    @contextlib.contextmanager
    def host(self, name: str) -> Iterator[Host]:
        """Run the body, and every task started in it, on a host."""
        host = self.add_host(name)
        token = _current_host.set(host)
        try:
            yield host
        finally:
            _current_host.reset(token)

    def current_host(self) -> Host:
        """Return the host that the running code belongs to. Raises RuntimeError outside `host`."""
        host = _current_host.get()
        if host is None:
            raise RuntimeError("no host: start this task inside `with net.host(name):`")
        return host

    def address_of(self, name: str) -> str:
        """Resolve a host's name or an address. Raises socket.gaierror."""
        if name in self.hosts:
            return self.hosts[name].address
        if name == "localhost":
            return "127.0.0.1"
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise stdlib_socket.gaierror(
                stdlib_socket.EAI_NONAME, f"no host named {name!r} on the network"
            ) from None

    def name_of(self, address: str) -> str:
        """Return the host of an address, or the address."""
        return next((host.name for host in self.hosts.values() if host.address == address), address)

    # -- paths and faults

    def link(self, a: str, b: str) -> Path:
        """Return the path between two hosts (or of one to itself), made when new."""
        key = frozenset((a, b))
        if key not in self.paths:
            conditions = LOOPBACK if a == b else self.default
            there = self._wire(a, b, conditions)
            back = there if a == b else self._wire(b, a, conditions)
            there.back, back.back = back, there
            self.paths[key] = Path(self, a, b, there, back)
        return self.paths[key]

    def _wire(self, a: str, b: str, conditions: Conditions) -> Wire:
        return Wire(f"{a}>{b}", conditions, self.rng(f"wire {a}>{b}"), self.timeline)

    def refuse(self, host: str, port: int | None = None) -> None:
        """Refuse new connections to a host's port (or all) until `allow`, as if nobody listened."""
        self._refusing.add((host, port))

    def ignore(self, host: str, port: int | None = None) -> None:
        """Leave new connections to a host's port (or all) unanswered until `allow`: they hang."""
        self._ignoring.add((host, port))

    def allow(self, host: str, port: int | None = None) -> None:
        """End `refuse` and `ignore`."""
        self._refusing.discard((host, port))
        self._ignoring.discard((host, port))

    def crash(self, name: str, *, power: bool = False) -> None:
        """End every socket of a host: the daemon was killed, and the kernel closes for it as `close` would.

        With `power`, the machine lost it: no word to anybody, the send buffers are lost, and the host answers
        nothing until `boot`. The tasks of the program are the caller's to cancel, and to cancel *before* this
        call.
        """
        host = self.hosts[name]
        host.powered = not power
        for sock in list(host.sockets.values()):
            if power:
                sock.lose_power()
            else:
                sock.close()

    def boot(self, name: str) -> None:
        """Give a host its power back. Whoever still sends to a connection it had is answered with a reset."""
        host = self.hosts[name]
        if not host.powered:
            host.powered = True
            for ends in list(self.connections.values()):
                for end in ends:
                    if end.host is host and end.lost_power:
                        end.regain_power()

    def heal_all(self) -> None:
        """Heal every path, allow every port, power every host. Conditions set stay."""
        for path in self.paths.values():
            path.heal()
        self._refusing.clear()
        self._ignoring.clear()
        for name in self.hosts:
            self.boot(name)

    # -- the handshake

    async def dial(self, client: Host, local: tuple[str, int], remote: tuple[str, int]) -> Endpoint:
        """Open a connection and return the client's end.

        Raises OSError ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        server = self._host_at(client, remote[0])
        out = self.link(client.name, server.name).wire(server.name)
        began = self.timeline.now()
        for attempt in range(SYN_RETRIES + 1):
            endpoint = await self._shake_hands(client, server, out, local, remote)
            if endpoint is not None:
                return endpoint
            await self.timeline.sleep_until(max(self.timeline.now(), began + 2.0 ** (attempt + 1) - 1.0))
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    async def _shake_hands(
        self, client: Host, server: Host, out: Wire, local: tuple[str, int], remote: tuple[str, int]
    ) -> Endpoint | None:
        # One SYN. None: nothing came back.
        if not await self._control(out):
            return None
        listener = server.listener_at(remote[0], remote[1])
        if not server.powered or self._listed(self._ignoring, server, remote[1]):
            return None
        refused = listener is None or self._listed(self._refusing, server, remote[1])
        if not refused and listener is not None and listener.backlog_full:
            return None
        if not await self._control(out.back):
            return None
        if refused:
            raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        return self._connect(
            Endpoint(client, local, remote, None), Endpoint(server, remote, local, listener), out
        )

    async def _control(self, wire: Wire) -> bool:
        now = self.timeline.now()
        if wire.paused or wire.lost(1):
            return False
        _, arrival = wire.carry(CONTROL_BYTES, now)
        await self.timeline.sleep_until(wire.real(arrival))
        return not wire.paused

    def _connect(self, client: Endpoint, server: Endpoint, out: Wire) -> Endpoint:
        client.peer, server.peer = server, client
        there = Pipe(self.next_ident(), out, client, server)
        back = Pipe(self.next_ident(), out.back, server, client)
        there.twin, back.twin = back, there
        client.outbound = server.inbound = there
        server.outbound = client.inbound = back
        self.connections[there.ident] = (client, server)
        there.send_open()
        return client

    def _host_at(self, client: Host, address: str) -> Host:
        if address.startswith("127."):
            return client
        for host in self.hosts.values():
            if host.address == address:
                return host
        raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))

    def _listed(self, ports: set[tuple[str, int | None]], server: Host, port: int) -> bool:
        return (server.name, port) in ports or (server.name, None) in ports
