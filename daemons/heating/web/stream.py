"""The stream of a house (server-sent events, WHATWG HTML §9.2): what is wished, what is, what was asked, and its age.

Events: `house` · `state` · `commands`, each whole, when it has changed · `age`, after each of them and every few seconds
whatever happens: how old the state is, what time it is there, how it is with the link. The id of an age names the versions
of all three; who comes back with it (Last-Event-ID, or `after` in the query) is sent only what is another since.

The bytes are made once and are the same for all. Nothing is queued but what is being sent: a listener who reads slowly
misses states, never the newest.
"""

import re
from collections.abc import Callable

import trio
from attrs import define, field
from starlette.types import Receive, Scope, Send

from daemons.heating.web.views import View, age_json
from daemons.store.errors import StorageError
from daemons.web import sse
from daemons.web.answers import to_json
from daemons.web.asgi import CHUNKS
from daemons.web.eventstream import EventStream

__all__ = ["AGE_S", "Ages", "HouseStream"]

AGE_S = 5.0
SHARED_S = 0.05
"""For so long the same age is sent to all."""

PACE_S = 0.2
"""A house in a hurry is told of this often at most."""

RETRY_MS = 1500

_VERSION = re.compile("[0-9a-f]{16}")


@define(eq=False)
class Ages:
    """Events of a house's age, the same bytes for all who are told at once."""

    utc_now: Callable[[], float]
    _made: dict[str, tuple[float, str, int, bytes]] = field(factory=dict, init=False)

    def chunk(self, view: View, name: str) -> bytes:
        """Return the age of a house now, for who has all that `name` names."""
        now, serial = trio.current_time(), view.look.changes.serial
        known = self._made.get(view.look.name)
        if known is None or known[1:3] != (name, serial) or now - known[0] >= SHARED_S:
            event = sse.event("age", to_json(age_json(view.look, self.utc_now())), name)
            known = self._made[view.look.name] = now, name, serial, sse.chunk(event)
        return known[3]


class HouseStream(EventStream):
    """One listener's. Ends when the listener leaves, the house is there no more, the server drains, or when cancelled.

    `after`: what the listener has, as an id said it; "" for nothing.
    """

    def __init__(self, find: Callable[[], View | None], ages: Ages, after: str) -> None:
        super().__init__(is_public=False)
        self._find = find
        self._ages = ages
        named = after.split(".")
        self._told = named if len(named) == 3 and all(map(_VERSION.fullmatch, named)) else ["", "", ""]
        self._told_serial = -1
        self._takes_chunks = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Never raises for a listener who is gone."""
        self._takes_chunks = CHUNKS in scope.get("extensions", {})
        await super().__call__(scope, receive, send)

    async def _send_all(self, send: Send) -> None:
        await self._send(send, [sse.chunk(b"retry: %d\n\n" % RETRY_MS)])
        age_at = trio.current_time()
        while not self._over and (view := self._find()) is not None:
            self._woken = False
            serial = view.look.changes.serial
            chunks = await self._news(view)
            now = trio.current_time()
            if chunks or serial != self._told_serial or now >= age_at:
                self._told_serial = serial
                chunks.append(self._ages.chunk(view, ".".join(self._told)))
                await self._send(send, chunks)
                age_at = now + AGE_S
            await self._wait(view, serial, now + PACE_S, age_at)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _news(self, view: View) -> list[bytes]:
        """Return what this listener has not, and note that it is told."""
        parts = [view.house(), view.state()]
        try:
            parts.append(await view.commands())
        except StorageError:
            pass  # health says it; the house is shown all the same
        chunks = []
        for number, part in enumerate(parts):
            if self._told[number] != part.version:
                self._told[number] = part.version
                chunks.append(part.chunk)
        return chunks

    async def _wait(self, view: View, serial: int, not_before: float, until: float) -> None:
        with trio.move_on_at(until) as self._waiting:
            if self._woken:
                return
            await view.look.changes.wait(serial)
            await trio.sleep_until(not_before)

    async def _send(self, send: Send, chunks: list[bytes]) -> None:
        if self._takes_chunks:
            await send({"type": CHUNKS, "chunk": b"".join(chunks)})
        else:
            body = b"".join(map(sse.data_of, chunks))
            await send({"type": "http.response.body", "body": body, "more_body": True})
