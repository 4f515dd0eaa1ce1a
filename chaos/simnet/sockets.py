"""The sockets that Trio hands out on a simulated network.

`trio.open_tcp_stream`, `trio.serve_tcp` and everything above them run unchanged: they ask
`trio.socket.socket()` and `getaddrinfo()`, and both are answered here. IPv4 and TCP only; an IPv6 socket is
refused with EAFNOSUPPORT, which Trio takes as "this machine has none", so that a run does not depend on the
machine it runs on.
"""

import errno
import operator
import os
import socket as stdlib_socket
import struct
from collections import deque
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import trio

from .endpoint import Endpoint
from .handshake import dial
from .pipe import SEND_BUFFER_BYTES

if TYPE_CHECKING:
    from .hosts import Host

FIRST_FILENO = 1_000_000
"""No real descriptor is that high: code that polls one by mistake gets EBADF instead of somebody else's file.
"""

_OK = 0
_SO_ACCEPTCONN = (stdlib_socket.SOL_SOCKET, stdlib_socket.SO_ACCEPTCONN)
_SO_ERROR = (stdlib_socket.SOL_SOCKET, stdlib_socket.SO_ERROR)
_SO_LINGER = (stdlib_socket.SOL_SOCKET, stdlib_socket.SO_LINGER)
_SO_SNDBUF = (stdlib_socket.SOL_SOCKET, stdlib_socket.SO_SNDBUF)
# Linux's numbers: the simulation behaves as Linux on whatever machine it runs.
_TCP_USER_TIMEOUT = (stdlib_socket.IPPROTO_TCP, 18)
_TCP_NOTSENT_LOWAT = (stdlib_socket.IPPROTO_TCP, 25)


def _fail(code: int) -> NoReturn:
    raise OSError(code, os.strerror(code))


class SimSocket(trio.socket.SocketType):
    """A TCP socket of a simulated host. Errors are the OSErrors of Linux."""

    def __init__(self, host: "Host", ident: int, endpoint: Endpoint | None = None) -> None:
        super().__init__()
        self._host = host
        self._fileno = FIRST_FILENO + ident
        self._endpoint = endpoint
        self.is_sending = False
        """Whether a stream's task sends, or waits to: one at a time may."""
        self._closed = False
        self._shut_for_writing = False
        self._address: tuple[str, int] = endpoint.local if endpoint is not None else ("0.0.0.0", 0)
        self._options: dict[tuple[int, int], int] = {}
        self._abort_on_close = False
        self._backlog: deque[Endpoint] = deque()
        self._backlog_limit: int | None = None
        self._acceptor: trio.lowlevel.Task | None = None
        host.sockets[self._fileno] = self

    def __repr__(self) -> str:
        state = (
            "closed"
            if self._closed
            else "listening"
            if self._backlog_limit is not None
            else repr(self._endpoint)
        )
        return f"<SimSocket {self._host.name} {self._address[0]}:{self._address[1]} {state}>"

    # -- what kind of socket it is

    @property
    def family(self) -> stdlib_socket.AddressFamily:
        """AF_INET."""
        return stdlib_socket.AF_INET

    @property
    def type(self) -> stdlib_socket.SocketKind:
        """SOCK_STREAM."""
        return stdlib_socket.SOCK_STREAM

    @property
    def proto(self) -> int:
        """IPPROTO_TCP."""
        return stdlib_socket.IPPROTO_TCP

    @property
    def did_shutdown_SHUT_WR(self) -> bool:  # noqa: N802 (Trio's name)
        """Whether this end has said that it sends no more."""
        return self._shut_for_writing

    def fileno(self) -> int:
        """Return a number that is no real descriptor, -1 when closed."""
        return -1 if self._closed else self._fileno

    def getsockname(self) -> tuple[str, int]:
        """Return the local address and port."""
        self._check_open()
        return self._address

    def getpeername(self) -> tuple[str, int]:
        """Return the peer's address and port; ENOTCONN without one."""
        return self._connected().remote

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> Any:
        """Answer what Trio and servers ask; options set earlier; 0 for the rest.

        Structures are not simulated.
        """
        self._check_open()
        if buflen is not None:
            _fail(errno.ENOPROTOOPT)
        option = (level, optname)
        if option == _SO_ACCEPTCONN:
            return int(self._backlog_limit is not None)
        if option == _SO_ERROR:
            return self._endpoint.error or _OK if self._endpoint is not None else _OK
        return self._options.get(option, _OK)

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        """Remember the option.

        Buffer size, NOTSENT_LOWAT, USER_TIMEOUT and LINGER with 0 s have their effect.
        """
        self._check_open()
        option = (level, optname)
        if isinstance(value, int):
            self._options[option] = value
            self._apply_options()
        elif option == _SO_LINGER and value is not None:
            enabled, seconds = struct.unpack("ii", value)
            self._abort_on_close = bool(enabled) and seconds == 0

    def _apply_options(self) -> None:
        if self._endpoint is None:
            return
        pipe = self._endpoint.outbound
        # NOTSENT_LOWAT bounds what waits unsent; what is under way does not count, here as in Linux.
        limit = self._options.get(_SO_SNDBUF, SEND_BUFFER_BYTES)
        pipe.send_limit_bytes = max(1, min(limit, self._options.get(_TCP_NOTSENT_LOWAT, limit)))
        if user_timeout_ms := self._options.get(_TCP_USER_TIMEOUT):
            pipe.give_up_s = user_timeout_ms / 1000

    def get_inheritable(self) -> bool:
        """Return False."""
        return False

    # -- opening

    async def bind(self, address: Any) -> None:
        """Bind to an address of this host, "localhost" or the wildcard; port 0 takes a free one.

        EADDRINUSE, EADDRNOTAVAIL.
        """
        await trio.lowlevel.checkpoint()
        self._check_open()
        name, port = address[0], address[1]
        ip = self._host.network.address_of(name or "0.0.0.0")
        if ip not in ("0.0.0.0", "127.0.0.1", self._host.address):
            _fail(errno.EADDRNOTAVAIL)
        if port and self._host.listener_at(ip, port) is not None:
            _fail(errno.EADDRINUSE)
        self._address = (ip, port or self._host.free_port())

    def listen(self, backlog: int = 128) -> None:
        """Start to queue connections for `accept`."""
        self._check_open()
        if self._endpoint is not None:
            _fail(errno.EISCONN)
        if not self._address[1]:
            self._address = (self._address[0], self._host.free_port())
        if self._host.listener_at(*self._address) not in (None, self):
            _fail(errno.EADDRINUSE)
        self._backlog_limit = max(1, backlog)
        self._host.listeners[self._fileno] = self

    def listens_at(self, ip: str, port: int) -> bool:
        """Whether a connection to `ip`:`port` reaches this listener."""
        return self._address[1] == port and (self._address[0] in ("0.0.0.0", ip) or ip == "0.0.0.0")

    @property
    def backlog_full(self) -> bool:
        """Whether a new connection would find no room: a kernel then leaves the SYN unanswered."""
        return self._backlog_limit is None or len(self._backlog) >= self._backlog_limit

    def enqueue(self, endpoint: Endpoint) -> bool:
        """Take a completed connection into the backlog. False when closed or full."""
        if self._closed or self.backlog_full:
            return False
        self._backlog.append(endpoint)
        if self._acceptor is not None:
            task, self._acceptor = self._acceptor, None
            trio.lowlevel.reschedule(task)
        return True

    async def accept(self) -> tuple["SimSocket", tuple[str, int]]:
        """Return the next connection and its peer's address. Waits; cancelling loses none."""
        self._check_open()
        if self._backlog_limit is None:
            _fail(errno.EINVAL)
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._backlog:
            accepted = self._accept_nowait()
            await trio.lowlevel.cancel_shielded_checkpoint()
            return accepted
        while not self._backlog:
            if self._acceptor is not None:
                raise trio.BusyResourceError("another task is already accepting on this socket")
            self._acceptor = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort_accept)
            self._check_open()
        return self._accept_nowait()

    def _accept_nowait(self) -> tuple["SimSocket", tuple[str, int]]:
        endpoint = self._backlog.popleft()
        return self._host.new_socket(endpoint), endpoint.remote

    def _abort_accept(self, _: object) -> trio.lowlevel.Abort:
        self._acceptor = None
        return trio.lowlevel.Abort.SUCCEEDED

    async def connect(self, address: Any) -> None:
        """Connect, as long as Linux would try:

        ECONNREFUSED, ETIMEDOUT (after 127 s). Cancelling closes the socket.
        """
        self._check_open()
        if self._endpoint is not None:
            _fail(errno.EISCONN)
        if not self._address[1]:
            self._address = (self._host.address, self._host.free_port())
        network = self._host.network
        remote = (network.address_of(address[0]), address[1])
        try:
            endpoint = await dial(network, self._host, self._address, remote)
        except trio.Cancelled:
            self.close()
            raise
        if self._closed:
            endpoint.close(abortive=True)
            _fail(errno.EBADF)
        self._endpoint = endpoint
        self._address = endpoint.local
        self._apply_options()

    # -- bytes

    def recv(self, buflen: int, flags: int = 0, /) -> Awaitable[bytes]:
        """Return what has arrived, at most `buflen` bytes; b"" after the peer's FIN."""
        return self._connected().receive(operator.index(buflen))

    async def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Like `recv`, into `buffer`; return the number of bytes."""
        view = memoryview(buffer).cast("B")
        data = await self._connected().receive(nbytes or len(view))
        view[: len(data)] = data
        return len(data)

    def send(self, data: Any, flags: int = 0, /) -> Awaitable[int]:
        """Send as much of `data` as the send buffer takes and return how much; waits while that is 0."""
        endpoint = self._connected()
        if self._shut_for_writing:
            _fail(errno.EPIPE)
        return endpoint.send(memoryview(data).cast("B"))

    def send_nowait(self, data: Any) -> int:
        """Send as much of `data` as the send buffer takes and return how much; EAGAIN when that is nothing."""
        endpoint = self._connected()
        if self._shut_for_writing:
            _fail(errno.EPIPE)
        if not endpoint.writable():
            _fail(errno.EAGAIN)
        return endpoint.accept(memoryview(data).cast("B"))

    async def sendmsg(
        self, buffers: Iterable[Any], ancdata: Iterable[Any] = (), flags: int = 0, address: Any = None, /
    ) -> int:
        """Send several buffers as one."""
        return await self.send(b"".join(bytes(buffer) for buffer in buffers))

    async def wait_writable(self) -> None:
        """Wait until `send` would take something."""
        await self._connected().wait_writable()

    def is_readable(self) -> bool:
        """Whether `recv` or `accept` would not wait."""
        if self._closed:
            return True
        return bool(self._backlog) or (self._endpoint is not None and self._endpoint.readable())

    # -- ending

    def shutdown(self, flag: int) -> None:
        """SHUT_WR and SHUT_RDWR send a FIN after the buffer; SHUT_RD has no effect, as on Linux's wire."""
        endpoint = self._connected()
        if flag in (stdlib_socket.SHUT_WR, stdlib_socket.SHUT_RDWR) and not self._shut_for_writing:
            self._shut_for_writing = True
            endpoint.outbound.finish()

    def close(self) -> None:
        """Close:

        FIN, or a reset with SO_LINGER (1, 0) or unread bytes. Whoever waits gets ClosedResourceError.
        """
        if self._closed:
            return
        self._closed = True
        self._host.sockets.pop(self._fileno, None)
        self._host.listeners.pop(self._fileno, None)
        if self._acceptor is not None:
            task, self._acceptor = self._acceptor, None
            trio.lowlevel.reschedule(task)  # it finds the socket closed
        while self._backlog:
            self._backlog.popleft().close(abortive=True)
        if self._endpoint is not None:
            self._endpoint.close(abortive=self._abort_on_close)

    def lose_power(self) -> None:
        """Vanish with the host."""
        self._closed = True
        self._host.sockets.pop(self._fileno, None)
        self._host.listeners.pop(self._fileno, None)
        for endpoint in (*self._backlog, *([self._endpoint] if self._endpoint is not None else [])):
            endpoint.lose_power()
        self._backlog.clear()

    def __enter__(self) -> "SimSocket":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            _fail(errno.EBADF)

    def _connected(self) -> Endpoint:
        if self._closed:
            _fail(errno.EBADF)
        if self._endpoint is None:
            _fail(errno.ENOTCONN)
        return self._endpoint
