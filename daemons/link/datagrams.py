"""Live streams as datagrams beside the link: a door at the hub for all its sites, a line at each site.

The link stays what opens, closes and orders: it hands over the key, carries what must arrive, and tells the sender how many
datagrams have come. While none do (a firewall, a network without UDP) everything goes over the link, and now and then a
copy as a datagram finds out whether the way is open.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import trio
from attrs import define, field

from protocol.codec import encode_frame
from protocol.datagrams import ID_BYTES, KEY_BYTES, PAYLOAD_BYTES_MAX, Opener, Pass, Sealer
from protocol.frames import Batch, Datagrams
from protocol.streams import Entry, room_for_data
from protocol.streams_live import LiveOut

__all__ = ["DatagramDoor", "DatagramLine"]

PROVEN_S: Final = 3.0
"""The way is open while the peer has said within so long that datagrams arrive; it says so each second."""
COPY_EVERY: Final = 4
_READ_BYTES: Final = 2048


@define(eq=False)
class DatagramDoor:
    """The hub's end: one UDP port, 0 while it is not served. `strangers`: datagrams with a pass that nobody has."""

    urandom: Callable[[int], bytes]
    port: int = field(default=0, init=False)
    strangers: int = field(default=0, init=False)
    _doors: dict[bytes, tuple[Opener, Callable[[bytes], None]]] = field(factory=dict, init=False)

    async def serve(
        self, host: str, port: int, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Bind a UDP port (0: any; host "": every interface) and take what comes, until cancelled. Raises OSError when it is
        taken."""
        with await _bound(host, port) as sock:
            self.port = sock.getsockname()[1]
            task_status.started()
            try:
                while True:
                    # A datagram that could not be delivered somewhere is no reason to stop (Windows tells of it here).
                    with suppress(ConnectionResetError):
                        self.take(await sock.recv(_READ_BYTES))
            finally:
                self.port = 0

    def admit(self, deliver: Callable[[bytes], None]) -> Opener:
        """Make a pass; what comes with it is opened and delivered, which must be quick and not raise, until `revoke`."""
        opener = Opener(Pass(self.urandom(ID_BYTES), self.urandom(KEY_BYTES)))
        self._doors[opener.passed.id] = (opener, deliver)
        return opener

    def revoke(self, opener: Opener) -> None:
        """Let nothing more in with this pass."""
        self._doors.pop(opener.passed.id, None)

    def take(self, datagram: bytes) -> None:
        """Take what has come."""
        found = self._doors.get(datagram[:ID_BYTES])
        if found is None:
            self.strangers += 1
            return
        opener, deliver = found
        payload = opener.open(datagram)
        if payload is not None:
            deliver(payload)


async def _bound(host: str, port: int) -> trio.socket.SocketType:
    if not host and socket.has_dualstack_ipv6():
        sock = trio.socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    else:
        sock = trio.socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        await sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


@define(eq=False)
class DatagramLine:
    """The site's end, to `host`, over all connections. `sent`, `failed`: datagrams; `arrived`: of this connection's, as told."""

    host: str
    sent: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)
    arrived: int = field(default=0, init=False)
    _sealer: Sealer | None = field(default=None, init=False)
    _socket: socket.socket | None = field(default=None, init=False)
    _proven_at: float = field(default=float("-inf"), init=False)

    @property
    def is_proven(self) -> bool:
        """Do datagrams arrive?"""
        return trio.current_time() - self._proven_at < PROVEN_S

    async def open(self, frame: Datagrams) -> None:
        """Use the pass of this connection. A host that is not found leaves everything to the link."""
        self.close()
        try:
            found = await trio.socket.getaddrinfo(self.host, frame.port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            self._socket.connect(address)
        except OSError:
            self.close()
            return
        self._sealer = Sealer(Pass(frame.id, frame.key))

    def close(self) -> None:
        """End the connection's use of it."""
        sock, self._socket, self._sealer = self._socket, None, None
        self.arrived, self._proven_at = 0, float("-inf")
        if sock is not None:
            sock.close()

    def on_arrived(self, total: int) -> None:
        """Take the peer's word of how many have arrived."""
        if total > self.arrived:
            self.arrived, self._proven_at = total, trio.current_time()

    def send(self, live: LiveOut, entry: Entry) -> bool:
        """Send an entry as datagrams; return whether the link need not carry it."""
        if self._sealer is None:
            return False
        is_proven = self.is_proven
        if not is_proven and entry.number % COPY_EVERY:
            return False
        offset = 0
        while True:
            fields = entry.pieced(offset, room_for_data(PAYLOAD_BYTES_MAX))
            if not self._send(self._sealer.seal(encode_frame(Batch(live.stream, *fields)))):
                return False  # this machine's own way out is blocked
            offset += len(fields[-1])
            if offset >= len(entry.data):
                return is_proven

    def _send(self, datagram: bytes) -> bool:
        assert self._socket is not None
        try:
            self._socket.send(datagram)
        except OSError:  # full, or the network says that nobody is there
            self.failed += 1
            return False
        self.sent += 1
        return True
