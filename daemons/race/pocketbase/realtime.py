"""PocketBase's realtime API: a stream of server-sent events a client, whose topics it sets by a request beside it.

The first event, PB_CONNECT, names the client; with that name the client sets its topics. Nothing is queued for a
client but what is being sent: each has its place in the book's changes, and one who reads so slowly that the changes
behind his place are not kept any more is disconnected, comes back, and reads the lists again. The front ends one who
does not read at all.
"""

import json
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Protocol

import trio
from attrs import define, field
from starlette.types import Receive, Scope, Send

from daemons.race.model import Day
from daemons.race.pocketbase.book import Record, RecordBook, date_text
from daemons.race.pocketbase.records import SiteDay
from daemons.race.pocketbase.topics import PING, Topic, message, messages, read_topic
from daemons.race.stream import SiteNews
from daemons.race.treekeeper import TreeKeeper
from daemons.web.eventstream import EventStream

__all__ = ["DayFeed", "Realtime", "RealtimeStream"]

CLIENTS_MAX = 2000
TOPICS_MAX = 1000
"""Of one client, as in PocketBase."""

PING_S = 10.0
_CLIENT_BYTES = 20


class DayFeed(Protocol):
    """What is needed of one site; `BoardKeeper` is it. `serial` counts what changes."""

    @property
    def serial(self) -> int: ...

    @property
    def day(self) -> Day: ...

    @property
    def tree(self) -> TreeKeeper: ...

    @property
    def site_zone(self) -> tzinfo | None: ...

    async def wait_change(self, serial: int) -> None:
        """Wait until `self.serial` is another than `serial`. Any number may wait."""


@define(eq=False)
class _Client:
    topics: list[Topic] = field(factory=list)
    wants_ping: bool = False
    wake: Callable[[], None] = lambda: None


@define(eq=False)
class Realtime:
    """The records of all sites and the clients that are told of their changes. `dropped` counts those who read so
    slowly that they were disconnected."""

    feeds: Callable[[], Mapping[str, DayFeed]]
    utc_now: Callable[[], float]
    urandom: Callable[[int], bytes]
    news: SiteNews = field(factory=SiteNews)
    book: RecordBook = field(factory=RecordBook, init=False)
    dropped: int = field(default=0, init=False)
    _clients: dict[str, _Client] = field(factory=dict, init=False)
    _looking: trio.Lock = field(factory=trio.Lock, init=False)

    def __repr__(self) -> str:
        return f"<Realtime {len(self._clients)} clients, {self.book!r}>"

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    async def look(self) -> None:
        """Bring the records up to date; others have their turn between two races. Cancelled, it goes on next time."""
        async with self._looking:
            shown = {}
            for name, feed in self.feeds().items():
                now = feed.tree.newest().tree.get("now", {})
                shown[name] = SiteDay(feed.day, now.get("race"), feed.site_zone)
            for _ in self.book.look(shown, self.utc_now()):
                await trio.lowlevel.checkpoint()

    def record(self, collection: str, key: str) -> Record | None:
        """Return a record, if there is one: what filters and expansions follow relations with."""
        return self.book.records[collection].get(key)

    def is_full(self) -> bool:
        """May nobody connect any more?"""
        return len(self._clients) >= CLIENTS_MAX

    def join(self, wake: Callable[[], None]) -> tuple[str, _Client]:
        """Take in a client; return its name. `wake()` is called when its topics are set."""
        name = self.urandom(_CLIENT_BYTES).hex()
        self._clients[name] = _Client(wake=wake)
        return name, self._clients[name]

    def leave(self, name: str) -> None:
        """Forget a client."""
        self._clients.pop(name, None)

    def subscribe(self, name: str, topics: list[str]) -> bool:
        """Set the topics of a client in place of those before; return whether there is this client."""
        client = self._clients.get(name)
        if client is None:
            return False
        client.topics = [topic for topic in map(read_topic, dict.fromkeys(topics)) if topic is not None]
        client.wants_ping = PING in topics
        client.wake()
        return True


class RealtimeStream(EventStream):
    """One client's stream. Ends when the client leaves or is too slow, when the server drains, or when cancelled."""

    def __init__(self, realtime: Realtime) -> None:
        super().__init__()
        self._realtime = realtime
        self._name, self._client = "", _Client()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Never raises for a client who is gone."""
        self._name, self._client = self._realtime.join(self.wake)
        try:
            with self._realtime.news.heard_by(self.wake):
                await super().__call__(scope, receive, send)
        finally:
            self._realtime.leave(self._name)

    async def _send_all(self, send: Send) -> None:
        realtime, book = self._realtime, self._realtime.book
        await realtime.look()
        place, ping_at = book.serial, trio.current_time() + PING_S
        chunk = message("PB_CONNECT", json.dumps({"clientId": self._name}).encode(), self._name)
        while not self._over:
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            serials = [(feed, feed.serial) for feed in realtime.feeds().values()]
            topics, self._woken = self._client.topics, False
            await realtime.look()
            changes = book.since(place)
            if changes is None:
                realtime.dropped += 1
                break
            place = book.serial
            chunk = messages(changes, topics, realtime.record)
            if trio.current_time() >= ping_at:
                ping_at = trio.current_time() + PING_S
                now = json.dumps({"timestamp": date_text(realtime.utc_now())}).encode()
                chunk += message(PING, now) if self._client.wants_ping else b":\n\n"
            if not chunk:
                await self._wait(serials, ping_at)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _wait(self, serials: list[tuple[DayFeed, int]], until: float) -> None:
        """Wait until any of these sites has another serial, for what wakes, or for the time."""
        with trio.CancelScope(deadline=until) as self._waiting:
            if self._woken:
                return
            async with trio.open_nursery() as nursery:
                for feed, serial in serials:
                    nursery.start_soon(self._wait_one, feed, serial)
                await trio.sleep_forever()

    async def _wait_one(self, feed: DayFeed, serial: int) -> None:
        await feed.wait_change(serial)
        self.wake()
