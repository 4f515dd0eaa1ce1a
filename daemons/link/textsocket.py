"""A WebSocket that carries text, for programs that are not pitlink's: the relay's own on the driver's PC.

The link speaks binary and has its own transport; what both know of the library is in `transport`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio_websocket
from attrs import define

from daemons.link.transport import SharedStream, TransportClosed, closed_as, reader_nursery, say_goodbye
from protocol.errors import RemoteProtocolError

__all__ = ["TextSocket", "server_text_socket"]

MESSAGE_BYTES_MAX = 16 * 1024
MESSAGES_MAX = 4


@define(eq=False)
class TextSocket:
    """Carries whole texts. One task may send and one may receive at a time."""

    _ws: trio_websocket.WebSocketConnection
    _stream: SharedStream

    async def send(self, text: str) -> None:
        """Send one message. Raises TransportClosed. Cancelled while writing, the connection is dropped."""
        sent = False
        try:
            await self._ws.send_message(text)
            sent = True
        except trio_websocket.ConnectionClosed as exc:
            raise closed_as(exc.reason) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise TransportClosed(1006, str(exc) or "connection broken") from None
        finally:
            if not sent:
                with trio.CancelScope(shield=True):  # returns at once: forcefully means not waiting
                    await trio.aclose_forcefully(self._stream)

    async def receive(self) -> str:
        """Return the next message. Raises TransportClosed; RemoteProtocolError for a binary one."""
        try:
            message = await self._ws.get_message()
        except trio_websocket.ConnectionClosed as exc:
            raise closed_as(exc.reason) from None
        if isinstance(message, bytes):
            raise RemoteProtocolError("a binary message; this socket speaks JSON texts")
        return message

    async def aclose(self, code: int, words: str) -> None:
        """Say goodbye and close: 1 s at most."""
        await say_goodbye(self._ws, code, words)


@asynccontextmanager
async def server_text_socket(stream: trio.abc.Stream) -> AsyncIterator[TextSocket]:
    """Accept the upgrade that waits on `stream`, without a subprotocol, and hold it open for the body of the block."""
    shared = SharedStream(stream)
    async with reader_nursery(shared) as nursery:
        request = await trio_websocket.wrap_server_stream(
            nursery, shared, message_queue_size=MESSAGES_MAX, max_message_size=MESSAGE_BYTES_MAX
        )
        yield TextSocket(await request.accept(), shared)
