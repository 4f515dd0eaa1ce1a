"""One connection of the front: request after request, until either side has enough or it becomes the link."""

from collections.abc import Callable

import structlog
import trio
from attrs import define, field
from starlette.requests import ClientDisconnect

from daemons.web.asgi import CHUNKS, ASGIApp, Endpoints, Exchange, answer, scope_of
from daemons.web.config import FrontConfig
from daemons.web.guard import Guard, Refusal
from daemons.web.head import Head, HttpError, PeerGone
from daemons.web.http1 import HttpConnection
from daemons.web.proxies import client_of
from daemons.web.streams import FrontStream
from daemons.web.upgrade import LINK_UPGRADES, OnControl, Upgrades, wants_control

Ready = Callable[[Head], bytes | None]
"""A whole prepared response (head and body) to a request without a body, or None to ask the application. The
answer to HEAD is its business too. Must not block."""

_log = structlog.stdlib.get_logger("pitlink.web")

_LINGER_BYTES = 256 * 1024
_CROWDED_HEAD_S = 2.0


@define
class FrontStatistics:
    """Counts since the start, and how many connections are open now."""

    open: int = 0
    accepted: int = 0
    refused: int = 0
    evicted: int = 0
    requests: int = 0
    ready_answers: int = 0
    bad_requests: int = 0
    write_timeouts: int = 0
    failures: int = 0


@define(eq=False)
class Site:
    """What every connection of a front shares: who answers, and within which limits."""

    app: ASGIApp
    on_control: OnControl | None
    ready: Ready | None
    config: FrontConfig
    utc_now: Callable[[], float]
    statistics: FrontStatistics
    guard: Guard = field(factory=Guard)
    upgrades: Upgrades = LINK_UPGRADES


class Connection:
    """The requests of one stream. `crowded`: past a limit, so only the link is let in and others get 503.

    `on_waiting` is told when it begins to wait for a request (True), and when it has one (False).
    """

    def __init__(
        self,
        site: Site,
        stream: FrontStream,
        ends: Endpoints,
        *,
        crowded: bool,
        on_waiting: Callable[[bool], None] = lambda is_waiting: None,
    ) -> None:
        self._site = site
        self._stream = stream
        self._ends = ends
        self._crowded = crowded
        self._on_waiting = on_waiting
        self._charged = 0
        self._http = HttpConnection(stream, site.config)
        self._exchange: Exchange | None = None

    def __repr__(self) -> str:
        return f"<Connection from {self._ends.client[0]}: {self._http!r} {self._exchange!r}>"

    def drain(self) -> None:
        """End when idle, else behind the current response; tell a response that streams to end."""
        self._http.drain()
        if self._exchange is not None:
            self._exchange.drain()

    async def run(self) -> None:
        """Serve until the connection is over; a peer that leaves is no error. The caller closes the
        stream.
        """
        try:
            while await self._one_request():
                pass
            if self._http.unread:
                await self._stream.linger(self._site.config.linger_s, _LINGER_BYTES)
        except HttpError as exc:
            self._site.statistics.bad_requests += 1
            await self._refuse(exc.status, exc.words)
        except PeerGone:
            pass

    async def _refuse(self, status: int, words: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self._http.end_request()
        if not self._http.can_answer:
            return
        try:
            await answer(self._http, status, words, headers)
        except PeerGone:
            return
        await self._stream.linger(self._site.config.linger_s, _LINGER_BYTES)

    async def _one_request(self) -> bool:
        """Return whether another request may follow."""
        site = self._site
        head: Head | None = None
        self._on_waiting(True)
        if self._crowded:
            with trio.move_on_after(_CROWDED_HEAD_S):
                head = await self._http.read_head()
        else:
            head = await self._http.read_head()
        self._on_waiting(False)
        if head is None:
            return False
        site.statistics.requests += 1
        client = client_of(head, self._ends.client[0], site.config.trusted_proxies)
        now = trio.current_time()
        if site.on_control is not None and wants_control(head, site.upgrades):
            if head.has_body:  # whose bytes the WebSocket's parser would take for something else
                raise HttpError(400, "an upgrade has no body")
            if refusal := site.guard.on_upgrade(client, now):
                return await self._turn_away(refusal)
            self._http.end_request()
            await self._hand_over(site.on_control, head, client)
            return False
        if refusal := site.guard.on_request(client, now):
            return await self._turn_away(refusal)
        if self._crowded:
            site.statistics.refused += 1
            await self._refuse(503, "too many connections", ((b"retry-after", b"5"),))
            return False
        if site.ready is not None and not head.has_body and (prepared := self._prepared(site.ready, head)):
            going_on = await self._answer_ready(head, prepared)
            self._charge(client)
            return going_on
        self._http.end_request()
        if refusal := site.guard.begin(client, head, now):
            return await self._turn_away(refusal)
        try:
            return await self._ask_app(head, client) and await self._http.next_request()
        finally:
            site.guard.end(client)
            self._charge(client)

    def _charge(self, client: str) -> None:
        moved = self._stream.bytes_moved
        self._site.guard.moved(client, moved - self._charged, trio.current_time())
        self._charged = moved

    async def _turn_away(self, refusal: Refusal) -> bool:
        await self._refuse(refusal.status, refusal.words, ((b"retry-after", b"%d" % refusal.retry_after_s),))
        return False

    async def _hand_over(self, on_control: OnControl, head: Head, client: str) -> None:
        try:
            await on_control(self._http.take_over(), head, client)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            _log.debug("control.broken", peer=client)

    def _prepared(self, ready: Ready, head: Head) -> bytes | None:
        try:
            return ready(head)
        except Exception as exc:
            self._log_failure(head, exc)
            raise HttpError(500, "internal error") from exc

    async def _answer_ready(self, head: Head, prepared: bytes) -> bool:
        self._site.statistics.ready_answers += 1
        await self._http.write_raw([prepared])
        self._http.forget_request()
        return head.keeps_alive and not self._http.draining

    async def _ask_app(self, head: Head, client: str) -> bool:
        """Run the application for one request; return whether its response is complete."""
        ends = Endpoints((client, self._ends.client[1]), self._ends.server, self._ends.scheme)
        scope = scope_of(head, ends)
        async with trio.open_nursery() as nursery:
            exchange = self._exchange = Exchange(self._http, head, nursery, self._site.utc_now)
            if CHUNKS in scope["extensions"]:
                scope["extensions"][CHUNKS]["send_nowait"] = exchange.send_nowait
            try:
                await self._site.app(scope, exchange.receive, exchange.send)
            except* Exception as failure:
                self._exchange = None
                self._note_failure(exchange, head, failure)
            else:
                if not exchange.done and not exchange.gone:
                    self._log_failure(head, RuntimeError(f"the application left its response {exchange!r}"))
            self._exchange = None
            await exchange.fail(500, "internal error")
            await exchange.finish()
        return exchange.done

    def _note_failure(self, exchange: Exchange, head: Head, failure: ExceptionGroup[Exception]) -> None:
        if exchange.gone:
            # What the front itself raised, or Starlette made of it, because the client left.
            _, others = failure.split((OSError, ClientDisconnect))
            if others is None:
                _log.debug("client.left", method=head.method, path=head.target.partition("?")[0])
                return
            failure = others
        self._log_failure(head, failure.exceptions[0] if len(failure.exceptions) == 1 else failure)

    def _log_failure(self, head: Head, failure: BaseException) -> None:
        self._site.statistics.failures += 1
        path = head.target.partition("?")[0]  # a query may hold a token
        _log.error("request.failed", method=head.method, path=path, exc_info=failure)
