"""The admin API's Unix socket: mode 0600, and only the daemon's own user and root are listened to.

The kernel says who connects (SO_PEERCRED); the file's mode says the same to those who look.
"""

import errno
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
import trio
from attrs import define
from starlette.requests import Request

from daemons.ops.authority.identity import ALL_SITES, Forbidden, Identity, Role
from daemons.ops.errors import RefusedToStart
from daemons.ops.speaking import NAME_WORDS, SPEAKS_FOR, is_speakable
from daemons.ops.unixpath import short_path
from daemons.web.asgi import ASGIApp
from daemons.web.config import FrontConfig
from daemons.web.front import Front, serve_http
from daemons.web.listeners import local_peer_uid

__all__ = ["AdminListener", "held_by_peer", "open_admin_socket", "serve_admin"]

_log = structlog.stdlib.get_logger("pitlink.web")

BACKLOG = 64
_CONFIG = FrontConfig(connections_max=64, connections_per_peer_max=64)


@define(eq=False)
class AdminListener(trio.abc.Listener[trio.SocketStream]):
    """Accepts connections of this process's user and of root, closes others. Closing it removes the file."""

    path: Path
    _listener: trio.SocketListener

    async def accept(self) -> trio.SocketStream:
        """Return the next connection of somebody who may."""
        while True:
            stream = await self._listener.accept()
            try:
                uid = local_peer_uid(stream.socket)
            except OSError:  # gone already
                uid = None
            if uid in (0, os.geteuid()):
                return stream
            _log.warning("admin.refused", uid=uid)
            await trio.aclose_forcefully(stream)

    async def aclose(self) -> None:
        """Close it and remove the file."""
        try:
            self.path.unlink()
        except OSError:
            pass
        await self._listener.aclose()  # closed even when this is cancelled


def open_admin_socket(path: Path) -> AdminListener:
    """Listen on a Unix socket of mode 0600; a file that a daemon has left behind is replaced.

    Raises RefusedToStart, in words: another daemon listens there, or the place cannot be used.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        with short_path(path) as short:
            _remove_stale(path, short)
            sock.bind(short)
            os.chmod(short, 0o600)  # nobody can connect before listen()
        sock.listen(BACKLOG)
    except OSError as exc:
        sock.close()
        raise RefusedToStart(f"the admin socket {path} cannot be made: {exc.strerror or exc}") from exc
    except BaseException:
        sock.close()
        raise
    return AdminListener(path, trio.SocketListener(trio.socket.from_stdlib_socket(sock)))


def _remove_stale(path: Path, short: str) -> None:
    try:
        mode = os.lstat(short).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise RefusedToStart(f"the admin socket {path} cannot be made: something else is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.setblocking(False)
        try:
            probe.connect(short)
        except OSError as exc:
            if exc.errno not in (errno.ECONNREFUSED, errno.ENOENT):
                raise RefusedToStart(f"the admin socket {path} is in use: stop the other daemon") from exc
        else:
            raise RefusedToStart(f"the admin socket {path} is in use: stop the other daemon")
    os.unlink(short)


async def serve_admin(  # noqa: ASYNC114
    listener: AdminListener, app: ASGIApp, *, task_status: trio.TaskStatus[Front] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve the admin API on its socket until the `Front` reported as started is drained, or cancelled."""
    await serve_http([listener], app, config=_CONFIG, task_status=task_status)


@asynccontextmanager
async def held_by_peer(request: Request) -> AsyncIterator[Identity]:
    """Return who asks by the Unix socket, as an admin: whoever has this user or root has the daemon anyhow.

    The kernel vouches for the user. For whom that user speaks, it says itself, and the name says that it does.
    """
    client = request.client
    if client is None or client.host != "local":
        raise Forbidden("this is for the Unix socket", "role")
    name, behind = _user_name(client.port), request.headers.get(SPEAKS_FOR, "")
    if behind and not is_speakable(behind):
        raise Forbidden(f"{SPEAKS_FOR} is no name: {NAME_WORDS}", "name")
    yield Identity("unix", f"{name} (for {behind})" if behind else name, Role.ADMIN, (ALL_SITES,))


def _user_name(uid: int) -> str:
    import pwd  # only where there are Unix sockets

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
