"""One request through an ASGI application: its scope, `receive` and `send`.

ASGI's `spec_version` here is 2.4: `send` raises OSError once the client is gone or has not read for the write
deadline, `receive` returns `http.disconnect` when the client leaves while the response is under way. A
handler that streams for long (server-sent events) should wait for that beside its own events.

An extension of our own: where the scope's extensions name `CHUNKS`, a response without a length may go on with
{"type": CHUNKS, "chunk": bytes}, whose bytes are framed as chunks already, once for all who are sent the same. The
extension's "send_nowait" takes such bytes and returns how many of them the kernel took at once; the rest is to be sent.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote

import h11
import trio
from attrs import frozen

from daemons.web.head import Head, HttpError, PeerGone
from daemons.web.http1 import HttpConnection

CHUNKS = "pitlink.chunks"

Message = MutableMapping[str, Any]
ASGIApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[Message]],
        Callable[[Message], Awaitable[None]],
    ],
    Awaitable[None],
]


@frozen
class Endpoints:
    """Who speaks to whom: the client (the one a trusted proxy names), our own address, http or https."""

    client: tuple[str, int]
    server: tuple[str, int]
    scheme: str


def scope_of(head: Head, ends: Endpoints) -> dict[str, Any]:
    """Return the ASGI scope of a request. Raise HttpError 400 for a target that names no path."""
    target = head.target
    if not target.startswith("/"):
        # absolute-form, as sent to proxies (RFC 9112 §3.2.2): the authority is Host's business
        scheme, found, rest = target.partition("://")
        if not found or scheme.lower() not in ("http", "https"):
            raise HttpError(400, "the request target must be a path")
        target = "/" + rest.partition("/")[2]
    raw_path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": head.version,
        "method": head.method,
        "scheme": ends.scheme,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": list(head.headers),
        "client": ends.client,
        "server": ends.server,
        "extensions": {CHUNKS: {}} if head.version == "1.1" and head.method != "HEAD" else {},
    }


class _Response(Enum):
    DUE = auto()
    HELD = auto()  # its head waits for the first of its body, to leave with it in one write
    BEGUN = auto()
    DONE = auto()


class Exchange:
    """One request and its response. One task may `receive` while another one sends."""

    def __init__(
        self, http: HttpConnection, head: Head, nursery: trio.Nursery, utc_now: Callable[[], float]
    ) -> None:
        self._http = http
        self._head = head
        self._nursery = nursery
        self._utc_now = utc_now
        self._response = _Response.DUE
        self._held: h11.Response | None = None
        self._has_content = True
        self._is_chunked = False
        self._body_read = not head.has_body
        self._told_body = False
        self._over = trio.Event()
        self._watching: trio.CancelScope | None = None
        self._watch_ended = trio.Event()
        self.gone = False
        """Whether the client left, or was given up, before the response was complete."""

    def __repr__(self) -> str:
        return f"<Exchange {self._head.method} {self._head.target} {self._response.name}>"

    @property
    def answerable(self) -> bool:
        """Whether no byte of a response has been written."""
        return self._response in (_Response.DUE, _Response.HELD) and not self.gone

    @property
    def done(self) -> bool:
        """Whether the response is complete."""
        return self._response is _Response.DONE

    # --- receive --------------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Return the next piece of the body, then wait until the client is gone or the response complete."""
        if not self._body_read and not self.gone and not self.done:
            try:
                data = await self._http.read_body()
            except HttpError as exc:
                await self.fail(exc.status, exc.words)
                self.gone = True  # answered for the application, which has nobody left to speak to
                self._over.set()
            except PeerGone:
                self._lost()
            else:
                self._body_read = self._told_body = not data
                return {"type": "http.request", "body": data, "more_body": bool(data)}
        elif self._body_read and not self._told_body and not self.gone:
            self._told_body = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if not self._over.is_set():  # not asked of `wait`: Starlette polls from inside a cancelled scope
            self._watch()
            await self._over.wait()
        return {"type": "http.disconnect"}

    def _watch(self) -> None:
        if self._watching is None and self._body_read and not self._over.is_set():
            self._watching = trio.CancelScope()
            self._nursery.start_soon(self._watch_client, self._watching)

    async def _watch_client(self, scope: trio.CancelScope) -> None:
        try:
            with scope:
                await self._http.watch()
                self._lost()
        finally:
            self._watch_ended.set()

    def _lost(self) -> None:
        if not self.done:
            self.gone = True
        self._over.set()

    def drain(self) -> None:
        """Tell a response that streams, through `receive`, that it should come to its end."""
        if self._response is _Response.BEGUN:
            self._over.set()

    # --- send -----------------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Send a part of the response.

        Raises OSError when the client is gone; RuntimeError and h11.LocalProtocolError for messages out of
        order. Cancelled while writing, the connection is closed.
        """
        if self.gone:
            raise ConnectionError("the client is gone")
        kind = message["type"]
        if kind == "http.response.start" and self._response is _Response.DUE:
            await self._begin(message)
        elif kind == "http.response.body" and self._response in (_Response.HELD, _Response.BEGUN):
            await self._continue(message.get("body", b""), message.get("more_body", False))
        elif kind == CHUNKS and self._response is _Response.BEGUN and self._is_chunked:
            await self._write_chunks(message["chunk"])
        else:
            raise RuntimeError(f"{kind} is not due: the response is {self._response.name}")

    async def _begin(self, message: Message) -> None:
        status = message["status"]
        headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        names = {name.lower() for name, _ in headers}
        if b"date" not in names:
            headers.append((b"date", formatdate(self._utc_now(), usegmt=True).encode("ascii")))
        if self._http.draining and b"connection" not in names:
            headers.append((b"connection", b"close"))
        self._held = h11.Response(status_code=status, headers=headers)
        self._has_content = self._head.method != "HEAD" and status not in (204, 304)
        self._response = _Response.HELD
        if b"content-length" not in names and self._has_content:
            # A stream: its first event may be long in coming, and an EventSource opens with the head.
            self._is_chunked = self._head.version == "1.1"
            await self._write()

    async def _continue(self, body: bytes, more: bool) -> None:
        events: list[h11.Event] = []
        if body and self._has_content:
            events.append(h11.Data(data=body))
        if not more:
            events.append(h11.EndOfMessage())
        await self._write(*events)
        if not more:
            self._response = _Response.DONE
            self._over.set()
        elif self._http.draining:
            self._over.set()
        else:
            self._watch()

    def send_nowait(self, chunks: bytes) -> int:
        """Write what the kernel takes of these chunks at once; return how many bytes. The rest goes by `send`."""
        if (
            self._response is not _Response.BEGUN
            or self._watching is None
            or self.gone
            or self._http.draining
        ):
            return 0
        return self._http.stream.send_nowait(chunks)

    async def _write_chunks(self, chunks: bytes) -> None:
        try:
            await self._http.write_raw([chunks])
        except PeerGone as exc:
            self._lost()
            raise ConnectionError(f"the client is gone: {exc}") from exc
        if self._http.draining:
            self._over.set()
        else:
            self._watch()

    async def _write(self, *events: h11.Event) -> None:
        if self._held is not None:
            events = (self._held, *events)
            self._held = None
            self._response = _Response.BEGUN
        try:
            await self._http.write(*events)
        except PeerGone as exc:
            self._lost()
            raise ConnectionError(f"the client is gone: {exc}") from exc

    # --- the end --------------------------------------------------------------------------------------------

    async def fail(self, status: int, words: str) -> None:
        """Answer with an error of the front's own, unless a response has begun or the client is gone."""
        if not self.answerable:
            return
        self._held = None
        self._response = _Response.BEGUN
        try:
            await answer(self._http, status, words)
        except PeerGone:
            self._lost()
        else:
            self._response = _Response.DONE
            self._over.set()

    async def finish(self) -> None:
        """Stop watching the client, so that the connection's reads are the next request's."""
        self._over.set()
        if self._watching is not None:
            self._watching.cancel(reason="the response is over")
            await self._watch_ended.wait()


async def answer(
    http: HttpConnection, status: int, words: str, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Answer the current request with `words` as plain text and `Connection: close`. Raise PeerGone."""
    body = f"{words}\n".encode()
    fixed = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"connection", b"close"),
    ]
    response = h11.Response(status_code=status, headers=[*fixed, *headers])
    data = () if http.head_only else (h11.Data(data=body),)
    await http.write(response, *data, h11.EndOfMessage())
