"""The contract of the cache, held by both implementations; and what only the one with a file can promise."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemons.race.cache import MIGRATIONS, Cache, Key, MemoryCache, SqliteCache
from daemons.race.fetched import Fetched
from daemons.store import open_store

from .field import fetched

OVERHEAD = 512  # what an entry counts beside its body
ROOM = 4 * (1000 + OVERHEAD)


@pytest.fixture(params=["memory", "sqlite"])
async def cache(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cache]:
    if request.param == "memory":
        yield MemoryCache(ROOM)
        return
    async with open_store(tmp_path / "c.db", migrations=MIGRATIONS) as store:
        yield await SqliteCache.load(store, ROOM)


def key(path: str, site: str = "field") -> Key:
    return Key(site, "GET", path)


def copy(path: str, size: int = 1000, at: float = 1.0) -> Fetched:
    return fetched(path, path[-1:].encode() * size, at)


async def test_what_was_put_is_there_whole_by_site_method_and_path(cache: Cache) -> None:
    assert await cache.get(key("/a")) is None
    await cache.put(key("/a"), copy("/a"))
    assert await cache.get(key("/a")) == copy("/a")
    assert await cache.get(key("/a", "hall")) is None
    assert await cache.get(Key("field", "HEAD", "/a")) is None
    await cache.put(key("/a"), copy("/a", 10, 2.0))
    assert await cache.get(key("/a")) == copy("/a", 10, 2.0)
    told = cache.statistics()
    assert (told.entries, told.bytes, told.hits, told.misses, told.evictions) == (1, 10 + OVERHEAD, 2, 3, 0)


async def test_what_was_not_used_for_longest_goes_first_when_the_bytes_are_full(cache: Cache) -> None:
    for path in ("/a", "/b", "/c", "/d"):
        await cache.put(key(path), copy(path))
    await cache.get(key("/a"))
    await cache.put(key("/e"), copy("/e"))
    assert [path for path in ("/a", "/b", "/c", "/d", "/e") if await cache.get(key(path))] == [
        "/a",
        "/c",
        "/d",
        "/e",
    ]
    assert cache.statistics().evictions == 1
    assert cache.statistics().bytes <= ROOM


async def test_a_copy_larger_than_the_bound_is_not_kept_and_takes_the_old_one_with_it(cache: Cache) -> None:
    await cache.put(key("/a"), copy("/a"))
    await cache.put(key("/b"), copy("/b"))
    await cache.put(key("/a"), copy("/a", ROOM))
    assert await cache.get(key("/a")) is None  # the old one is known to be wrong
    assert await cache.get(key("/b")) is not None


async def test_confirmed_a_copy_is_younger_never_older(cache: Cache) -> None:
    await cache.put(key("/a"), copy("/a", at=10.0))
    for at, shown in ((20.0, 20.0), (15.0, 20.0)):
        await cache.confirm(key("/a"), at)
        found = await cache.get(key("/a"))
        assert found is not None and found.fetched_at == shown
    await cache.put(key("/a"), copy("/a", at=12.0))  # pushed, and late
    found = await cache.get(key("/a"))
    assert found is not None and found.fetched_at == 20.0
    await cache.confirm(key("/nothing"), 30.0)
    assert await cache.get(key("/nothing")) is None


async def test_purge_takes_a_sites_paths_by_prefix_and_nothing_else(cache: Cache) -> None:
    await cache.put(key("/events/1"), copy("/events/1", 10))
    await cache.put(key("/events_/1"), copy("/events_/1", 10))
    await cache.put(key("/current"), copy("/current", 10))
    await cache.put(key("/events/1", "hall"), copy("/events/1", 10))
    assert await cache.purge("field", "/events/") == 1
    assert await cache.get(key("/events/1")) is None
    assert await cache.get(key("/events_/1")) is not None
    assert await cache.purge("field") == 2
    assert cache.statistics().entries == 1
    assert await cache.get(key("/events/1", "hall")) is not None


async def test_copies_survive_a_restart_with_their_age_and_purged_ones_do_not(tmp_path: Path) -> None:
    absent = fetched("/b", b"[]", 2.0, absent=True)
    async with open_store(tmp_path / "c.db", migrations=MIGRATIONS) as store:
        cache = await SqliteCache.load(store, ROOM)
        await cache.put(key("/a"), copy("/a"))
        await cache.put(key("/b"), absent)
        await cache.put(key("/c"), copy("/c"))
        await cache.purge("field", "/c")
        await cache.confirm(key("/a"), 50.0)
    async with open_store(tmp_path / "c.db", migrations=MIGRATIONS) as store:
        cache = await SqliteCache.load(store, ROOM)
        assert await cache.get(key("/a")) == copy("/a")
        assert await cache.get(key("/b")) == absent
        assert await cache.get(key("/c")) is None


async def test_what_went_for_want_of_room_is_gone_from_the_file_as_well(tmp_path: Path) -> None:
    async with open_store(tmp_path / "c.db", migrations=MIGRATIONS) as store:
        cache = await SqliteCache.load(store, ROOM)
        for at, path in enumerate("abcdef"):
            await cache.put(key(path), copy(path, at=float(at)))
        assert await store.read(lambda conn: conn.execute("SELECT count(*) FROM cache").get) == 4
    async with open_store(tmp_path / "c.db", migrations=MIGRATIONS) as store:
        cache = await SqliteCache.load(store, ROOM // 2)  # an operator has made the bound smaller
        assert [path for path in "abcdef" if await cache.get(key(path))] == ["e", "f"]
        assert await store.read(lambda conn: conn.execute("SELECT count(*) FROM cache").get) == 2
