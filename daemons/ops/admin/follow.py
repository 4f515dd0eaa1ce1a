"""What a daemon tells as it comes, beside its log: a stream of JSON objects, a line each, for an operator's screen."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import trio
from starlette.types import Send

from daemons.ops.admin.logstream import SILENCE_S, LineStream

__all__ = ["Follow", "FollowStream", "Told"]

Told = AsyncGenerator[Mapping[str, Any], None]
"""What is told, object by object."""

Follow = Callable[[Mapping[str, str]], Told]
"""Begins to tell, by the parameters of the request. Raises ActionRefused for what is not followed."""


class FollowStream(LineStream):
    """Sends what is told until the reader leaves, the server drains, or it is cancelled. A reader who does not read in time
    is let go by the front; what is told waits for nobody else."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told
        self._turn = trio.Lock()
        self._is_silent = True

    async def _send_all(self, send: Send) -> None:
        gone: OSError | None = None
        try:
            async with trio.open_nursery() as telling:
                telling.start_soon(self._say_nothing, send)
                async with aclosing(self._told) as told:
                    async for one in told:
                        await self._send(send, json.dumps(one, separators=(",", ":")).encode())
                telling.cancel_scope.cancel(reason="all is told")
        except* OSError as group:
            gone = OSError(str(group.exceptions[0]))
        if gone is not None:
            raise gone

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
