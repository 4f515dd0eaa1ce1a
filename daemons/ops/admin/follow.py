"""What a daemon tells as it comes, beside its log: a stream of JSON objects, a line each, for an operator's screen."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from daemons.ops.admin.logstream import LINES_HEADERS, SILENCE_S, watch_reader

__all__ = ["Follow", "FollowStream", "Told"]

Told = AsyncGenerator[Mapping[str, Any], None]
"""What is told, object by object."""

Follow = Callable[[Mapping[str, str]], Told]
"""Begins to tell, by the parameters of the request. Raises ActionRefused for what is not followed."""


class FollowStream(Response):
    """Sends what is told until the reader leaves, the server drains, or it is cancelled. A reader who does not read in time
    is let go by the front; what is told waits for nobody else."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told
        self._turn = trio.Lock()
        self._is_silent = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Never raises for a reader who is gone."""
        await send({"type": "http.response.start", "status": 200, "headers": LINES_HEADERS})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_reader, receive, nursery.cancel_scope)
            try:
                async with trio.open_nursery() as telling:
                    telling.start_soon(self._say_nothing, send)
                    async with aclosing(self._told) as told:
                        async for one in told:
                            await self._send(send, json.dumps(one, separators=(",", ":")).encode())
                    telling.cancel_scope.cancel(reason="all is told")
            except* OSError:  # ASGI 2.4: the reader is gone, or has not read for the write deadline
                pass
            nursery.cancel_scope.cancel(reason="the stream is over")
        try:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:
            pass

    async def _say_nothing(self, send: Send) -> None:
        """Send an empty line whenever nothing was told for a while: a reader takes a longer silence for an end."""
        while True:
            self._is_silent = True
            await trio.sleep(SILENCE_S)
            if self._is_silent:
                await self._send(send, b"")

    async def _send(self, send: Send, line: bytes) -> None:
        async with self._turn:
            self._is_silent = False
            await send({"type": "http.response.body", "body": line + b"\n", "more_body": True})
