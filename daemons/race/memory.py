"""The memory of the race: every version of every race file that was read, kept in the daemon's database.

memory
├── writer                        what was read goes into the database together, once a second at most
└── sweep                         what is too old, or too much, goes

On the site the versions are those that may leave it (`daemons.race.privacy`), so that both sides keep the same ones.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial

import apsw
import structlog
import trio
from attrs import define, field, frozen

from daemons.ops.metrics import Reading
from daemons.ops.storecare import patiently
from daemons.race.fetched import Fetched
from daemons.race.keeper import BoardKeeper
from daemons.race.memorychain import Entry
from daemons.race.memoryconfig import MemoryConfig
from daemons.race.memorytables import (
    Seen,
    Size,
    are_kept,
    entries_of,
    forget,
    last_good,
    read_body,
    record,
    size_of,
)
from daemons.race.paths import file_of
from daemons.store import StorageError, Store
from protocol.errors import RequestError

__all__ = ["Memory", "SiteMemory", "observe", "subject_of"]

_log = structlog.stdlib.get_logger("pitlink.race")

KEPT_FILES = frozenset({"Event", "Pilots", "Rounds", "Stages", "Results", "Race", "Result"})

BODY_BYTES_MAX = 4 * 1024 * 1024
"""A longer file is not kept: the longest race known has 400 KB."""

WAITING_MAX = 512
"""Versions that wait for the disk. Past it a version is left out and counted; the next read brings what holds then."""

BATCH_MAX = 64
GATHER_S = 1.0
"""What is read within so long of a first new version is written with it."""

LEAVE_S = 2.0
SWEEP_S = 600.0
LATEST_MAX = 4096


def subject_of(path: str) -> str:
    """Return whose history a file belongs to: its race's id, else its event's; "" for a file that is not kept."""
    file = file_of(path)
    if file is None or file.kind.value not in KEPT_FILES:
        return ""
    return file.race_id or file.event_id


@frozen
class _Recall:
    """Look up the last good results of a race for a board."""

    site: str
    race_id: str
    keeper: BoardKeeper


@define(eq=False)
class Memory:
    """All versions of a daemon's sites. `run` must be running for anything to be kept; reading needs nothing.

    `dropped`: versions that were not kept because the disk was slower than they came, or for their length. `forgotten`:
    contents that went before their time because there were too many bytes.
    """

    store: Store
    config: MemoryConfig
    utc_now: Callable[[], float]
    dropped: int = field(default=0, init=False)
    forgotten: int = field(default=0, init=False)
    size: Size = field(default=Size(0, 0, 0), init=False)  # as of the last sweep
    _gathered: list[Seen] = field(factory=list, init=False)  # for the next commit
    _latest: dict[tuple[str, str], bytes] = field(
        factory=dict, init=False
    )  # what was queued last, by site and path
    _send: trio.MemorySendChannel[Seen | _Recall] = field(init=False)
    _receive: trio.MemoryReceiveChannel[Seen | _Recall] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel(WAITING_MAX)

    def of(self, site: str) -> "SiteMemory":
        """Return the memory of one site."""
        return SiteMemory(self, site)

    def keep(self, site: str, fetched: Fetched) -> None:
        """Keep what was read, if it is a race file and another version than the last. Never waits."""
        subject = subject_of(fetched.path)
        key = (site, fetched.path)
        if not subject or fetched.absent or fetched.stale or not self.config.days:
            return
        if self._latest.get(key) == fetched.digest:
            return
        if len(fetched.body) > BODY_BYTES_MAX:
            self._drop(fetched.path)
            return
        seen = Seen(site, subject, fetched.path, fetched.body, fetched.digest, fetched.fetched_at)
        if self._queue(seen):
            while len(self._latest) >= LATEST_MAX:  # the table is asked again about those that went
                del self._latest[next(iter(self._latest))]
            self._latest[key] = fetched.digest

    def recall(self, site: str, race_id: str, keeper: BoardKeeper) -> None:
        """Give a board the last good results of a race, as soon as they are looked up. Never waits."""
        self._queue(_Recall(site, race_id, keeper))

    def _queue(self, item: Seen | _Recall) -> bool:
        try:
            self._send.send_nowait(item)
        except trio.WouldBlock:
            self._drop(item.path if isinstance(item, Seen) else item.race_id)
            return False
        return True

    def _drop(self, what: str) -> None:
        self.dropped += 1
        _log.warning("memory.dropped", what=what)

    # --- its life ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write what is to be kept until cancelled; what was read until then is still written, for 2 s at most."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sweep)
            try:
                while True:
                    await self._write(await self._receive.receive())
            finally:
                if self.store.fault is None:  # a disk that takes nothing is not waited for
                    with trio.move_on_after(LEAVE_S, shield=True):
                        await self._leave()

    async def _write(self, item: Seen | _Recall) -> None:
        """Write what has come and comes within a second, then look up what is asked for: in the order of their reading."""
        with trio.move_on_after(GATHER_S):
            while isinstance(item, Seen):
                self._gathered.append(item)
                if len(self._gathered) >= BATCH_MAX:
                    break
                item = await self._receive.receive()
        if seen := tuple(self._gathered):
            await patiently(partial(self.store.transact, partial(_record, seen)), "versions of race files")
            self._gathered.clear()
        if isinstance(item, _Recall):
            await self._recall(item)

    async def _recall(self, asked: _Recall) -> None:
        try:
            found = await self.store.read(lambda conn: last_good(conn, asked.site, asked.race_id))
        except (StorageError, ValueError) as exc:  # the page goes on without
            _log.warning("memory.unread", site=asked.site, race=asked.race_id, words=str(exc))
            return
        if found is not None and asked.keeper.recall(asked.race_id, *found):
            _log.info("memory.recalled", site=asked.site, race=asked.race_id)

    async def _leave(self) -> None:
        left = list(self._gathered)
        with suppress(trio.WouldBlock):
            while True:
                item = self._receive.receive_nowait()
                if isinstance(item, Seen):
                    left.append(item)
        try:
            await self.store.transact(partial(_record, left))
        except StorageError as exc:
            _log.warning("memory.not_kept", versions=len(left), words=exc.detail)

    async def _sweep(self) -> None:
        while True:
            before, bytes_max = self.utc_now() - self.config.days * 86400, self.config.max_bytes
            try:
                self.forgotten += await self.store.transact(
                    lambda conn: forget(conn, before=before, bytes_max=bytes_max)  # noqa: B023
                )
                self.size = await self.store.read(size_of)
            except StorageError as exc:  # told by the store's care; what is too old goes at another turn
                _log.debug("memory.not_swept", words=exc.detail)
            await trio.sleep(SWEEP_S)

    def readings(self) -> Iterator[Reading]:
        """Yield the figures for /metrics."""
        yield Reading("versions_kept", "Versions of race files that are kept.", self.size.versions)
        yield Reading("versions_bytes", "What their contents take, packed.", self.size.bytes)
        words = "Versions that were not kept: the disk was slower than they came, or they were too long."
        yield Reading("versions_dropped", words, self.dropped, is_counter=True)
        words = "Contents that went before their time because there were too many bytes."
        yield Reading("versions_forgotten", words, self.forgotten, is_counter=True)


def _record(seen: Sequence[Seen], conn: apsw.Connection) -> int:
    return record(conn, seen)


@frozen
class Listed:
    """Versions of a history: the newest, those that were asked for, and which of their contents can still be had."""

    head: Entry
    entries: list[Entry]
    kept: set[str]


@define(eq=False)
class SiteMemory:
    """The memory of one site: what is read goes in by `on_read`, what was read comes out by history and digest."""

    memory: Memory
    site: str
    _asked: set[str] = field(factory=set, init=False)  # races whose results were looked up for the board

    def on_read(self, fetched: Fetched) -> None:
        """Keep what was read. Never waits."""
        self.memory.keep(self.site, fetched)

    def help(self, keeper: BoardKeeper) -> None:
        """Have the last good results looked up that a board is missing, each once as long as they are missing."""
        missing = keeper.missing_results
        for race_id in missing - self._asked:
            self.memory.recall(self.site, race_id, keeper)
        self._asked = set(missing)

    async def listed(self, subject: str, *, after: int, most: int) -> Listed | None:
        """Return a history's versions behind number `after`; None when there is no such history. Raises StorageError."""

        def read(conn: apsw.Connection) -> Listed | None:
            head = next(entries_of(conn, self.site, subject, newest=True), None)
            found = list(entries_of(conn, self.site, subject, after=after, most=most))
            return None if head is None else Listed(head, found, are_kept(conn, self.site, found))

        return await self.memory.store.read(read)

    async def find(self, subject: str, digest: bytes) -> Entry | None:
        """Return the first version of this content; None when it is none of this history. Raises StorageError."""
        return await self.memory.store.read(
            lambda conn: next(entries_of(conn, self.site, subject, digest=digest), None)
        )

    async def head(self, subject: str) -> Entry | None:
        """Return the newest version; None when there is no such history. Raises StorageError."""
        return await self.memory.store.read(
            lambda conn: next(entries_of(conn, self.site, subject, newest=True), None)
        )

    async def history(self, subject: str) -> bytes:
        """Return the whole history as JSON lines, made beside the event loop. Raises StorageError."""
        return await self.memory.store.read(
            lambda conn: b"".join(entry.line() for entry in entries_of(conn, self.site, subject))
        )

    async def body(self, digest: bytes) -> bytes | None:
        """Return the bytes of a version; None when they are not kept. Raises StorageError."""
        try:
            return await self.memory.store.read(lambda conn: read_body(conn, self.site, digest))
        except ValueError as exc:
            _log.error("memory.damaged", site=self.site, words=str(exc))
            return None


def observe(
    memory: SiteMemory,
    keeper: BoardKeeper,
    may_leave: Callable[[str, Fetched], Fetched] = lambda path, fetched: fetched,
) -> Callable[[str, Fetched | RequestError], None]:
    """Return an observer that keeps what is read, then helps the board, which must have seen it before.

    `may_leave(path, fetched)` takes out what is private, or raises RequestError: then nothing is kept.
    """

    def on_read(path: str, result: Fetched | RequestError) -> None:
        if not isinstance(result, RequestError) and subject_of(path):
            with suppress(RequestError):
                memory.on_read(may_leave(path, result))
        memory.help(keeper)

    return on_read
