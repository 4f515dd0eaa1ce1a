"""The director's light as it runs: looks now and then, and when asked, at what is known, and remembers it over restarts.

light keeper
└── look                          what the hub has, what the link carried; written down together every 30 s
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import apsw
import trio
from attrs import define, field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.link.dial import NO_INTERNET
from daemons.link.peer import Peer
from daemons.ops.health import Health
from daemons.race.databudget import SLOTS_KEPT, Carried, DataBudget
from daemons.race.exchange import shorten
from daemons.race.fetched import Fetched
from daemons.race.keeper import BoardKeeper
from daemons.race.light import Facts, Light, judge
from daemons.race.origin import LocalOrigin
from daemons.race.site import SiteService
from daemons.race.times import event_zone
from daemons.race.unsent import Unsent
from daemons.store import Migration, StorageError, Store, fetch
from daemons.web.refusals import json_response
from daemons.web.resource import Resource
from protocol.errors import RequestError
from protocol.linkstatus import LinkStatus, Status

__all__ = ["MIGRATIONS", "LightKeeper", "light_route"]

MIGRATIONS = (
    Migration(
        "light",
        1,
        """
        CREATE TABLE data_carried (
            slot INTEGER PRIMARY KEY,      -- quarters of an hour since 1970
            sent INTEGER NOT NULL, received INTEGER NOT NULL, saved INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE hub_has (path TEXT PRIMARY KEY, name BLOB NOT NULL) STRICT, WITHOUT ROWID;
        """,
    ),
)

LOOK_S = 5.0
WRITE_S = 30.0
LEAVE_S = 2.0

WATCHED_S = 3.0
"""The hub says in several requests what it watches. So long after the last one, it has said all."""


@define(eq=False)
class LightKeeper:
    """What the director's light is judged from. `run` must be running. `ceiling_bytes`: of an hour; 0: none.

    `has_hub`: is there a cloud to be up to date.
    """

    store: Store
    utc_now: Callable[[], float]
    health: Health
    origin: LocalOrigin
    keeper: BoardKeeper
    service: SiteService
    peer: Peer
    topic: str
    has_hub: bool
    ceiling_bytes: int = 0
    unsent: Unsent = field(factory=Unsent, init=False)
    budget: DataBudget = field(factory=DataBudget, init=False)
    _ended: Status | None = field(default=None, init=False)  # how the link last ended
    _link_words: str = field(default="", init=False)
    _down_since: float = field(factory=trio.current_time, init=False)
    _carried_before: Carried = field(default=Carried(), init=False)
    _to_write: set[int] = field(factory=set, init=False)  # slots

    # --- what comes in -------------------------------------------------------------------------------------------

    def on_read(self, path: str, result: Fetched | RequestError) -> None:
        """Take note of what was read; an observer of the watches."""
        if self.has_hub and isinstance(result, Fetched) and not result.absent:
            with suppress(RequestError):  # what may not leave the site does not wait to
                outgoing = self.service.outgoing(path, result)
                self.unsent.read(path, shorten(outgoing.digest), trio.current_time())

    def on_link(self, status: LinkStatus) -> None:
        """Take note of how the link stands; called at each change."""
        if status.status is Status.READY:
            self._ended = None
        elif status.status is not Status.CONNECTING:
            if self._ended is None:
                self._down_since = trio.current_time()
            self._ended, self._link_words = status.status, status.words

    # --- its life ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look every 5 s until cancelled; what was seen until then is written down, within 2 s."""
        await self._load()
        try:
            while True:
                with trio.move_on_after(WRITE_S):
                    while True:
                        self.look()
                        await trio.sleep(LOOK_S)
                await self._write()
        finally:
            if self.store.fault is None:  # a disk that takes nothing is not waited for
                with trio.move_on_after(LEAVE_S, shield=True):
                    self.look()
                    await self._write()

    def look(self) -> None:
        """Take what the link has carried, and what the hub has, as they are now."""
        now, connection = trio.current_time(), self.peer.connection
        traffic = self.peer.figures.traffic(connection)
        carried = Carried(traffic.bytes_out, traffic.bytes_in, self.service.bytes_saved)
        if carried != self._carried_before:
            self._carried_before = carried
            self._to_write.add(self.budget.count(self.utc_now(), carried))
        if connection is None:
            return
        self._down_since = now
        if self.peer.publishers[self.topic].has_all and connection.has_pushed_all:
            wants_no_more = now - self.service.watched_at >= WATCHED_S
            self.unsent.settled(self.service.held_by_hub, now, wants_no_more=wants_no_more)

    async def _load(self) -> None:
        def read(conn: apsw.Connection) -> tuple[list[Any], list[Any]]:
            return fetch(conn, "SELECT slot, sent, received, saved FROM data_carried"), fetch(
                conn, "SELECT path, name FROM hub_has"
            )

        try:
            slots, held = await self.store.read(read)
        except StorageError:  # told by the store's care; the day is counted from here on
            return
        self.budget.load((slot, Carried(*carried)) for slot, *carried in slots)
        self.unsent.load((path, bytes(name)) for path, name in held)

    async def _write(self) -> None:
        slots = [
            (slot, self.budget.slots[slot]) for slot in sorted(self._to_write) if slot in self.budget.slots
        ]
        held, gone = self.unsent.take_changed()
        if not slots and not held and not gone:
            return
        try:
            await self.store.transact(partial(_write_down, slots, list(held.items()), gone))
        except StorageError:  # at the next turn
            self.unsent.changed |= held.keys()
        else:
            self._to_write.clear()

    # --- what is told --------------------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """Return what is known now."""
        self.look()
        utc, now, connection = self.utc_now(), trio.current_time(), self.peer.connection
        fresh = self.keeper.freshness(utc)
        publisher, since = self.peer.publishers[self.topic], self.unsent.behind_since
        told_us = publisher.told_as_of_us if connection is not None else 0
        link = Status.READY if connection is not None else self._ended or Status.CONNECTING
        hour = self._carried()[1].sent
        return Facts(
            origin=self.origin.state,
            origin_words=self.origin.words,
            board_age_s=fresh.age_s,
            is_stale=fresh.is_stale,
            board_why=fresh.why,
            link=link if self.has_hub else None,
            link_words=self._link_words,
            is_offline=self._link_words.startswith(NO_INTERNET),
            down_s=now - self._down_since,
            waiting=len(self.unsent.races),
            behind_s=0.0 if since is None else now - since,
            cloud_age_s=max(0.0, utc - told_us / 1e6) if told_us else None,
            is_paused=self.service.paused,
            over_budget_bytes=hour if 0 < self.ceiling_bytes < hour else 0,
            ceiling_bytes=self.ceiling_bytes,
            warnings=tuple(self.health.warnings),
        )

    def _carried(self) -> tuple[Carried, Carried]:
        """Return what was carried today and this hour, by the clock of the event."""
        utc, event = self.utc_now(), self.keeper.day.event
        zone = event_zone(None if event is None else event.time_zone, self.keeper.site_zone)
        return self.budget.today(utc, zone), self.budget.this_hour(utc, zone)

    def status(self) -> dict[str, Any]:
        """Return the light, and what the uplink has carried."""
        facts = self.facts()
        light: Light = judge(facts)
        today, hour = self._carried()
        budget = {
            "sent_today_bytes": today.sent,
            "received_today_bytes": today.received,
            "saved_today_bytes": today.saved,
            "this_hour_bytes": hour.sent,
        }
        if self.ceiling_bytes:
            budget["ceiling_hour_bytes"] = self.ceiling_bytes
        told = {**light.as_data(), "races_waiting": facts.waiting, "budget": budget}
        if self.has_hub and facts.cloud_age_s is not None:
            told["cloud_age_s"] = round(facts.cloud_age_s, 3)
        if facts.board_age_s is not None:
            told["age_s"] = round(facts.board_age_s, 3)
        return told


def _write_down(
    slots: Sequence[tuple[int, Carried]],
    held: Sequence[tuple[str, bytes]],
    gone: Sequence[str],
    conn: apsw.Connection,
) -> None:
    conn.executemany(
        "INSERT OR REPLACE INTO data_carried VALUES (?, ?, ?, ?)",
        [(slot, carried.sent, carried.received, carried.saved) for slot, carried in slots],
    )
    if slots:
        conn.execute("DELETE FROM data_carried WHERE slot <= ?", (slots[-1][0] - SLOTS_KEPT,))
    conn.executemany("DELETE FROM hub_has WHERE path = ?", [(path,) for path in gone])
    conn.executemany("INSERT OR REPLACE INTO hub_has VALUES (?, ?)", held)


def light_route(light: LightKeeper) -> BaseRoute:
    """Return the route of the light, for the site's own pages."""

    async def answer(request: Request) -> Response:
        return json_response(200, light.status())

    return Route("/api/v1/status", Resource({"GET": answer}))
