"""One connection to a hub, opened step by step, and plain requests over it: what the doctor looks at the way with."""

import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import h11
import trio
from attrs import define, field, frozen

from daemons.link.address import HubAddress

__all__ = ["Answer", "Asker", "Unreached", "connect", "look_up", "open_asker", "secure"]

NAME_S = 5.0
TCP_S = 4.0
TLS_S = 10.0
ANSWER_S = 15.0
_BODY_BYTES_MAX = 256 * 1024


class Unreached(Exception):
    """A step failed. `step`: name, tcp, tls, http; the cause is what the system said."""

    def __init__(self, step: str, words: str) -> None:
        super().__init__(words)
        self.step = step


@frozen
class Answer:
    """An HTTP answer. Moments are `trio.current_time()`."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    sent_at: float
    received_at: float  # of its head

    def header(self, name: str) -> str:
        """Return a header's value, "" when it is not there."""
        return next((value for key, value in self.headers if key == name), "")


async def look_up(host: str, port: int) -> list[str]:
    """Return the addresses of a name, the preferred first. Raises Unreached."""
    try:
        with trio.fail_after(NAME_S):
            found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except trio.TooSlowError:
        raise Unreached("name", f"no answer in {NAME_S:.0f} s") from None
    except socket.gaierror as exc:
        raise Unreached("name", str(exc.strerror)) from exc
    return list(dict.fromkeys(str(info[4][0]) for info in found))


async def connect(address: str, port: int) -> trio.SocketStream:
    """Connect to one IP address. Raises Unreached."""
    try:
        with trio.fail_after(TCP_S):
            return await trio.open_tcp_stream(address, port)
    except trio.TooSlowError:
        raise Unreached("tcp", f"no answer in {TCP_S:.0f} s") from None
    except OSError as exc:
        cause: BaseException = exc
        while isinstance(under := cause.__cause__, OSError | BaseExceptionGroup):
            cause = under.exceptions[0] if isinstance(under, BaseExceptionGroup) else under
        words = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        raise Unreached("tcp", words) from cause


async def secure(
    stream: trio.abc.Stream, host: str, context: ssl.SSLContext
) -> trio.SSLStream[trio.abc.Stream]:
    """Shake hands. Raises Unreached, whose cause is the SSLError where there was one. Then `stream` is closed."""
    over_tls = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
    try:
        with trio.fail_after(TLS_S):
            await over_tls.do_handshake()
    except trio.TooSlowError:
        await trio.aclose_forcefully(stream)
        raise Unreached("tls", f"no handshake in {TLS_S:.0f} s") from None
    except (trio.BrokenResourceError, ssl.SSLError) as exc:
        await trio.aclose_forcefully(stream)
        cause = exc.__cause__ if exc.__cause__ is not None else exc
        raise Unreached("tls", str(cause)) from cause
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return over_tls


@define(eq=False)
class Asker:
    """A kept connection that carries one request at a time."""

    stream: trio.abc.Stream
    host_header: str
    _h11: h11.Connection = field(factory=lambda: h11.Connection(h11.CLIENT), init=False)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Sequence[tuple[str, str]] = (),
        head_only: bool = False,
    ) -> Answer:
        """Send a request and read its answer. Raises Unreached when the connection ends, or nothing comes in 15 s.

        `head_only`: leave the body unread (a stream that does not end); then nothing more can be asked.
        """
        try:
            with trio.fail_after(ANSWER_S):
                return await self._ask(method, path, body, headers, head_only)
        except trio.TooSlowError:
            raise Unreached("http", f"no answer in {ANSWER_S:.0f} s") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise Unreached("http", "the connection broke") from exc
        except h11.ProtocolError as exc:
            raise Unreached("http", f"the answer is no HTTP: {exc}") from exc

    async def _ask(
        self, method: str, path: str, body: bytes, headers: Sequence[tuple[str, str]], head_only: bool
    ) -> Answer:
        if self._h11.our_state is h11.DONE:
            self._h11.start_next_cycle()
        fixed = [("host", self.host_header), ("user-agent", "pitlink-doctor"), ("accept", "*/*")]
        length = [("content-length", str(len(body)))] if method == "POST" else []
        request = h11.Request(method=method, target=path, headers=[*fixed, *length, *headers])
        sent_at = trio.current_time()
        await self._send(request)
        if body:
            await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())
        head = await self._next()
        while isinstance(head, h11.InformationalResponse) and head.status_code != 101:
            head = await self._next()
        if not isinstance(head, h11.Response | h11.InformationalResponse):
            raise Unreached("http", "the connection was closed without an answer")
        received_at = trio.current_time()
        got = bytearray()
        head_only = head_only or head.status_code == 101
        while not head_only and isinstance(event := await self._next(), h11.Data):
            got += event.data
            if len(got) > _BODY_BYTES_MAX:
                raise Unreached("http", f"an answer of more than {_BODY_BYTES_MAX} bytes")
        known = tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in head.headers)
        return Answer(head.status_code, known, bytes(got), sent_at, received_at)

    async def next_piece(self) -> bytes:
        """Return the next piece of a body left unread by `head_only`, b"" at its end. The caller bounds the wait."""
        try:
            event = await self._next()
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError) as exc:
            raise Unreached("http", "the connection broke") from exc
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    async def _send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        data = self._h11.send(event)
        if data:
            await self.stream.send_all(data)

    async def _next(self) -> object:
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            self._h11.receive_data(bytes(await self.stream.receive_some(65536)))
        return event


@asynccontextmanager
async def open_asker(address: HubAddress, context: ssl.SSLContext | None) -> AsyncIterator[Asker]:
    """Connect to a hub and hold the connection for the body of the block. Raises Unreached."""
    addresses = await look_up(address.host, address.port)
    refusal: Unreached | None = None
    stream: trio.abc.Stream | None = None
    for one in addresses:
        try:
            stream = await connect(one, address.port)
            break
        except Unreached as exc:
            refusal = exc
    if stream is None:
        raise refusal or Unreached("name", "it has no address")
    try:
        if address.is_tls:
            stream = await secure(stream, address.host, context or ssl.create_default_context())
        yield Asker(stream, address.host_header)
    finally:
        await trio.aclose_forcefully(stream)
