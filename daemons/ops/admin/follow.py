"""What a daemon tells as it comes, beside its log: a stream of JSON objects, a line each, for an operator's screen."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from daemons.ops.admin.logstream import LINES_HEADERS, watch_reader

__all__ = ["Follow", "FollowStream", "Told"]

Told = AsyncGenerator[Mapping[str, Any], None]
"""What is told. It says something every 15 s at least: {} where there is nothing to say."""

Follow = Callable[[Mapping[str, str]], Told]
"""Begins to tell, by the parameters of the request. Raises ActionRefused for what is not followed."""


class FollowStream(Response):
    """Sends what is told until the reader leaves, the server drains, or it is cancelled. A reader who does not read in time
    is let go by the front; what is told waits for nobody else."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Never raises for a reader who is gone."""
        await send({"type": "http.response.start", "status": 200, "headers": LINES_HEADERS})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_reader, receive, nursery.cancel_scope)
            try:
                async with aclosing(self._told) as told:
                    async for one in told:
                        body = json.dumps(one, separators=(",", ":")).encode() if one else b""
                        await send({"type": "http.response.body", "body": body + b"\n", "more_body": True})
            except OSError:  # ASGI 2.4: the reader is gone, or has not read for the write deadline
                pass
            nursery.cancel_scope.cancel(reason="the stream is over")
        try:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:
            pass
