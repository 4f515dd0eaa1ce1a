"""The log of a daemon as a response: what it last said, and on request what it says from here on.

One JSON object a line: {"number", "level", "line"}; {"dropped": n} where the reader was too slow for the ring; an empty
line when nothing was said for a while.
"""

import json

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from daemons.ops.logring import LogPage, LogRing

__all__ = ["SILENCE_S", "LineStream", "LogStream"]

LINES_A_PIECE = 200
SILENCE_S = 15.0
_HEADERS = [
    (b"content-type", b"application/x-ndjson"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class LineStream(Response):
    """A response of lines that come one by one: how it begins and ends; an heir says in `_send_all` what it sends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Never raises for a reader who is gone."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, receive, nursery.cancel_scope)
            try:
                await self._send_all(send)
            except OSError:  # ASGI 2.4: the reader is gone, or has not read for the write deadline
                pass
            nursery.cancel_scope.cancel(reason="the stream is over")
        try:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:
            pass

    async def _send_all(self, send: Send) -> None:
        """Send the lines. May raise OSError: ASGI 2.4 says so of a reader who is gone, or has not read for the write deadline."""
        raise NotImplementedError


class LogStream(LineStream):
    """Sends the newest `count` lines at least as severe as `level`, or those past number `after`; `follow`: and goes on.

    `holding`: only lines that hold this text.

    Ends when the reader leaves, when the server drains, or when cancelled. A slow reader finds a gap and its size.
    """

    def __init__(
        self,
        ring: LogRing,
        *,
        level: str,
        count: int,
        after: int | None = None,
        follow: bool = False,
        holding: str = "",
    ) -> None:
        super().__init__()
        self._ring = ring
        self._level = level
        self._follow = follow
        self._holding = holding
        self._first = ring.tail(count, at_least=level, holding=holding) if after is None else None
        self._last = self._first.last if self._first is not None else after or 0

    async def _send_all(self, send: Send) -> None:
        if self._first is not None:
            await _send(send, _lines(self._first))
        while True:
            page = self._ring.read(
                self._last, at_least=self._level, limit=LINES_A_PIECE, holding=self._holding
            )
            is_more, self._last = page.last > self._last, page.last
            if page.lines or page.dropped:
                await _send(send, _lines(page))
            elif not is_more and not self._follow:
                return
            elif not is_more:
                with trio.move_on_after(SILENCE_S) as silence:
                    await self._ring.wait_beyond(self._last)
                if silence.cancelled_caught:
                    await _send(send, b"\n")


async def _watch(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel(reason="the reader is gone")


async def _send(send: Send, body: bytes) -> None:
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})


def _lines(page: LogPage) -> bytes:
    lines = [json.dumps({"dropped": page.dropped})] if page.dropped else []
    for line in page.lines:
        try:
            said = json.loads(line.text)
        except ValueError:
            said = {"event": line.text}
        lines.append(
            json.dumps({"number": line.number, "level": line.level, "line": said}, ensure_ascii=False)
        )
    return "".join(f"{line}\n" for line in lines).encode()
