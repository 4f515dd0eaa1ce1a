"""Opening ports, and who is at the other end of a connection."""

import errno
import socket
import ssl
import struct
from pathlib import Path

import trio

from daemons.ops.errors import ConfigError, Problem, RefusedToStart

_TRIES = 8
UNKNOWN_PEER = ("unknown", 0)
HAS_PEER_CREDENTIALS = hasattr(socket, "SO_PEERCRED")  # Linux
_UCRED = struct.Struct("iII")  # process, user, group


async def open_listeners(host: str, port: int) -> list[trio.SocketListener]:
    """Listen on every address of `host` ("" means every interface), all on one port; 0 lets the system choose
    it.

    Raises RefusedToStart, in words, when the port is taken or may not be used. The caller closes the
    listeners (`serve_http` does).
    """
    for attempt in range(_TRIES):
        try:
            return await _open_all(host, port)
        except OSError as exc:
            # A free port of one address may be taken on the next one (localhost is 127.0.0.1 and ::1).
            if exc.errno == errno.EADDRINUSE and port == 0 and attempt < _TRIES - 1:
                continue
            raise RefusedToStart(_words(host, port, exc)) from exc
    raise AssertionError("unreachable")


async def _open_all(host: str, port: int) -> list[trio.SocketListener]:
    found = await trio.socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
    )
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    listeners: list[trio.SocketListener] = []
    try:
        for address in addresses:
            listeners += await trio.open_tcp_listeners(port, host=address)
            port = listeners[0].socket.getsockname()[1]
    except BaseException:
        for listener in listeners:
            listener.socket.close()
        raise
    return listeners


def _words(host: str, port: int, exc: OSError) -> str:
    where = f"{host or 'every interface'}, port {port}"
    if exc.errno == errno.EADDRINUSE:
        return f"{where} is taken by another program: stop it or choose another port with --listen"
    if exc.errno == errno.EACCES:
        return f"{where} may only be used by root: choose a port above 1023 with --listen"
    if isinstance(exc, socket.gaierror) or exc.errno == errno.EADDRNOTAVAIL:
        return f"{host!r} is not an address of this machine: choose another with --listen"
    return f"cannot listen on {where}: {exc}"


def tls_context(cert: Path, key: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    """Return a server context of a certificate chain and its key, both PEM. Raise ConfigError in words.

    `client_ca`: clients are asked for a certificate; one that these CAs (PEM) have not signed ends the handshake.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError([Problem("tls_client_ca", f"{client_ca} cannot be used: {exc}")]) from exc
        context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key)
    except ssl.SSLError as exc:
        why = f"{cert} and {key} are not a certificate chain and its key: {exc.reason or exc}"
        raise ConfigError([Problem("tls", why)]) from exc
    except OSError as exc:
        raise ConfigError(
            [Problem("tls", f"cannot read {exc.filename or f'{cert} or {key}'}: {exc.strerror}")]
        ) from exc
    return context


def peer_address(stream: trio.abc.Stream) -> tuple[str, int]:
    """Return the (host, port) at the other end of a socket; ("unknown", 0) where there is none.

    Of a Unix socket it is ("local", user id).
    """
    if not isinstance(stream, trio.SocketStream):
        return UNKNOWN_PEER
    try:
        if (uid := local_peer_uid(stream.socket)) is not None:
            return ("local", uid)
        return _host_port(stream.socket.getpeername())
    except OSError:  # reset before it was accepted
        return UNKNOWN_PEER


def local_peer_uid(sock: trio.socket.SocketType) -> int | None:
    """Return the user id at the other end of a Unix socket, as the kernel knows it; None where it does not say.

    Raises OSError for a connection that is gone.
    """
    if not HAS_PEER_CREDENTIALS or sock.family != socket.AF_UNIX:
        return None
    _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)


def local_address(stream: trio.abc.Stream) -> tuple[str, int]:
    """Return our own (host, port) of a socket; ("unknown", 0) where there is none."""
    if not isinstance(stream, trio.SocketStream):
        return UNKNOWN_PEER
    try:
        return _host_port(stream.socket.getsockname())
    except OSError:
        return UNKNOWN_PEER


def _host_port(address: object) -> tuple[str, int]:
    if not isinstance(address, tuple) or len(address) < 2:  # a Unix socket
        return ("local", 0)
    host = str(address[0])
    return host.removeprefix("::ffff:") if "." in host else host, int(address[1])
