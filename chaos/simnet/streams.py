"""`trio.SocketStream` over a simulated socket, with the layers that a simulation does not need taken out.

Each of its calls enters two context managers written as generators, and slices memoryviews. Here the same is said once:
what an errno becomes, and that two tasks must not send at once.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Any, NoReturn

import trio

from .network import SimNetwork
from .seeding import replaced
from .sockets import FIRST_FILENO, SimSocket

_RECEIVE_BYTES = 64 * 1024
_send_all = trio.SocketStream.send_all
_receive_some = trio.SocketStream.receive_some
_wait_room = trio.SocketStream.wait_send_all_might_not_block
_send_eof = trio.SocketStream.send_eof
_write = os.write


@contextlib.contextmanager
def direct_streams(net: SimNetwork) -> Iterator[None]:
    """Let every `trio.SocketStream` of this process use its simulated socket directly; over others it stays as it is.

    `os.write` to a simulated socket's number writes to it, as our front does before it waits.
    """

    def write(fd: int, data: Any, /) -> int:
        if fd < FIRST_FILENO:
            return _write(fd, data)
        sock = net.socket_of(fd)
        if sock is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return sock.send_nowait(data)

    with (
        replaced(os, "write", write),
        replaced(trio.SocketStream, "send_all", send_all),
        replaced(trio.SocketStream, "receive_some", receive_some),
        replaced(trio.SocketStream, "wait_send_all_might_not_block", wait_room),
        replaced(trio.SocketStream, "send_eof", send_eof),
    ):
        yield


async def send_all(self: trio.SocketStream, data: Any) -> None:
    """Stand for SocketStream.send_all."""
    sock = self.socket
    if not isinstance(sock, SimSocket) or not data:
        return await _send_all(self, data)
    if sock.did_shutdown_SHUT_WR:
        raise trio.ClosedResourceError("can't send data after sending EOF")
    _begin_sending(sock)
    try:
        sent = await sock.send(data)
        while sent < len(data):
            sent += await sock.send(memoryview(data)[sent:])
    except OSError as error:
        _raise_for_stream(error)
    finally:
        sock.is_sending = False


async def wait_room(self: trio.SocketStream) -> None:
    """Stand for SocketStream.wait_send_all_might_not_block."""
    sock = self.socket
    if not isinstance(sock, SimSocket):
        return await _wait_room(self)
    if sock.fileno() == -1:
        raise trio.ClosedResourceError
    _begin_sending(sock)
    try:
        await sock.wait_writable()
    except OSError as error:
        _raise_for_stream(error)
    finally:
        sock.is_sending = False


async def send_eof(self: trio.SocketStream) -> None:
    """Stand for SocketStream.send_eof."""
    sock = self.socket
    if not isinstance(sock, SimSocket):
        return await _send_eof(self)
    _begin_sending(sock)
    try:
        await _send_eof(self)
    finally:
        sock.is_sending = False


async def receive_some(self: trio.SocketStream, max_bytes: int | None = None) -> bytes:
    """Stand for SocketStream.receive_some."""
    sock = self.socket
    if not isinstance(sock, SimSocket):
        return await _receive_some(self, max_bytes)
    if max_bytes is None:
        max_bytes = _RECEIVE_BYTES
    if max_bytes < 1:
        raise ValueError("max_bytes must be >= 1")
    try:
        return await sock.recv(max_bytes)
    except OSError as error:
        _raise_for_stream(error)


def _begin_sending(sock: SimSocket) -> None:
    if sock.is_sending:
        raise trio.BusyResourceError("another task is currently sending data on this SocketStream")
    sock.is_sending = True


def _raise_for_stream(error: OSError) -> NoReturn:
    if error.errno == errno.EBADF:
        raise trio.ClosedResourceError("this socket was already closed") from None
    raise trio.BrokenResourceError(f"socket connection broken: {error}") from error
