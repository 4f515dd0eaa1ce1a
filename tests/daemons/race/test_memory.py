"""The memory: every version of a race file once, in order, packed, bounded; good results come back after a restart."""

import hashlib
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from daemons.race.fetched import Fetched
from daemons.race.keeper import BoardKeeper
from daemons.race.memory import GATHER_S, WAITING_MAX, Memory, observe, subject_of
from daemons.race.memorychain import Entry, verify
from daemons.race.memoryconfig import MemoryConfig
from daemons.race.memoryroutes import memory_routes
from daemons.race.memorytables import (
    MIGRATIONS,
    Seen,
    are_kept,
    entries_of,
    forget,
    read_body,
    record,
    size_of,
)
from daemons.race.paths import Kind
from daemons.race.privacy import strip_private
from daemons.store import Store, open_store
from protocol.errors import ErrorCode, RequestError

from . import makers as make
from .field import EVENT, PILOTS, feed, fetched, open_field, race_path, result_path

DAY_S = 86400.0
DONE: dict[str, Any] = {"start": make.START, "end": make.END}
FLOWN = {1: [4.0, 9.0, 9.0, 9.0], 2: [5.0, 8.0, 8.0, 8.0]}
RACE = make.race_id(101)


@contextmanager
def tables() -> Iterator[apsw.Connection]:
    conn = apsw.Connection(":memory:")
    for migration in MIGRATIONS:
        conn.execute(migration.sql)
    yield conn
    conn.close()


def seen(body: bytes, at: float = 0.0, *, path: str = "", site: str = "field") -> Seen:
    path = path or race_path(101)
    return Seen(site, subject_of(path), path, body, hashlib.sha256(body).digest(), at)


def laps(count: int) -> bytes:
    return make.to_bytes(
        [make.race(1, start=make.START, flown={1: [4.0] + [9.0 + lap / 7 for lap in range(count)]})]
    )


# --- the tables ---


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([EVENT, race_path(101), result_path(101)]), st.binary(max_size=60)),
        max_size=30,
    )
)
def test_every_version_is_kept_once_in_order_and_comes_back_byte_by_byte(
    reads: list[tuple[str, bytes]],
) -> None:
    last: dict[str, bytes] = {}
    expected: dict[str, list[tuple[str, bytes]]] = {}
    with tables() as conn:
        for at, (path, body) in enumerate(reads):
            is_new = last.get(path) != body
            assert record(conn, [seen(body, at, path=path)]) == is_new
            if is_new:
                last[path] = body
                expected.setdefault(subject_of(path), []).append((path, body))
        for subject, versions in expected.items():
            entries = list(entries_of(conn, "field", subject))
            assert [
                (entry.path, read_body(conn, "field", bytes.fromhex(entry.sha256))) for entry in entries
            ] == versions
            verdict = verify([entry.line() for entry in entries])
            assert (verdict.entries, verdict.broken) == (len(versions), "")
        assert size_of(conn).bodies == len({body for _, body in reads})


def test_a_race_lap_by_lap_takes_a_fraction_of_its_files() -> None:
    with tables() as conn:
        bodies = [laps(count) for count in range(46)]
        for at, body in enumerate(bodies):
            record(conn, [seen(body, at)])
        for body in bodies:
            assert read_body(conn, "field", hashlib.sha256(body).digest()) == body
        assert size_of(conn).bytes < sum(map(len, bodies)) / 40


def test_sites_do_not_share_their_histories() -> None:
    with tables() as conn:
        record(conn, [seen(b"[1]", site="a"), seen(b"[1]", site="b"), seen(b"[2]", site="a")])
        assert [entry.number for entry in entries_of(conn, "a", RACE)] == [1, 2]
        assert [entry.number for entry in entries_of(conn, "b", RACE)] == [1]
        second = hashlib.sha256(b"[2]").digest()
        assert (read_body(conn, "a", second), read_body(conn, "b", second)) == (b"[2]", None)


def test_what_another_history_is_made_from_stays() -> None:
    """Two races may end with the same bytes, which are kept once: as the difference to what only one of them had."""
    with tables() as conn:
        record(conn, [seen(laps(9), 0, path=race_path(101)), seen(laps(10), 1, path=race_path(101))])
        record(conn, [seen(laps(10), 40 * DAY_S, path=race_path(102))])
        assert size_of(conn).bytes < len(laps(10)), "a difference"
        forget(conn, before=20 * DAY_S, bytes_max=10**9)
        assert list(entries_of(conn, "field", make.race_id(101))) == []
        assert read_body(conn, "field", hashlib.sha256(laps(10)).digest()) == laps(10)


def test_an_old_history_goes_as_a_whole_and_never_its_beginning() -> None:
    with tables() as conn:
        old, new = race_path(101), race_path(102)
        record(conn, [seen(laps(1), 0, path=old), seen(laps(2), 5 * DAY_S, path=old)])
        record(conn, [seen(laps(3), 0, path=new), seen(laps(4), 40 * DAY_S, path=new)])
        assert forget(conn, before=4 * DAY_S, bytes_max=10**9) == 0
        assert size_of(conn).versions == 4
        forget(conn, before=20 * DAY_S, bytes_max=10**9)
        assert list(entries_of(conn, "field", make.race_id(101))) == []
        assert len(list(entries_of(conn, "field", make.race_id(102)))) == 2
        assert size_of(conn).bodies == 2
        forget(conn, before=50 * DAY_S, bytes_max=10**9)
        assert size_of(conn).bodies == 0


def test_past_the_bytes_the_oldest_contents_go_and_the_history_stays() -> None:
    noise = random.Random(1)
    with tables() as conn:
        for number in range(10):
            path = race_path(100 + number)
            record(
                conn, [seen(noise.randbytes(1000), number, path=path), seen(laps(number), number, path=path)]
            )
        assert forget(conn, before=-1.0, bytes_max=6000) > 0
        assert size_of(conn).bytes <= 6000
        assert size_of(conn).versions == 20
        assert not are_kept(conn, "field", entries_of(conn, "field", make.race_id(100)))
        assert len(are_kept(conn, "field", entries_of(conn, "field", make.race_id(109)))) == 2
        assert not verify(entry.line() for entry in entries_of(conn, "field", make.race_id(100))).broken


def test_what_was_changed_on_the_disk_is_not_given_out() -> None:
    with tables() as conn:
        record(conn, [seen(laps(1)), seen(laps(2))])
        conn.execute(
            "UPDATE memory_body SET data = (SELECT data FROM memory_body WHERE base IS NULL), base = NULL"
        )
        with pytest.raises(ValueError, match="not what was kept"):
            read_body(conn, "field", hashlib.sha256(laps(2)).digest())


# --- as it runs ---


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "m.db", migrations=MIGRATIONS, inline=True) as store:
        yield store


def memory_on(store: Store, **config: Any) -> Memory:
    return Memory(store, MemoryConfig(**config), lambda: trio.current_time())


async def kept_of(memory: Memory) -> list[Entry]:
    return await memory.store.read(lambda conn: list(entries_of(conn, "field", RACE)))


async def test_a_burst_is_one_commit(
    store: Store, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    memory = memory_on(store)
    nursery.start_soon(memory.run)
    await trio.testing.wait_all_tasks_blocked()
    before = store.statistics().commits
    for count in range(30):
        memory.keep("field", fetched(race_path(101), laps(count), count / 100))
        memory.keep("field", fetched(race_path(101), laps(count), count / 100))
    await trio.sleep(2 * GATHER_S)
    assert store.statistics().commits == before + 1
    entries = await kept_of(memory)
    assert len(entries) == 30
    nursery.cancel_scope.cancel()


async def test_what_was_read_just_before_the_end_is_written(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    memory = memory_on(store)
    with trio.move_on_after(GATHER_S / 2):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(memory.run)
            await trio.testing.wait_all_tasks_blocked()
            memory.keep("field", fetched(race_path(101), laps(1)))
            await trio.sleep(GATHER_S / 4)
            memory.keep("field", fetched(race_path(101), laps(2)))
    entries = await kept_of(memory)
    assert [entry.number for entry in entries] == [1, 2]


async def test_what_waits_for_the_disk_is_bounded_and_counted(store: Store) -> None:
    memory = memory_on(store)
    for count in range(WAITING_MAX + 10):
        memory.keep("field", fetched(race_path(101), b"%d" % count))
    assert memory.dropped == 10
    memory.keep("field", fetched(race_path(101), b" " * (5 * 1024 * 1024)))
    assert memory.dropped == 11


async def test_what_says_nothing_of_the_race_is_not_kept(store: Store) -> None:
    memory = memory_on(store)
    for path in ("/", "/current", "/httpfiles/Channels.json"):
        memory.keep("field", fetched(path, b"[]"))
    memory.keep("field", fetched(result_path(101), b"[]", absent=True))
    memory.keep("field", fetched(race_path(101), laps(1), stale=True))
    memory_on(store, days=0.0).keep("field", fetched(race_path(101), laps(1)))
    assert not memory._latest


async def test_what_is_kept_is_what_may_leave(
    store: Store, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    def may_leave(path: str, read: Fetched) -> Fetched:
        if path == EVENT:
            raise RequestError(ErrorCode.DENIED, "not this one")
        return fetched(path, strip_private(read.body))

    memory = memory_on(store)
    look = observe(memory.of("field"), BoardKeeper(), may_leave)
    nursery.start_soon(memory.run)
    await trio.testing.wait_all_tasks_blocked()
    for path, value in ((EVENT, make.event([])), (PILOTS, make.pilot(1, "Ann"))):
        look(path, fetched(path, make.to_bytes([value])))
    await trio.sleep(2 * GATHER_S)
    (entry,) = await store.read(lambda conn: list(entries_of(conn, "field", make.EVENT_ID)))
    body = await memory.of("field").body(bytes.fromhex(entry.sha256))
    assert entry.path == PILOTS
    assert body is not None
    assert b"Ann" in body
    assert b"Secret" not in body


async def test_good_results_come_back_after_a_restart(
    store: Store, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """Queretaro: the results were emptied, the daemon was started again, the page still shows them, flagged."""
    day = open_field([101, 102])
    day.race(101, **DONE, flown=FLOWN)
    day.put(result_path(101), [make.result(2, 1), make.result(1, 2)])
    await _run(store, day)
    day.put(result_path(101), [])
    for _ in range(2):  # emptied while it ran or while it did not, and again after that
        keeper = await _run(store, day)
        previous = keeper.board["previous"]
        assert [row["pilot"] for row in previous["rows"]] == ["Bo", "Ann"]
        assert previous["results_from_memory"]
    day.put(result_path(101), [make.result(1, 1), make.result(2, 2)])
    keeper = await _run(store, day)
    assert [row["pilot"] for row in keeper.board["previous"]["rows"]] == ["Ann", "Bo"]
    assert not keeper.board["previous"]["results_from_memory"]


@pytest.mark.parametrize("case", ["flown again", "resumed meanwhile"])
async def test_results_of_another_flight_do_not_come_back(
    case: str, store: Store, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    day = open_field([101, 102])
    day.race(101, **DONE, flown=FLOWN)
    day.put(result_path(101), [make.result(2, 1), make.result(1, 2)])
    await _run(store, day)
    day.put(result_path(101), [])
    if case == "flown again":
        day.race(101, start="2026/02/07 4:00:00", end="2026/02/07 4:02:00", flown=FLOWN)
    else:
        day.race(101, start=make.START, flown=FLOWN)
        await _run(store, day)
        day.race(101, start=make.START, end="2026/02/07 3:05:00", flown=FLOWN)
    keeper = await _run(store, day)
    assert not keeper.board["previous"]["results_from_memory"]


async def _run(store: Store, day: Any) -> BoardKeeper:
    """A daemon's life: a new keeper reads all of the day, what is missing is looked up, and it ends."""
    keeper = BoardKeeper()
    memory = memory_on(store)
    look = observe(memory.of("field"), keeper)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(memory.run)
        await trio.testing.wait_all_tasks_blocked()
        feed(keeper, day)
        for path in sorted(day.files, key=lambda path: path.endswith("Result.json")):
            look(path, fetched(path, day.files[path], trio.current_time()))
        await trio.sleep(3 * GATHER_S)
        look("/", RequestError(ErrorCode.ORIGIN_DOWN, "it is off"))
        await trio.sleep(3 * GATHER_S)
        nursery.cancel_scope.cancel()
    return keeper


# --- what is told of it ---


@pytest.fixture
async def told(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """The routes over a memory of three versions of a race, of which one was of the results, and one private file."""
    private = make.to_bytes([make.pilot(1, "Ann")])
    files = [
        seen(laps(1), 1),
        seen(b"[]", 2, path=result_path(101)),
        seen(laps(2), 3),
        seen(private, 4, path=PILOTS),
    ]
    await store.transact(lambda conn: record(conn, files))
    memory = memory_on(store).of("field")
    app = Starlette(routes=memory_routes(lambda name: memory if name == "field" else None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pits") as client:
        yield client


BASE = f"/api/v1/sites/field/races/{RACE}"


async def test_versions_are_listed_with_their_hashes_and_the_head(told: httpx.AsyncClient) -> None:
    answer = (await told.get(f"{BASE}/versions")).json()
    assert [(version["number"], version["file"], version["kept"]) for version in answer["versions"]] == [
        (1, "Race.json", True),
        (2, "Result.json", True),
        (3, "Race.json", True),
    ]
    assert answer["head"] == {
        "number": 3,
        "at": "1970-01-01T00:00:03.000Z",
        "hash": answer["versions"][-1]["hash"],
    }
    assert [
        version["number"] for version in (await told.get(f"{BASE}/versions?after=2")).json()["versions"]
    ] == [3]


async def test_a_version_comes_as_it_was_served(told: httpx.AsyncClient) -> None:
    version = (await told.get(f"{BASE}/versions")).json()["versions"][2]
    answer = await told.get(version["href"])
    assert answer.content == laps(2)
    assert hashlib.sha256(answer.content).hexdigest() == version["sha256"]
    assert answer.headers["content-disposition"].startswith('attachment; filename="Race-1970-01-01T000003Z-')
    assert "immutable" in answer.headers["cache-control"]
    assert (
        await told.get(version["href"], headers={"If-None-Match": answer.headers["etag"]})
    ).status_code == 304


async def test_the_history_verifies(told: httpx.AsyncClient) -> None:
    answer = await told.get(f"{BASE}/history")
    verdict = verify(answer.content.splitlines(), (await told.get(f"{BASE}/versions")).json()["head"]["hash"])
    assert (verdict.entries, verdict.broken) == (3, "")
    assert verdict.noted is not None
    assert (
        await told.get(f"{BASE}/history", headers={"If-None-Match": answer.headers["etag"]})
    ).status_code == 304


async def test_private_fields_that_were_kept_once_do_not_leave_by_this_door(told: httpx.AsyncClient) -> None:
    base = f"/api/v1/sites/field/races/{make.EVENT_ID}/versions"
    (version,) = (await told.get(base)).json()["versions"]
    answer = await told.get(version["href"])
    assert answer.status_code == 403
    assert "Secret" not in answer.text


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/sites/hall/races/x/versions", 404, "NO_SITE"),
        ("/api/v1/sites/field/races/x/versions", 404, "NO_RACE"),
        ("/api/v1/sites/field/races/x/history", 404, "NO_RACE"),
        (f"{BASE}/versions/00", 404, "NO_VERSION"),
        (f"{BASE}/versions?after=-1", 400, "BAD_REQUEST"),
        (f"{BASE}/versions?after=²", 400, "BAD_REQUEST"),
    ],
)
async def test_what_is_not_there_is_said_in_words(
    told: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    answer = await told.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["words"]


def test_kinds_that_are_kept() -> None:
    assert {kind for kind in Kind if subject_of(f"/events/{make.EVENT_ID}/{kind.value}.json")} >= {
        Kind.EVENT, Kind.PILOTS, Kind.ROUNDS,
    }  # fmt: skip
    assert subject_of(race_path(101)) == subject_of(result_path(101)) == RACE
