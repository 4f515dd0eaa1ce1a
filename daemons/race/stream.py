"""The page's event stream (server-sent events, WHATWG HTML §9.2): boards as they change, and their age.

Events: `sites` {sites, site}: which fields there are and whose board follows (null: choose) · `board`: the
whole board, its id being the name of its content, so that who comes back with it (Last-Event-ID) is not
sent it again · `age` {age_s, stale_after_s, stale, why}: how old it is by the server's clock, the only
clock that counts. Age is sent every few seconds whatever happens and so also keeps the connection from
idling; a page that hears nothing for longer knows that it is cut off, which it could not know from
comments, that no page gets to see.

A viewer who reads slowly misses versions, never the newest: nothing is queued but what is being sent. The
front ends one who does not read at all, by its write deadline.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import trio
from attrs import define, field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from daemons.race.keeper import Freshness

__all__ = ["BoardFeed", "BoardStream", "SiteNews", "freshness_json"]

LIVE_AGE_S = 2.0
IDLE_AGE_S = 5.0
RETRY_MS = 1000

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


def freshness_json(fresh: Freshness) -> dict[str, Any]:
    """Return the age of a board as the page and the API tell it."""
    return {
        "age_s": None if fresh.age_s is None else round(fresh.age_s, 3),
        "stale_after_s": fresh.stale_after_s,
        "stale": fresh.is_stale,
        "why": fresh.why,
    }


def _event(kind: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)


def _json_event(kind: str, value: object) -> bytes:
    return _event(kind, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


class BoardFeed(Protocol):
    """The port between whoever keeps a board and those who show it; `BoardKeeper` is its half inside one process.

    `serial` counts everything that a viewer must be told, `etag` names the content of `encoded()`.
    """

    @property
    def serial(self) -> int: ...

    @property
    def etag(self) -> str: ...

    @property
    def is_live(self) -> bool: ...

    @property
    def as_of(self) -> float | None: ...

    def encoded(self) -> bytes:
        """Return the board as JSON, the same bytes for everybody until it changes."""

    def freshness(self, utc_now: float) -> Freshness:
        """Return how old the board is."""

    async def wait_change(self, serial: int) -> None:
        """Wait until `self.serial` is another than `serial`. Returns at once if it is. Any number may wait."""


@define(eq=False)
class SiteNews:
    """Tells the open streams at once that a site has come or gone; they would notice at the next age."""

    _wakes: set[Callable[[], None]] = field(factory=set, init=False)

    def tell(self) -> None:
        for wake in self._wakes:
            wake()

    @contextmanager
    def heard_by(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake()` at each telling while the block lasts. It must not block."""
        self._wakes.add(wake)
        try:
            yield
        finally:
            self._wakes.discard(wake)


class BoardStream(Response):
    """One viewer's stream. Ends when the viewer leaves, when the server drains, or when cancelled."""

    def __init__(
        self,
        boards: Callable[[], Mapping[str, BoardFeed]],
        site: str | None,
        last_event_id: str | None,
        *,
        utc_now: Callable[[], float],
        news: SiteNews | None = None,
    ) -> None:
        super().__init__()
        self._news_of_sites = news or SiteNews()
        self._boards = boards
        self._asked = site
        self._utc_now = utc_now
        self._site: str | None = None
        self._told_board = last_event_id
        self._told_sites: tuple[list[str], str | None] | None = None
        self._over = False
        self._woken = False  # since the boards were last looked at
        self._waiting = trio.CancelScope()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Never raises for a viewer who is gone."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, receive)
            try:
                with self._news_of_sites.heard_by(self._wake):
                    await self._send_all(send)
            except OSError:  # ASGI 2.4: the viewer is gone, or has not read for the write deadline
                pass
            nursery.cancel_scope.cancel(reason="the stream is over")

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._over = True
        self._wake()

    def _wake(self) -> None:
        self._woken = True
        self._waiting.cancel(reason="there is something new")

    async def _send_all(self, send: Send) -> None:
        chunk = b"retry: %d\n\n" % RETRY_MS
        while not self._over:
            self._woken = False
            keeper = self._choose()
            serial = keeper.serial if keeper is not None else 0
            chunk += self._news(keeper)
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = b""
            await self._wait(keeper, serial)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _wait(self, keeper: BoardFeed | None, serial: int) -> None:
        age_s = LIVE_AGE_S if keeper is not None and keeper.is_live else IDLE_AGE_S
        with trio.move_on_after(age_s) as self._waiting:
            if self._woken:
                return
            if keeper is None:
                await trio.sleep_forever()
            else:
                await keeper.wait_change(serial)

    def _choose(self) -> BoardFeed | None:
        """Return the board to show: the one asked for, else the only one, for as long as it is there."""
        boards, before = self._boards(), self._site
        if self._asked is not None:
            self._site = self._asked if self._asked in boards else None
        elif self._site not in boards:
            self._site = next(iter(boards)) if len(boards) == 1 else None
        if self._site != before and self._told_sites is not None:
            self._told_board = None  # in between the page showed something else
        return boards[self._site] if self._site is not None else None

    def _news(self, keeper: BoardFeed | None) -> bytes:
        """Return the events that bring the viewer up to date."""
        news = b""
        sites = (sorted(self._boards()), self._site)
        if sites != self._told_sites:
            self._told_sites = sites
            news += _json_event("sites", {"sites": sites[0], "site": sites[1]})
        if keeper is None:
            return news or b": nothing yet\n\n"
        if keeper.etag != self._told_board:
            self._told_board = keeper.etag
            news += b"id: %s\n" % keeper.etag.encode() + _event("board", keeper.encoded())
        return news + _json_event("age", freshness_json(keeper.freshness(self._utc_now())))
