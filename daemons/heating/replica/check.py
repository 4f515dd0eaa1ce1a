"""The check of a replica: what the hub has of a house, day by day, is what the house has; what differs is fetched again.

Compared are digests of days, once the hub has taken everything that was sent up to then, so that what is merely on its
way is no difference. A day that differs is replaced by the house's own. But what the hub has of the time before a house
was put back to a backup is kept: the house has forgotten it, and nobody else has it.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import apsw
import structlog
import trio
from attrs import define, evolve, field, frozen

from daemons.heating.history import write
from daemons.heating.replica import digests
from daemons.heating.replica.checksite import DAYS, DAYS_MAX, ROWS
from daemons.heating.replica.heard import Heard
from daemons.ops.storecare import patiently
from daemons.store import Migration, Store, fetch
from protocol.errors import ErrorCode, RemoteProtocolError, RequestError
from protocol.messages import UnknownBody

__all__ = ["MIGRATIONS", "ReplicaCheck"]

_log = structlog.stdlib.get_logger("pitlink.heating")

MIGRATIONS = (
    Migration(
        "heat_check",
        1,
        """
        CREATE TABLE heat_check (
            house INTEGER PRIMARY KEY,
            at REAL,                                   -- of the last whole check, UTC
            words TEXT NOT NULL,
            repaired INTEGER NOT NULL,                 -- days, ever
            rolled_back INTEGER NOT NULL,              -- epochs of the house that it knows less of than we
            kept_before REAL                           -- by the house's time: what we have of then is not thrown away
        ) STRICT;
        CREATE TABLE heat_settled (                    -- days that differ for good: the house was put back to a backup
            house INTEGER NOT NULL, day INTEGER NOT NULL, theirs BLOB NOT NULL, ours BLOB NOT NULL,
            PRIMARY KEY (house, day)
        ) STRICT, WITHOUT ROWID;
        """,
    ),
)

ANSWER_S = 60.0
SOON_S = 10.0
"""After a connection that begins oddly; what is on its way then is mostly there."""
RETRY_S = 300.0
CAUGHT_UP_S = 600.0
LOOK_S = 1.0
REPAIRED_MAX = 60
"""Days fetched again in one check, the newest first: the rest at the next one."""
QUARTER_S = 900
BODY_BYTES_MAX = 8 * 1024 * 1024

_COMMITTED = "SELECT committed FROM link_in WHERE peer = ? AND channel = 'event' AND epoch = ?"


@frozen(kw_only=True)
class _Kept:
    at: float | None = None
    words: str = ""
    repaired: int = 0
    rolled_back: int = 0
    kept_before: float | None = None


@define(eq=False)
class ReplicaCheck:
    """Of one house. `load` first; `run` must be running. `every_s`: from one check to the next; `since_s`: how far back,
    0: as far as both ends go."""

    heard: Heard
    store: Store
    every_s: float
    since_s: float = 0.0
    running: bool = field(default=False, init=False)
    days: int = field(default=0, init=False)
    """Compared in the last check."""
    _kept: _Kept = field(factory=_Kept, init=False)
    _lost: int = field(default=0, init=False)
    _skipped: int = field(default=0, init=False)
    _soon: bool = field(default=False, init=False)
    _wake: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self.heard.peer.on_up.append(self._on_up)

    def told(self) -> dict[str, Any]:
        """Return how the check stands, for the house's standing."""
        kept = self._kept
        return {"checked_at": kept.at, "check": kept.words, "days_repaired": kept.repaired}

    async def load(self) -> None:
        """Know how the last check ended. Raises StorageError."""
        sql = "SELECT at, words, repaired, rolled_back, kept_before FROM heat_check WHERE house = ?"
        rows = await self.store.read(lambda conn: fetch(conn, sql, (self.heard.house,)))
        for at, words, repaired, rolled_back, kept_before in rows:
            self._kept = _Kept(
                at=at, words=words, repaired=repaired, rolled_back=rolled_back, kept_before=kept_before
            )

    def now(self) -> None:
        """Check as soon as the house is connected."""
        self._soon = True
        self._wake.set()

    def _on_up(self) -> None:
        """Notice what makes a check worth while: either end was put back, or messages will never come."""
        figures = self.heard.peer.durable.figures
        lost, skipped = figures.lost_theirs["event"], figures.skipped["event"]
        rolled_back, self._lost = lost - self._lost, lost
        if rolled_back > self._kept.rolled_back:
            words = "the house was put back to a backup; what is known here of the time before is kept"
            self._kept = evolve(
                self._kept,
                rolled_back=rolled_back,
                kept_before=self.heard.house_now() or math.inf,
                words=words,
            )
            _log.warning("replica.house_rolled_back", site=self.heard.peer.site, words=words)
            self._soon = True
        if skipped > self._skipped or figures.replayed.total():
            self._soon = True
        self._skipped = skipped
        self._wake.set()

    async def run(self) -> None:
        """Check when it is time. Never returns."""
        peer = self.heard.peer
        while True:
            await peer.wait_connected()
            wait_s = SOON_S if self._soon else self._due_in_s()
            if wait_s > 0:
                self._wake = trio.Event()
                with trio.move_on_after(wait_s) as waiting:
                    await self._wake.wait()
                if not waiting.cancelled_caught:
                    continue
            if peer.connection is None:
                continue
            self._soon = False
            if not await self._checked():
                self._soon = True
                await trio.sleep(RETRY_S)

    def _due_in_s(self) -> float:
        if self._kept.at is None:
            return SOON_S
        return max(SOON_S, self._kept.at + self.every_s - self.heard.environment.utc_now())

    async def _checked(self) -> bool:
        """Check once; False: it is to be tried again."""
        self.running = True
        try:
            words = await self.check()
        except (RequestError, RemoteProtocolError, UnknownBody, ValueError, trio.TooSlowError) as exc:
            _log.info("replica.check_failed", site=self.heard.peer.site, why=str(exc) or type(exc).__name__)
            return False
        finally:
            self.running = False
        self._kept = evolve(self._kept, at=self.heard.environment.utc_now(), words=words)
        await patiently(
            partial(self.store.transact, partial(_write, self.heard.house, self._kept)), "a check"
        )
        self.heard.changes.tell()
        return True

    # --- one check -----------------------------------------------------------------------------------------------

    async def check(self) -> str:
        """Compare, repair, and say in words what came of it. Raises RequestError, TooSlowError when the house is gone."""
        house_now = self.heard.house_now()
        now = int(self.heard.environment.utc_now() if house_now is None else house_now)
        end = now // QUARTER_S * QUARTER_S
        floor = max(0, int(now - self.since_s)) if self.since_s else 0
        repaired = kept = self.days = 0
        while end > floor:
            start = max(floor, end - (DAYS_MAX - 1) * digests.DAY_S) // digests.DAY_S * digests.DAY_S
            answer = await self._ask(DAYS, start, end)
            if answer[0].get("v") != digests.VERSION:
                return (
                    f"not checked: the house counts its history in version {answer[0].get('v')}, here it is "
                    f"{digests.VERSION}: update the older of the two"
                )
            first = answer[0].get("f")
            if not isinstance(first, int):
                break
            await self._caught_up(answer[0].get("p"))
            start, theirs = max(start, first), digests.unpack_days(answer[1])
            read = partial(digests.days, house=self.heard.house, start=start, end=end)
            ours = await self.store.read(read)
            self.days += len(theirs.keys() | ours.keys())
            for number in sorted(theirs.keys() | ours.keys(), reverse=True):
                if theirs.get(number) == ours.get(number) or repaired >= REPAIRED_MAX:
                    continue
                if await self._is_settled(number, theirs.get(number), ours.get(number)):
                    kept += 1
                    continue
                span = max(start, number * digests.DAY_S), min(end, (number + 1) * digests.DAY_S)
                await self._repair(*span)
                await patiently(
                    partial(
                        self.store.transact,
                        partial(self._settle, number=number, span=span, theirs=theirs.get(number)),
                    ),
                    "a repair of a replica",
                )
                repaired += 1
                _log.warning("replica.repaired", site=self.heard.peer.site, day=number)
            end = start if start > max(first, floor) else floor
        self._kept = evolve(self._kept, repaired=self._kept.repaired + repaired)
        return _words(self.days, repaired, kept)

    async def _ask(self, method: str, start: int, end: int) -> tuple[Mapping[str, Any], bytes]:
        with trio.fail_after(ANSWER_S):
            params = {"f": start, "t": end, "v": digests.VERSION}
            answer = await self.heard.peer.request(method, params, body_bytes_max=BODY_BYTES_MAX)
            return answer.result, answer.body

    async def _caught_up(self, told: object) -> None:
        """Wait until everything is here that the house had sent when it answered. Raises TooSlowError."""
        match told:
            case [int(epoch), int(seq)]:
                with trio.fail_after(CAUGHT_UP_S):
                    serial = self.heard.changes.serial
                    while not await self.store.read(partial(self._has, epoch=epoch, seq=seq)):
                        with trio.move_on_after(LOOK_S):
                            await self.heard.changes.wait(serial)
                        serial = self.heard.changes.serial

    def _has(self, conn: apsw.Connection, epoch: int, seq: int) -> bool:
        rows = fetch(conn, _COMMITTED, (self.heard.peer.site, epoch))
        return bool(rows) and int(rows[0][0]) >= seq

    async def _repair(self, start: int, end: int) -> None:
        """Have the house's rows of a span here, in pieces where they are many."""
        try:
            _, body = await self._ask(ROWS, start, end)
        except RequestError as exc:
            if exc.code is not ErrorCode.TOO_LARGE or end - start <= QUARTER_S:
                raise
            half = start + max(QUARTER_S, (end - start) // 2 // QUARTER_S * QUARTER_S)
            await self._repair(start, half)
            await self._repair(half, end)
            return
        rows = digests.unpack_rows(body)
        rows.decoded()  # raises before anything is thrown away
        work = partial(self._replace, start=start, end=end, theirs=rows)
        await patiently(partial(self.store.transact, work), "a repair of a replica")

    def _replace(self, conn: apsw.Connection, start: int, end: int, theirs: digests.Rows) -> None:
        rows = theirs
        if self._is_kept(start):
            rows = digests.merged(theirs, digests.rows_between(conn, self.heard.house, start, end))
        write.replace(conn, self.heard.house, start, end, *rows.decoded())

    def _is_kept(self, start: int) -> bool:
        return self._kept.kept_before is not None and start < self._kept.kept_before

    def _settle(
        self, conn: apsw.Connection, number: int, span: tuple[int, int], theirs: digests.Day | None
    ) -> None:
        """Note that a day differs for good, as it does now: what the house has forgotten was kept."""
        conn.execute("DELETE FROM heat_settled WHERE house = ? AND day = ?", (self.heard.house, number))
        ours = digests.days(conn, self.heard.house, *span).get(number)
        if ours != theirs and self._is_kept(span[0]):
            row = (self.heard.house, number, _name(theirs), _name(ours))
            conn.execute("INSERT INTO heat_settled VALUES (?, ?, ?, ?)", row)

    async def _is_settled(self, number: int, theirs: digests.Day | None, ours: digests.Day | None) -> bool:
        sql = "SELECT theirs, ours FROM heat_settled WHERE house = ? AND day = ?"
        rows = await self.store.read(lambda conn: fetch(conn, sql, (self.heard.house, number)))
        return bool(rows) and tuple(rows[0]) == (_name(theirs), _name(ours))


def _name(day: digests.Day | None) -> bytes:
    return b"" if day is None else day.events_digest.to_bytes(8) + day.chunks_digest.to_bytes(8)


def _words(days: int, repaired: int, kept: int) -> str:
    if not days:
        return "there is nothing to compare yet"
    words = f"{days} days compared, " + (
        f"{repaired} fetched again" if repaired else "all as the house has them"
    )
    return words + (f"; of {kept} more is known here than the house knows after a backup" if kept else "")


def _write(house: int, kept: _Kept, conn: apsw.Connection) -> None:
    before = kept.kept_before
    conn.execute(
        "INSERT OR REPLACE INTO heat_check VALUES (?, ?, ?, ?, ?, ?)",
        (
            house, kept.at, kept.words, kept.repaired, kept.rolled_back,
            None if before is None else min(before, 1e15),
        ),
    )  # fmt: skip
