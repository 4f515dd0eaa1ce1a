"""The hub's copies of what its sites serve, by (site, method, path), bounded in bytes and kept across restarts.

A port with two implementations, held to one contract by the tests: in memory, and in memory with SQLite behind it.
Only bodies that were decoded and checked against their digest are ever put here.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import apsw
import structlog
from attrs import define, evolve, field, frozen

from daemons.race.fetched import Fetched
from daemons.store import Migration, StorageError, Store

_log = structlog.stdlib.get_logger("pitlink.race")

CACHE_BYTES_MAX = 64 * 1024 * 1024
_ENTRY_OVERHEAD_BYTES = 512


class Key(NamedTuple):
    """What a copy is of."""

    site: str
    method: str
    path: str


@frozen
class CacheStatistics:
    entries: int
    bytes: int
    hits: int
    misses: int
    evictions: int
    unkept: int
    """Copies that the disk did not take: they are gone at the next start."""


class Cache(Protocol):
    """The port. Values are whole or absent, never half; a put that was cancelled may or may not have happened."""

    async def get(self, key: Key) -> Fetched | None:
        """Return the copy, or None."""

    async def put(self, key: Key, fetched: Fetched) -> None:
        """Keep a copy; the least recently used ones go when the bound is met. One over the bound is not kept.

        One of the same body that was read later keeps its time.
        """

    async def confirm(self, key: Key, fetched_at: float) -> None:
        """Note that at `fetched_at` (UTC seconds) the copy was still what the origin serves."""

    async def purge(self, site: str, prefix: str = "") -> int:
        """Forget a site's copies whose path begins with `prefix`; return how many."""

    def statistics(self) -> CacheStatistics:
        """Return counts since the start."""


@define(eq=False)
class MemoryCache:
    """The copies in memory, least recently used first out."""

    bytes_max: int = CACHE_BYTES_MAX
    _entries: OrderedDict[Key, Fetched] = field(factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)
    _hits: Counter[str] = field(factory=Counter, init=False)  # by site
    _misses: Counter[str] = field(factory=Counter, init=False)
    _evictions: int = field(default=0, init=False)
    unkept: int = field(default=0, init=False)

    async def get(self, key: Key) -> Fetched | None:
        fetched = self._entries.get(key)
        if fetched is None:
            self._misses[key.site] += 1
            return None
        self._hits[key.site] += 1
        self._entries.move_to_end(key)
        return fetched

    async def put(self, key: Key, fetched: Fetched) -> None:
        list(self._put(key, fetched))

    def _put(self, key: Key, fetched: Fetched) -> Iterator[Key]:
        """Put it, and yield the keys that had to go."""
        before = self._entries.get(key)
        if before is not None and before.digest == fetched.digest and before.fetched_at > fetched.fetched_at:
            # A push that was under way for long, and the same was fetched meanwhile.
            fetched = evolve(fetched, fetched_at=before.fetched_at)
        self._drop(key)
        if _weight(fetched) > self.bytes_max:
            yield key
            return
        self._entries[key] = fetched
        self._bytes += _weight(fetched)
        while self._bytes > self.bytes_max:
            oldest = next(iter(self._entries))
            self._drop(oldest)
            self._evictions += 1
            yield oldest

    def _drop(self, key: Key) -> None:
        fetched = self._entries.pop(key, None)
        if fetched is not None:
            self._bytes -= _weight(fetched)

    async def confirm(self, key: Key, fetched_at: float) -> None:
        fetched = self._entries.get(key)
        if fetched is not None and fetched_at > fetched.fetched_at:
            self._entries[key] = evolve(fetched, fetched_at=fetched_at)

    async def purge(self, site: str, prefix: str = "") -> int:
        gone = [key for key in self._entries if key.site == site and key.path.startswith(prefix)]
        for key in gone:
            self._drop(key)
        return len(gone)

    def count(self, site: str, prefix: str) -> tuple[int, int]:
        """Return how many copies `purge` would forget, and the bytes of their bodies."""
        found = [
            len(fetched.body)
            for key, fetched in self._entries.items()
            if key.site == site and key.path.startswith(prefix)
        ]
        return len(found), sum(found)

    def statistics(self) -> CacheStatistics:
        return CacheStatistics(
            len(self._entries),
            self._bytes,
            self._hits.total(),
            self._misses.total(),
            self._evictions,
            self.unkept,
        )

    def looked_up(self, site: str) -> tuple[int, int]:
        """Return how often a copy of this site was found since the start, and how often not."""
        return self._hits[site], self._misses[site]


def _weight(fetched: Fetched) -> int:
    return len(fetched.body) + _ENTRY_OVERHEAD_BYTES


MIGRATIONS = (
    Migration(
        "cache",
        1,
        """
CREATE TABLE cache (
    site TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    body BLOB NOT NULL, content_type TEXT, validator BLOB NOT NULL, digest BLOB NOT NULL,
    fetched_at REAL NOT NULL, absent INTEGER NOT NULL,
    PRIMARY KEY (site, method, path)
) STRICT, WITHOUT ROWID
""",
    ),
)

_DELETE = "DELETE FROM cache WHERE site = ? AND method = ? AND path = ?"
_PUT = "INSERT OR REPLACE INTO cache VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


@define(eq=False)
class SqliteCache:
    """The copies in memory with SQLite behind them, so that a restarted hub has something to show, with its age."""

    store: Store
    memory: MemoryCache

    @classmethod
    async def load(cls, store: Store, bytes_max: int = CACHE_BYTES_MAX) -> "SqliteCache":
        """Read what an earlier run has kept, oldest first."""
        memory = MemoryCache(bytes_max)

        def read(conn: apsw.Connection) -> list[tuple[Key, Fetched]]:
            rows = conn.execute("SELECT * FROM cache ORDER BY fetched_at")
            return [
                (
                    Key(str(site), str(method), str(path)),
                    Fetched(
                        path=path, body=body, content_type=content_type, validator=validator, digest=digest,
                        fetched_at=fetched_at, absent=bool(absent),
                    ),
                )
                for site, method, path, body, content_type, validator, digest, fetched_at, absent in rows
            ]  # fmt: skip

        gone: list[Key] = []
        for key, fetched in await store.read(read):
            gone += memory._put(key, fetched)
        if gone:  # the bound has been made smaller since
            await store.transact(lambda conn: conn.executemany(_DELETE, gone))
        return cls(store, memory)

    async def get(self, key: Key) -> Fetched | None:
        return await self.memory.get(key)

    async def put(self, key: Key, fetched: Fetched) -> None:
        gone = list(self.memory._put(key, fetched))

        def write(conn: apsw.Connection) -> None:
            if key not in gone:
                conn.execute(
                    _PUT,
                    (*key, fetched.body, fetched.content_type, fetched.validator, fetched.digest,
                     fetched.fetched_at, int(fetched.absent)),
                )  # fmt: skip
            conn.executemany(_DELETE, gone)

        try:
            await self.store.transact(write)
        except StorageError as exc:  # the copy serves until the next start; its older one has its age
            _log.debug("cache.not_kept", path=key.path, error=exc.detail)
            self.memory.unkept += 1

    async def confirm(self, key: Key, fetched_at: float) -> None:
        """As the port says. The time is not written: after a restart a copy is as old as its body, at least."""
        await self.memory.confirm(key, fetched_at)

    async def purge(self, site: str, prefix: str = "") -> int:
        count = await self.memory.purge(site, prefix)

        def write(conn: apsw.Connection) -> None:
            conn.execute(
                "DELETE FROM cache WHERE site = ? AND substr(path, 1, length(?)) = ?", (site, prefix, prefix)
            )

        await self.store.transact(write)
        return count

    def count(self, site: str, prefix: str) -> tuple[int, int]:
        """Return how many copies `purge` would forget, and the bytes of their bodies."""
        return self.memory.count(site, prefix)

    def statistics(self) -> CacheStatistics:
        return self.memory.statistics()

    def looked_up(self, site: str) -> tuple[int, int]:
        """Return how often a copy of this site was found since the start, and how often not."""
        return self.memory.looked_up(site)
