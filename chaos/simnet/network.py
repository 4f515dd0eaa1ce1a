"""The network: hosts by name, a path between each pair, and all that can be done to both during a run.

net = SimNetwork(seed=1)
net.install()                       # inside trio.run, clock = MockClock(autojump_threshold=0)
with net.host("cloud"):
    nursery.start_soon(cloud)       # belongs to the host, and so do its children
with net.host("pits"):
    nursery.start_soon(pits)        # may now trio.open_tcp_stream("cloud", 8443)
net.link("pits", "cloud").set(latency_s=0.3, rate_bytes_s=250_000)
net.link("pits", "cloud").half_open(toward="cloud")
"""

import contextlib
import ipaddress
import random
import socket as stdlib_socket
from collections.abc import Iterator

import trio

from .endpoint import Endpoint
from .hosts import Host, running_on
from .link import Conditions
from .naming import SimResolver, SimSocketFactory
from .path import Path
from .sockets import SimSocket
from .timeline import Timeline
from .trace import Trace
from .wire import Wire

LOOPBACK = Conditions(latency_s=30e-6)
"""A host's path to itself."""


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
        self.turn_given_every = 1
        """One call on a socket in so many that need not wait gives up its turn; with 1 every one does, as Trio has it. Most
        of a simulation is switches between tasks, and what can happen during one happens often enough with a few."""
        self.hosts: dict[str, Host] = {}
        self.paths: dict[frozenset[str], Path] = {}
        self.connections: dict[int, tuple[Endpoint, Endpoint]] = {}
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

    def socket_of(self, fileno: int) -> SimSocket | None:
        """Return the open socket of that number."""
        return next((host.sockets[fileno] for host in self.hosts.values() if fileno in host.sockets), None)

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
        token = running_on.set(host)
        try:
            yield host
        finally:
            running_on.reset(token)

    def current_host(self) -> Host:
        """Return the host that the running code belongs to. Raises RuntimeError outside `host`."""
        host = running_on.get()
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

    def host_at(self, address: str, seen_from: Host) -> Host | None:
        """Return the host that an address means when `seen_from` uses it."""
        if address.startswith("127."):
            return seen_from
        return next((host for host in self.hosts.values() if host.address == address), None)

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
        self.add_host(host).refusing.add(port)

    def ignore(self, host: str, port: int | None = None) -> None:
        """Leave new connections to a host's port (or all) unanswered until `allow`: they hang."""
        self.add_host(host).ignoring.add(port)

    def allow(self, host: str, port: int | None = None) -> None:
        """End `refuse` and `ignore`."""
        self.add_host(host).refusing.discard(port)
        self.add_host(host).ignoring.discard(port)

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
        for name, host in self.hosts.items():
            host.refusing.clear()
            host.ignoring.clear()
            self.boot(name)
