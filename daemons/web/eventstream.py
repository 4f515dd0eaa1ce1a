"""A stream of server-sent events to one client: how it begins, wakes and ends; what it sends its heirs know."""

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = ["EventStream"]

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]
_PUBLIC = (b"access-control-allow-origin", b"*")  # what is public here, clubs show on pages of their own


class EventStream(Response):
    """Ends when the client leaves, when the server drains, when it is through, or when cancelled.

    `is_public`: pages of other origins may read it. An heir waits inside `self._waiting`, which `wake` ends, and looks
    at `_woken`, since it last looked, and `_over`.
    """

    def __init__(self, *, is_public: bool = True) -> None:
        super().__init__()
        self._sent_headers = [*_HEADERS, _PUBLIC] if is_public else _HEADERS
        self._over = False
        self._woken = False
        self._waiting = trio.CancelScope()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Never raises for a client who is gone."""
        await send({"type": "http.response.start", "status": 200, "headers": self._sent_headers})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, receive)
            try:
                await self._send_all(send)
            except OSError:  # ASGI 2.4: the client is gone, or has not read for the write deadline
                pass
            nursery.cancel_scope.cancel(reason="the stream is over")

    def wake(self) -> None:
        """There is something new. Does not block."""
        self._woken = True
        self._waiting.cancel(reason="there is something new")

    async def _send_all(self, send: Send) -> None:
        """Send the body, its end too. May raise OSError."""
        raise NotImplementedError

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._over = True
        self.wake()
