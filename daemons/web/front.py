"""The HTTP front: one port for HTTP and the link.

h11 parses, an ASGI application answers, `Upgrade: websocket` on `/control` goes to the link. It exists
because a server whose writes have no deadline cannot be stopped while one client has stopped reading. So here
every write has one, and stopping never asks anything of a client:

    serve_http
    ├── accept loops                  ended by drain()
    └── connections                   a task each: TLS, then request after request
        └── watcher of the client     while a response streams
"""

import ssl
import time
from collections import Counter
from collections.abc import Callable, Sequence

import structlog
import trio

from daemons.web.asgi import ASGIApp, Endpoints
from daemons.web.config import FrontConfig
from daemons.web.connection import Connection, FrontStatistics, Ready, Site
from daemons.web.guard import Guard
from daemons.web.listeners import local_address, open_listeners, peer_address, tls_context
from daemons.web.proxies import client_key, is_proxy
from daemons.web.streams import FrontStream
from daemons.web.upgrade import LINK_UPGRADES, OnControl, Upgrades, reject

__all__ = ["Front", "FrontConfig", "FrontStream", "open_listeners", "reject", "serve_http", "tls_context"]

_log = structlog.stdlib.get_logger("pitlink.web")

_RESERVE = 64
"""Connections past the limit that are read far enough to let the link in, or to say 503."""

_RESERVE_PER_PEER = 16
"""The same for one address, so that one alone cannot take all of the reserve."""

_EVICT_AFTER_S = 2.0
"""Who has said nothing for so long makes room for another when there is none left."""


async def serve_http(
    listeners: Sequence[trio.abc.Listener[trio.SocketStream]],
    app: ASGIApp,
    *,
    on_control: OnControl | None = None,
    upgrades: Upgrades = LINK_UPGRADES,
    config: FrontConfig | None = None,
    ready: Ready | None = None,
    tls: ssl.SSLContext | None = None,
    utc_now: Callable[[], float] = time.time,
    guard: Guard | None = None,
    task_status: trio.TaskStatus["Front"] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve HTTP and the link until `drain()` of the `Front` that is reported as started. `upgrades`: what goes to
    `on_control`.

    Closes the listeners. Cancelling closes every connection at once, by force. A failure in the application
    or in `on_control` is logged as ERROR and ends its connection only.
    """
    config = FrontConfig() if config is None else config
    site = Site(app, on_control, ready, config, utc_now, FrontStatistics(), guard or Guard(), upgrades)
    front = Front(site, tls)
    await front.run(listeners, task_status=task_status)


class Front:
    """A front that serves: where it listens, what it counts, and how to end it in order."""

    def __init__(self, site: Site, tls: ssl.SSLContext | None = None) -> None:
        self.statistics = site.statistics
        self.ports: list[int] = []
        self._site = site
        self._config = site.config
        self._tls = tls
        self._peers: Counter[str] = Counter()
        self._connections: set[Connection] = set()
        self._waiting: dict[
            trio.CancelScope, float
        ] = {}  # those without a request → since when; oldest first
        self._draining = False
        self._accepting = trio.CancelScope()
        self._serving = trio.CancelScope()
        self._stopped = trio.Event()

    def __repr__(self) -> str:
        return f"<Front on {self.ports}: {self.statistics}>"

    async def run(
        self,
        listeners: Sequence[trio.abc.Listener[trio.SocketStream]],
        *,
        task_status: trio.TaskStatus["Front"] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept and serve until drained or cancelled."""
        self.ports = [
            listener.socket.getsockname()[1]
            for listener in listeners
            if isinstance(listener, trio.SocketListener)
        ]
        try:
            with self._serving:
                async with trio.open_nursery() as connections:
                    with self._accepting:
                        task_status.started(self)
                        await trio.serve_listeners(self.handle, list(listeners), handler_nursery=connections)
        finally:
            self._stopped.set()

    async def drain(self) -> None:
        """Stop accepting, let requests end for `drain_s`, then cancel what is left, and return.

        Idle connections go at once; responses that stream are told through `receive` that it is time to end.
        May be called again, and may be cancelled: then `serve_http` has to be.
        """
        self._draining = True
        self._accepting.cancel(reason="draining")
        for connection in self._connections:
            connection.drain()
        with trio.move_on_after(self._config.drain_s):
            await self._stopped.wait()
        self._serving.cancel(reason="drained")
        await self._stopped.wait()

    async def handle(self, raw: trio.abc.Stream) -> None:
        """Serve one connection to its end, and close it. No failure of it gets out of here."""
        peer = peer_address(raw)
        counted = not is_proxy(peer[0], self._config.trusted_proxies)
        key = client_key(peer[0]) if counted else ""
        count, most = self.statistics, self._config.connections_max
        count.accepted += 1
        of_peer = self._peers[key] - self._config.connections_per_peer_max if counted else -1
        if self._draining or of_peer >= _RESERVE_PER_PEER or not self._has_room(most + _RESERVE, 0.0):
            count.refused += 1
            await trio.aclose_forcefully(raw)
            return
        crowded = of_peer >= 0 or not self._has_room(most, _EVICT_AFTER_S)
        count.open += 1
        self._peers[key] += 1
        scope = trio.CancelScope()
        try:
            with scope:
                await self._serve(raw, peer, crowded, scope)
        except* Exception as failure:
            count.failures += 1
            _log.error("connection.failed", peer=peer[0], exc_info=failure)
        finally:
            self._waiting.pop(scope, None)
            await trio.aclose_forcefully(raw)
            count.open -= 1
            self._peers[key] -= 1
            if self._peers[key] <= 0:
                del self._peers[key]

    async def adopt(self, stream: trio.abc.Stream, peer: tuple[str, int], already: bytes = b"") -> None:
        """Serve a stream that was dialled from here, to its end, as if it had been accepted; its TLS, if any, is done.

        `already`: what was read of it. It is closed in the end; no failure of it gets out of here.
        """
        front_stream = FrontStream(stream, self._config.write_timeout_s)
        front_stream.replay(already)
        connection = Connection(self._site, front_stream, Endpoints(peer, peer, "https"), crowded=False)
        self._connections.add(connection)
        try:
            if not self._draining:
                await connection.run()
        except Exception as failure:
            self.statistics.failures += 1
            _log.error("connection.failed", peer=peer[0], exc_info=failure)
        finally:
            self._connections.discard(connection)
            await trio.aclose_forcefully(stream)

    def _has_room(self, most: int, after_s: float) -> bool:
        """Is there room below `most`, or was it made by ending whoever has waited longest, `after_s` at least?"""
        if self.statistics.open < most:
            return True
        scope, since = next(iter(self._waiting.items()), (None, 0.0))
        if scope is None or trio.current_time() - since < after_s:
            return False
        del self._waiting[scope]
        scope.cancel(reason="others need the room")
        self.statistics.evicted += 1
        return True

    async def _serve(
        self, raw: trio.abc.Stream, peer: tuple[str, int], crowded: bool, scope: trio.CancelScope
    ) -> None:
        def on_waiting(is_waiting: bool) -> None:
            if is_waiting:
                self._waiting.setdefault(scope, trio.current_time())
            else:
                self._waiting.pop(scope, None)

        local = local_address(raw)
        stream = raw
        on_waiting(True)
        if self._tls is not None:
            secure = trio.SSLStream(raw, self._tls, server_side=True, https_compatible=True)
            if not await self._handshake(secure, peer):
                return
            stream = secure
        front_stream = FrontStream(stream, self._config.write_timeout_s)
        ends = Endpoints(peer, local, "http" if self._tls is None else "https")
        connection = Connection(self._site, front_stream, ends, crowded=crowded, on_waiting=on_waiting)
        self._connections.add(connection)
        if self._draining:  # it was in its handshake when the others were told
            connection.drain()
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self.statistics.write_timeouts += front_stream.timed_out

    async def _handshake(self, stream: trio.SSLStream[trio.abc.Stream], peer: tuple[str, int]) -> bool:
        with trio.move_on_after(self._config.tls_timeout_s):
            try:
                await stream.do_handshake()
            except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
                _log.debug("handshake.failed", peer=peer[0], why=str(exc.__cause__ or exc))
                return False
            return True
        _log.debug("handshake.late", peer=peer[0])
        return False
