"""What Trio asks for sockets and for names: both answered for the host that the running task belongs to."""

import errno
import os
import socket as stdlib_socket
from typing import TYPE_CHECKING, Any

import trio
from trio.abc import HostnameResolver, SocketFactory

if TYPE_CHECKING:
    from .network import SimNetwork


class SimSocketFactory(SocketFactory):
    """Makes the sockets of the host that the running task belongs to."""

    def __init__(self, network: "SimNetwork") -> None:
        self._network = network

    def socket(
        self,
        family: int = stdlib_socket.AF_INET,
        type: int = stdlib_socket.SOCK_STREAM,  # noqa: A002 (the name that callers use)
        proto: int = 0,
    ) -> Any:
        """Make a TCP socket. EAFNOSUPPORT for anything but IPv4, EPROTONOSUPPORT for anything but TCP."""
        if family != stdlib_socket.AF_INET:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        if type != stdlib_socket.SOCK_STREAM:
            raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
        return self._network.current_host().new_socket()


class SimResolver(HostnameResolver):
    """Knows the hosts of the network by name, and localhost."""

    def __init__(self, network: "SimNetwork") -> None:
        self._network = network

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 (the name that callers use)
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """Return the one address of a host; socket.gaierror EAI_NONAME for an unknown name."""
        await trio.lowlevel.checkpoint()
        name = (host or b"0.0.0.0").decode("ascii")
        address = self._network.address_of(name)
        sockaddr = (address, int(port or 0))
        return [(stdlib_socket.AF_INET, stdlib_socket.SOCK_STREAM, stdlib_socket.IPPROTO_TCP, "", sockaddr)]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """Return the host's name and the port as text."""
        await trio.lowlevel.checkpoint()
        return self._network.name_of(sockaddr[0]), str(sockaddr[1])
