"""One HTTP question on a connection of its own, by h11: for clients that ask seldom and sometimes stop in the middle.

Whoever asks often keeps the connection: `daemons.ops.keptline`. An answer is a plain object, not an asynchronous
generator: who stops reading it leaves nothing to be collected later.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import h11
import trio
from attrs import define, field, frozen

from daemons.ops.unixpath import short_path

__all__ = ["Answer", "Place", "Unreachable", "ask", "put"]

CONNECT_S = 5.0
ANSWER_BYTES_MAX = 32 * 1024 * 1024
_PIECE_BYTES = 64 * 1024


class Unreachable(Exception):
    """Nobody answered, or went while answering. The words say where and why."""


@frozen
class Place:
    """Where to ask: a Unix socket, or a URL (http:// or https://; a path in it stands before every target)."""

    at: Path | str
    trust: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return str(self.at)

    async def connect(self) -> trio.abc.Stream:
        """Return a connection. Raises Unreachable, after 5 s at the latest."""
        try:
            with trio.fail_after(CONNECT_S):
                return await self._connect()
        except trio.TooSlowError as exc:
            raise Unreachable(f"{self}: no answer in {CONNECT_S:g} s") from exc
        except (ConnectionRefusedError, FileNotFoundError) as exc:
            raise Unreachable(f"{self}: no daemon listens there") from exc
        except PermissionError as exc:
            raise Unreachable(f"{self}: only its daemon's own user and root may use it") from exc
        except trio.BrokenResourceError as exc:
            raise Unreachable(f"{self}: {exc.__cause__ or exc}") from exc
        except OSError as exc:
            raise Unreachable(f"{self}: {exc.strerror or exc}") from exc

    async def _connect(self) -> trio.abc.Stream:
        if isinstance(self.at, Path):
            with short_path(Path.cwd() / self.at) as path:
                return await trio.open_unix_socket(path)
        parts = urlsplit(self.at)
        host = parts.hostname or ""
        raw = await trio.open_tcp_stream(host, parts.port or (443 if parts.scheme == "https" else 80))
        if parts.scheme != "https":
            return raw
        context = self.trust or ssl.create_default_context()
        stream = trio.SSLStream(raw, context, server_hostname=host, https_compatible=True)
        try:
            await stream.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(raw)
            raise
        return stream

    @property
    def host(self) -> str:
        """What the Host header says."""
        return "localhost" if isinstance(self.at, Path) else urlsplit(self.at).netloc.rpartition("@")[2]

    @property
    def base(self) -> str:
        return "" if isinstance(self.at, Path) else urlsplit(self.at).path.rstrip("/")


@define(eq=False)
class Answer:
    """The answer to one question, whose body is still to be read."""

    place: Place
    status: int
    _stream: trio.abc.Stream
    _http: h11.Connection
    _rest: bytes = field(default=b"", init=False)

    async def read(self) -> bytes:
        """Return the next piece of the body, b"" at its end. Raises Unreachable when it breaks off."""
        while True:
            event = await _next_event(self.place, self._stream, self._http)
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if isinstance(event, h11.EndOfMessage):
                return b""

    async def read_all(self) -> bytes:
        """Return the whole body. Raises Unreachable, also for one beyond 32 MiB."""
        body = b""
        while piece := await self.read():
            body += piece
            if len(body) > ANSWER_BYTES_MAX:
                raise Unreachable(f"{self.place}: the answer is longer than {ANSWER_BYTES_MAX} bytes")
        return body

    async def read_line(self) -> bytes | None:
        """Return the next line of the body without its end, None behind the last. Raises Unreachable."""
        while b"\n" not in self._rest:
            piece = await self.read()
            if not piece:
                last, self._rest = self._rest, b""
                return last or None
            self._rest += piece
            if len(self._rest) > ANSWER_BYTES_MAX:
                raise Unreachable(f"{self.place}: a line is longer than {ANSWER_BYTES_MAX} bytes")
        line, _, self._rest = self._rest.partition(b"\n")
        return line


@asynccontextmanager
async def ask(
    place: Place, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> AsyncIterator[Answer]:
    """Ask, and give the answer when its head is there. The caller's scope is the deadline. Raises Unreachable."""
    stream = await place.connect()
    try:
        lines = {"Connection": "close", **(headers or {})}
        yield await put(place, stream, h11.Connection(h11.CLIENT), method, target, lines, body)
    finally:
        await trio.aclose_forcefully(stream)


async def put(
    place: Place,
    stream: trio.abc.Stream,
    http: h11.Connection,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Answer:
    """Put a question to a connection that is at rest; return the answer when its head is there.

    Raises Unreachable; after that, and when cancelled, the connection is of no more use.
    """
    lines = {"Host": place.host, **headers}
    if body:
        lines["Content-Length"] = str(len(body))
    request = h11.Request(method=method, target=place.base + target, headers=list(lines.items()))
    data = (http.send(request) or b"") + (http.send(h11.Data(data=body)) or b"" if body else b"")
    try:
        await stream.send_all(data + (http.send(h11.EndOfMessage()) or b""))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # it may have answered before it had heard us to the end
    event = await _next_event(place, stream, http)
    while not isinstance(event, h11.Response):
        event = await _next_event(place, stream, http)
    return Answer(place, event.status_code, stream, http)


async def _next_event(place: Place, stream: trio.abc.Stream, http: h11.Connection) -> h11.Event:
    while True:
        try:
            event = http.next_event()
        except h11.RemoteProtocolError as exc:
            raise Unreachable(f"{place}: what answers is no pitlink daemon, or broke off ({exc})") from exc
        if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise Unreachable(f"{place}: the connection was closed without an answer")
        if event is not h11.NEED_DATA:
            assert not isinstance(event, type)
            return event
        try:
            data = bytes(await stream.receive_some(_PIECE_BYTES))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise Unreachable(f"{place}: the connection was lost") from exc
        if not data and http.their_state is h11.SEND_RESPONSE and not http.trailing_data[0]:
            raise Unreachable(f"{place}: the connection was closed without an answer")
        http.receive_data(data)
