"""The port between the link and what carries its messages, and trio-websocket behind it.

The edges of trio-websocket 0.12.2 that this file exists for, all reproduced:

- A cancelled `send_message` leaves the connection open with half a frame on the wire. Here an interrupted `send`
  aborts the connection before the exception goes on.
- While our writer waits for room in the socket, the library's reader may answer a WebSocket ping and then dies of
  BusyResourceError. In `SharedStream`, `send_all` and `wait_send_all_might_not_block` take turns.
- `aclose` waits for the peer's close frame for ever; here it has one second, then the socket goes.
- Unread messages block its control frames. The link's reader therefore always drains; liveness is the link's own.
"""

import socket as std_socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, nullcontext
from typing import NoReturn, Protocol, runtime_checkable

import trio
import trio_websocket
from attrs import define, field

from protocol.errors import CloseCode, RemoteProtocolError

if sys.platform == "linux":
    import fcntl

SUBPROTOCOL = "pitlink"
_RECEIVE_BUFFER_BYTES = 64 * 1024
_MESSAGE_BYTES_MAX = 128 * 1024  # on the wire; the decoder's own bound is tighter
_MESSAGE_QUEUE = 8
_CLOSE_S = 1.0
_SETTLE_S = 0.2
_SIOCOUTQ, _SIOCOUTQNSD = 0x5411, 0x894B  # linux/sockios.h
_TURN_EVERY = 32
"""Messages that came together are taken one behind the other; after so many the others have their turn."""
_REASON_BYTES_MAX = 123  # RFC 6455 §5.5: a control frame carries 125 bytes, two of them are the code


class TransportClosed(Exception):
    """The connection is over. `code` is the close code, 1006 when it broke without one."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"{code} {words}".strip())
        self.code = code
        self.words = words


class UpgradeRefused(Exception):
    """The far end answered the upgrade with an HTTP status instead of 101."""

    def __init__(self, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body[:1024]
        self._headers = tuple(headers)

    def header(self, name: bytes) -> str:
        """Return every header of this name (in lower case), joined by commas; "" when there is none."""
        return ", ".join(value.decode("latin-1") for key, value in self._headers if key.lower() == name)


Take = Callable[[bytes], float]


class Transport(Protocol):
    """Carries whole binary messages, in order. One task may send and one may receive at a time."""

    @property
    def bytes_in(self) -> int:
        """Bytes read from the socket so far (below TLS: plain, so without its overhead)."""

    @property
    def bytes_out(self) -> int:
        """Bytes written to the socket so far."""

    @property
    def messages_in(self) -> int:
        """Messages received so far."""

    @property
    def messages_out(self) -> int:
        """Messages sent so far."""

    def kernel_queue(self) -> tuple[int, int] | None:
        """Return the bytes that the kernel holds: not acknowledged by the far end, and of those not sent yet.

        None where it cannot be asked (not Linux, not a TCP socket).
        """

    async def send(self, message: bytes) -> None:
        """Send one message. Raise TransportClosed. Cancelled while writing, the connection is aborted."""

    async def wait_room(self) -> None:
        """Wait until the socket takes more without queueing it. Raise TransportClosed. Safe to cancel."""

    async def receive(self) -> bytes:
        """Return the next message. Raise TransportClosed, RemoteProtocolError for a text one. Safe to cancel."""

    async def receive_each(self, take: Take) -> NoReturn:
        """Have `take` called with each message, in whatever task it comes, until cancelled.

        `take` returns for how many seconds nothing more is to be read. Raises what `receive` and `take` raise.
        """

    async def aclose(self, code: int, words: str) -> None:
        """Say goodbye and close: 1 s at most, then by force."""

    def abort(self) -> None:
        """Close the socket now, with no goodbye."""


@runtime_checkable
class Leaving(Protocol):
    """A stream that knows by itself how to be dropped at once: one under faults, whose far end may not hear of it."""

    def leave(self) -> None: ...


@define(eq=False)
class SharedStream(trio.abc.Stream):
    """A stream on which waiting for room and sending exclude each other instead of raising BusyResourceError."""

    inner: trio.abc.Stream
    bytes_in: int = 0
    bytes_out: int = 0
    failure: trio.BrokenResourceError | None = None
    over: trio.Event = field(factory=trio.Event)
    """Set when the far end is gone; `failure`: why, where it was no orderly end."""
    _taken: bool = False
    _waiting: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._take_turn()
        try:
            await self.inner.send_all(data)
            self.bytes_out += len(data)
        except trio.BrokenResourceError as exc:
            self._is_over(exc)
            raise
        finally:
            self._end_turn()

    async def wait_send_all_might_not_block(self) -> None:
        await self._take_turn()
        try:
            await self.inner.wait_send_all_might_not_block()
        finally:
            self._end_turn()

    # Two tasks at most, twice a message: Trio's lock does much more than is needed here.

    async def _take_turn(self) -> None:
        """Wait for the turn; no checkpoint where nobody has it, because there is one behind it."""
        if self._taken:
            await self._waiting.park()  # whoever has it hands it over: `_taken` stays
        else:
            self._taken = True

    def _end_turn(self) -> None:
        if self._waiting:
            self._waiting.unpark()
        else:
            self._taken = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self.inner.receive_some(max_bytes)
        except trio.BrokenResourceError as exc:
            self._is_over(exc)
            raise
        if not data:
            self.over.set()
        self.bytes_in += len(data)
        return data

    def _is_over(self, failure: trio.BrokenResourceError) -> None:
        self.failure = failure
        self.over.set()

    async def aclose(self) -> None:
        await self.inner.aclose()


@define(eq=False)
class _Straight:
    """The sending half of a memory channel, without a turn of the loop where there is room.

    With `take` nothing goes through the channel: a switch of tasks a message is a good part of what a message costs.
    """

    channel: trio.MemorySendChannel[bytes | str]
    take: Callable[[bytes | str], float] | None = None
    queued: int = 0
    """Messages in the channel: those behind them must not overtake them."""
    failure: Exception | None = None
    """What `take` raised, for whoever waits at the other half."""
    _taken: int = 0

    async def send(self, message: bytes | str) -> None:
        if self.take is None or self.queued or self.failure is not None:
            await self._queue(message)
            return
        try:
            pause_s = self.take(message)
        except Exception as failure:
            self.failure = failure
            await self._queue("")
            return
        self._taken += 1
        if pause_s:
            await trio.sleep(pause_s)
        elif not self._taken % _TURN_EVERY:
            await trio.lowlevel.checkpoint()

    async def _queue(self, message: bytes | str) -> None:
        self.queued += 1
        try:
            self.channel.send_nowait(message)
        except trio.WouldBlock:
            await self.channel.send(message)

    async def aclose(self) -> None:
        await self.channel.aclose()


def raw_socket(stream: trio.abc.Stream) -> trio.socket.SocketType | None:
    """Return the socket under `stream`, through TLS and wrappers, or None where there is none."""
    under: object = stream
    while not isinstance(under, trio.SocketStream):
        under = getattr(under, "transport_stream", None) or getattr(under, "inner", None)
        if under is None:
            return None
    return under.socket


def tune_socket(stream: trio.abc.Stream, *, user_timeout_s: float) -> None:
    """Set what keeps queues short and death visible, where the platform has it.

    TCP_NOTSENT_LOWAT 16 KiB bounds what the kernel holds unsent; TCP_USER_TIMEOUT matches the heartbeat's deadline.
    """
    sock = raw_socket(stream)
    if sock is None:
        return
    wanted = [("TCP_NODELAY", 1), ("TCP_NOTSENT_LOWAT", 16 * 1024)]
    if sys.platform == "linux":
        wanted.append(("TCP_USER_TIMEOUT", int(user_timeout_s * 1000)))
    for name, value in wanted:
        option = getattr(
            std_socket, name, 25 if name == "TCP_NOTSENT_LOWAT" and sys.platform == "linux" else None
        )
        if option is not None:
            try:
                sock.setsockopt(std_socket.IPPROTO_TCP, option, value)
            except OSError:  # not a TCP socket, or an old kernel: the link works without
                continue


class WebSocketTransport:
    """trio-websocket as a Transport."""

    def __init__(self, ws: trio_websocket.WebSocketConnection, stream: SharedStream) -> None:
        self._ws = ws
        self._stream = stream
        # Its own lock around each send costs a turn of the loop; the one of the stream is enough.
        ws._stream_lock = nullcontext()  # type: ignore[assignment]
        # Nor need its reader give its turn away for each message that its queue has room for.
        early = ws._send_channel.statistics().current_buffer_used
        self._straight = _Straight(ws._send_channel, queued=early)
        ws._send_channel = self._straight  # type: ignore[assignment]
        self.messages_in = 0
        self.messages_out = 0

    def __repr__(self) -> str:
        return f"<WebSocketTransport {self._ws} in={self.bytes_in} out={self.bytes_out}>"

    @property
    def bytes_in(self) -> int:
        return self._stream.bytes_in

    @property
    def bytes_out(self) -> int:
        return self._stream.bytes_out

    async def send(self, message: bytes) -> None:
        sent = False
        try:
            await self._ws.send_message(message)
            sent = True
            self.messages_out += 1
        except trio_websocket.ConnectionClosed as exc:
            raise closed_as(exc.reason) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise TransportClosed(1006, str(exc) or "connection broken") from None
        finally:
            if not sent:
                self.abort()

    async def wait_room(self) -> None:
        try:
            await self._stream.wait_send_all_might_not_block()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise TransportClosed(1006, str(exc) or "connection broken") from None

    async def receive(self) -> bytes:
        try:
            message = await self._ws.get_message()
        except trio_websocket.ConnectionClosed as exc:
            raise closed_as(exc.reason) from None
        self._straight.queued -= 1
        if self._straight.failure is not None:
            raise self._straight.failure
        return self._binary(message)

    def _binary(self, message: bytes | str) -> bytes:
        if isinstance(message, str):
            raise RemoteProtocolError("a text message; the link speaks binary only")
        self.messages_in += 1
        return message

    async def receive_each(self, take: Take) -> NoReturn:
        self._straight.take = lambda message: take(self._binary(message))
        try:
            while True:  # what came before; all that comes from an empty queue on is taken where it comes
                if pause_s := take(await self.receive()):
                    await trio.sleep(pause_s)
        finally:
            self._straight.take = None

    def kernel_queue(self) -> tuple[int, int] | None:
        sock = raw_socket(self._stream)
        if sys.platform != "linux" or sock is None:
            return None
        try:
            held = [fcntl.ioctl(sock.fileno(), request, bytes(4)) for request in (_SIOCOUTQ, _SIOCOUTQNSD)]
        except (OSError, ValueError):  # closed, or not TCP
            return None
        return int.from_bytes(held[0], sys.byteorder), int.from_bytes(held[1], sys.byteorder)

    async def aclose(self, code: int, words: str) -> None:
        await say_goodbye(self._ws, code, words)
        self.abort()

    def abort(self) -> None:
        under = self._stream.inner
        if isinstance(under, Leaving):
            under.leave()
        elif (sock := raw_socket(under)) is not None:
            sock.close()


async def say_goodbye(ws: trio_websocket.WebSocketConnection, code: int, words: str) -> None:
    """Close a WebSocket with a code and words: 1 s at most, whatever cancels."""
    reason = words.encode()[:_REASON_BYTES_MAX].decode(errors="ignore")
    with trio.move_on_after(_CLOSE_S, shield=True):
        try:
            await ws.aclose(code, reason)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # already gone: closing is what was wanted


def closed_as(reason: trio_websocket.CloseReason | None) -> TransportClosed:
    if reason is None:
        return TransportClosed(1006, "connection lost")
    return TransportClosed(reason.code, reason.reason or "")


@asynccontextmanager
async def client_transport(
    stream: trio.abc.Stream, host: str, path: str, headers: list[tuple[bytes, bytes]]
) -> AsyncIterator[WebSocketTransport]:
    """Upgrade `stream` and hold the transport open for the body of the block.

    Raises UpgradeRefused when the far end answers anything but 101, TransportClosed when the connection goes in the
    middle. What the far end said before it closed can still be received. The caller's scope bounds the handshake.
    """
    shared = SharedStream(stream)
    async with reader_nursery(shared) as nursery:
        # A stream that ends without an answer leaves the library's handshake waiting for ever.
        watching = trio.CancelScope()
        nursery.start_soon(_watch_end, shared, watching)
        ws = await trio_websocket.wrap_client_stream(
            nursery,
            shared,  # type: ignore[arg-type]  # any Stream does, as the library's own docs say
            host,
            path,
            subprotocols=[SUBPROTOCOL],
            extra_headers=headers,
            message_queue_size=_MESSAGE_QUEUE,
            max_message_size=_MESSAGE_BYTES_MAX,
            receive_buffer_size=_RECEIVE_BUFFER_BYTES,
        )
        watching.cancel(reason="the handshake is over")
        if ws.subprotocol != SUBPROTOCOL:
            if ws.closed is not None:
                raise closed_as(ws.closed)
            raise TransportClosed(CloseCode.PROTOCOL_ERROR, "what answered does not speak pitlink")
        yield WebSocketTransport(ws, shared)


async def _watch_end(shared: SharedStream, watching: trio.CancelScope) -> None:
    """Raise when the stream ends while the handshake waits."""
    with watching:
        await shared.over.wait()
        await trio.sleep(_SETTLE_S)  # an answer that came before the end goes first
        raise shared.failure or TransportClosed(1006, "it closed the connection without an answer")


@asynccontextmanager
async def server_transport(stream: trio.abc.Stream) -> AsyncIterator[WebSocketTransport]:
    """Accept the upgrade waiting on `stream` and hold the transport open for the body of the block."""
    shared = SharedStream(stream)
    async with reader_nursery(shared) as nursery:
        request = await trio_websocket.wrap_server_stream(
            nursery,
            shared,
            message_queue_size=_MESSAGE_QUEUE,
            max_message_size=_MESSAGE_BYTES_MAX,
            receive_buffer_size=_RECEIVE_BUFFER_BYTES,
        )
        ws = await request.accept(subprotocol=SUBPROTOCOL)
        yield WebSocketTransport(ws, shared)


@asynccontextmanager
async def reader_nursery(shared: SharedStream) -> AsyncIterator[trio.Nursery]:
    """Hold the nursery that the library's reader lives in; close the stream and map its exceptions at the end.

    The orderly goodbye has been said by `WebSocketTransport.aclose` before; this waits for nobody.
    """
    try:
        async with trio.open_nursery() as nursery:
            try:
                yield nursery
            finally:
                with trio.CancelScope(shield=True):  # returns at once: forcefully means not waiting
                    await trio.aclose_forcefully(shared)
                nursery.cancel_scope.cancel(reason="the connection is over")
    except BaseExceptionGroup as group:
        cause = _cause(group)
        match cause:
            case trio_websocket.ConnectionRejected():
                raise UpgradeRefused(cause.status_code, cause.body or b"", cause.headers) from None
            case trio_websocket.ConnectionClosed():
                raise closed_as(cause.reason) from None
            case None:
                raise
            case _:
                raise cause from None


_GONE = (
    trio_websocket.ConnectionClosed,
    trio_websocket.ConnectionRejected,
    TransportClosed,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)
"""What several tasks may raise at once when one connection goes: any of them says it."""


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Return what ended the tasks of a connection; None for several failures that have nothing to do with it."""
    gone, other = group.split(_GONE)
    if other is not None and (found := lone(other)) is not None:
        return found
    if gone is None or (other is not None and other.split(trio.Cancelled)[1] is not None):
        return None
    while isinstance(inner := gone.exceptions[0], BaseExceptionGroup):
        gone = inner
    return inner


def lone(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Return the one plain exception inside nested groups, or None when there are several, or only cancellations.

    A deadline that passes at the same moment does not count: whoever waits in a cancelled scope learns that at its
    next checkpoint, but a group with what went wrong inside would be caught by nobody.
    """
    _, rest = group.split(trio.Cancelled)
    while rest is not None and len(rest.exceptions) == 1:
        inner = rest.exceptions[0]
        if not isinstance(inner, BaseExceptionGroup):
            return inner
        rest = inner
    return None
