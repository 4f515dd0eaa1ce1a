"""The pages' event stream (server-sent events, WHATWG HTML §9.2): a site's tree as it changes, and its age.

Events: `sites` {sites, site}: which fields there are and whose tree follows (null: choose) · `tree`: all of it · `patch`:
what has changed, as a merge patch (RFC 7396); the id of both is the name of the version that the viewer then has, and
who comes back with it (Last-Event-ID, or `after` in the query) is sent what came since · `age` {age_s, stale_after_s,
stale, why, now}: how old it is by the server's clock, the only clock that counts. Age is sent every few seconds whatever
happens and so also keeps the connection from idling; a page that hears nothing for longer knows that it is cut off, which
it could not know from comments, that no page gets to see.

A viewer who reads slowly misses versions, never the newest: nothing is queued but what is being sent, and then he is
sent one patch that joins what he missed. The front ends one who does not read at all, by its write deadline.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import trio
from attrs import define, field
from starlette.types import Receive, Scope, Send

from daemons.race.keeper import Freshness
from daemons.race.times import utc_text
from daemons.race.treebytes import to_json
from daemons.race.treekeeper import TreeKeeper
from daemons.web import sse
from daemons.web.asgi import CHUNKS
from daemons.web.eventstream import EventStream

__all__ = ["BoardFeed", "SiteNews", "TreeStream", "Viewing", "freshness_json"]

LIVE_AGE_S = 2.0
IDLE_AGE_S = 5.0
RETRY_MS = 1000

SHARED_S = 0.02
"""For so long the same bytes are sent to all: an age is wrong by as much at most."""


def freshness_json(fresh: Freshness) -> dict[str, Any]:
    """Return the age of a board as the page and the API tell it."""
    return {
        "age_s": None if fresh.age_s is None else round(fresh.age_s, 3),
        "stale_after_s": fresh.stale_after_s,
        "stale": fresh.is_stale,
        "why": fresh.why,
    }


class BoardFeed(Protocol):
    """The port between whoever keeps what is shown of a site and those who show it; `BoardKeeper` is its half inside
    one process.

    `serial` counts everything that a viewer may have to be told, `etag` names the content of `encoded()`.
    """

    @property
    def tree(self) -> TreeKeeper: ...

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


@define(eq=False)
class _Moment:
    """What there is to tell of one site for the next `SHARED_S`. `news` by the version that the viewer has."""

    at: float
    serial: int
    why: str | None
    age: bytes
    news: dict[str, bytes] = field(factory=dict, init=False)


@define(eq=False)
class Viewing:
    """What all streams share: which sites there are, and the bytes that viewers who lack the same are sent."""

    boards: Callable[[], Mapping[str, BoardFeed]]
    utc_now: Callable[[], float]
    sites: SiteNews = field(factory=SiteNews)
    _moments: "WeakKeyDictionary[BoardFeed, _Moment]" = field(factory=WeakKeyDictionary, init=False)

    def moment(self, feed: BoardFeed) -> _Moment:
        """Return what there is to tell of a site now."""
        now, found = self.utc_now(), self._moments.get(feed)
        if found is None or found.serial != feed.serial or not 0 <= now - found.at < SHARED_S:
            fresh = feed.freshness(now)
            age = {**freshness_json(fresh), "now": utc_text(datetime.fromtimestamp(now, UTC))}
            found = _Moment(now, feed.serial, fresh.why, sse.event("age", to_json(age)))
            self._moments[feed] = found
        return found

    def news(self, feed: BoardFeed, moment: _Moment, after: str) -> bytes:
        """Return the events that bring who has the version `after` up to date, as one chunk."""
        after = after if feed.tree.is_known(after) else ""
        found = moment.news.get(after)
        if found is None:
            found = moment.news[after] = sse.chunk(feed.tree.event(after) + moment.age)
        return found


class TreeStream(EventStream):
    """One viewer's stream. Ends when the viewer leaves, when the server drains, or when cancelled.

    `site`: the one asked for, None for the only one; `after`: the version that the viewer has, "" for none.
    """

    def __init__(self, viewing: Viewing, site: str | None, after: str) -> None:
        super().__init__()
        self._viewing = viewing
        self._asked = site
        self._site: str | None = None
        self._told_tree = after
        self._told_why: str | None = None
        self._told_sites: tuple[list[str], str | None] | None = None
        self._takes_chunks = False
        self._send_nowait: Callable[[bytes], int] = lambda chunks: 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Never raises for a viewer who is gone."""
        extension = scope.get("extensions", {}).get(CHUNKS)
        self._takes_chunks = extension is not None
        self._send_nowait = (extension or {}).get("send_nowait", self._send_nowait)
        with self._viewing.sites.heard_by(self.wake):
            await super().__call__(scope, receive, send)

    async def _send_all(self, send: Send) -> None:
        chunks = [sse.chunk(b"retry: %d\n\n" % RETRY_MS)]
        feed: BoardFeed | None = None
        age_at = trio.current_time()
        while not self._over:
            is_due = trio.current_time() >= age_at
            if is_due or self._woken:
                self._woken = False
                feed = self._choose(chunks)
            serial = feed.serial if feed is not None else 0
            if self._news(feed, chunks, is_due=is_due):
                is_live = feed is not None and feed.is_live
                age_at = trio.current_time() + (LIVE_AGE_S if is_live else IDLE_AGE_S)
            if chunks:
                await self._send(send, chunks)
                chunks = []
            await self._wait(feed, serial, age_at)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, chunks: list[bytes]) -> None:
        if self._takes_chunks:
            data = b"".join(chunks)  # of one alone it makes no copy
            sent = self._send_nowait(data)
            if sent < len(data):
                await send({"type": CHUNKS, "chunk": data[sent:]})
        else:
            body = b"".join(map(sse.data_of, chunks))
            await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _wait(self, feed: BoardFeed | None, serial: int, until: float) -> None:
        with trio.move_on_at(until) as self._waiting:
            if self._woken:
                return
            if feed is None:
                await trio.sleep_forever()
            else:
                await feed.wait_change(serial)

    def _choose(self, chunks: list[bytes]) -> BoardFeed | None:
        """Return the site to show: the one asked for, else the only one, for as long as it is there."""
        boards, before = self._viewing.boards(), self._site
        if self._asked is not None:
            self._site = self._asked if self._asked in boards else None
        elif self._site not in boards:
            self._site = next(iter(boards)) if len(boards) == 1 else None
        if self._site != before and self._told_sites is not None:
            self._told_tree = ""  # in between the page showed something else
        sites = (sorted(boards), self._site)
        if sites != self._told_sites:
            self._told_sites = sites
            chunks.append(sse.chunk(sse.event("sites", to_json({"sites": sites[0], "site": sites[1]}))))
        return boards[self._site] if self._site is not None else None

    def _news(self, feed: BoardFeed | None, chunks: list[bytes], *, is_due: bool) -> bool:
        """Add the events that bring the viewer up to date; return False when nothing is new and no age is due."""
        if feed is None:
            if is_due and not chunks:
                chunks.append(sse.chunk(b": nothing yet\n\n"))
            return is_due
        moment, newest = self._viewing.moment(feed), feed.tree.newest().id
        if not is_due and newest == self._told_tree and moment.why == self._told_why:
            return False
        chunks.append(self._viewing.news(feed, moment, self._told_tree))
        self._told_tree, self._told_why = newest, moment.why
        return True
