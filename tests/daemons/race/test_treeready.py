"""The whole tree, answered ready by the front: what it says, and how often it is made."""

import gzip
import itertools
import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import trio
import trio.testing
from starlette.applications import Starlette
from trio.testing import MockClock

from daemons.ops.offload import Offload, inline
from daemons.race import treeready
from daemons.race.keeper import BoardKeeper
from daemons.race.pages import race_routes
from daemons.race.treeready import TreeAnswers
from daemons.web.assets import Assets
from protocol.errors import ErrorCode, RequestError
from protocol.zstd import ZstdDecompressor
from tests.daemons.web.fronts import in_memory

from .field import open_field
from .viewers import keeper_of, lap

R = TypeVar("R")
TREE = "/api/v1/sites/pits/tree"


def serving(keeper: BoardKeeper, *, is_ready: bool = True, offload: Offload = inline) -> Any:
    """A front in memory that serves the tree, by the application alone if so wished."""
    boards = {"pits": keeper}
    answers = TreeAnswers(lambda: boards, trio.current_time, offload)
    routes = race_routes(lambda: boards, Assets({}), utc_now=trio.current_time, trees=answers)
    ready = answers.ready if is_ready else None
    return in_memory(Starlette(routes=routes), ready=ready, utc_now=trio.current_time)


async def test_it_says_the_same_as_the_application_in_every_case(mock_clock: MockClock) -> None:
    keeper = keeper_of(open_field([101, 102]))
    name = keeper.tree.newest().id
    slow_front = serving(keeper, is_ready=False)
    fast_front = serving(keeper)
    tags = ["", f'if-none-match: "{name}"\r\n', f'if-none-match: "x", W/"{name}"\r\n', "if-none-match: *\r\n"]
    codings = ["", "accept-encoding: gzip\r\n", "accept-encoding: gzip, zstd\r\n", "accept-encoding: br\r\n"]
    async with slow_front as (_, ask_app), fast_front as (front, ask_ready):
        slow, fast = ask_app(), ask_ready()
        cases = list(itertools.product(("GET", "HEAD"), tags, codings))
        for method, tag, coding in cases:
            said = await slow.get(TREE, method=method, headers=tag + coding)
            assert await fast.get(TREE + "?x=1", method=method, headers=tag + coding) == said
        assert front.statistics.ready_answers == len(cases)
        assert keeper.tree.encodings["packed"] == 1
        for target in ("/api/v1/sites/west/tree", "/api/v1/sites//tree", "/api/v1/sites/pits/treetop"):
            assert (await fast.get(target))[0] == 404
        assert (await fast.get(TREE, method="POST"))[0] == 405


async def test_it_is_the_tree_in_whatever_coding(mock_clock: MockClock) -> None:
    keeper = keeper_of(open_field([101, 102], Name="Coupe d’hiver 🏁"))
    front = serving(keeper)
    async with front as (_, connect):
        client = connect()
        bodies = []
        for coding in ("identity", "gzip", "zstd"):
            status, headers, body = await client.get(TREE, headers=f"accept-encoding: {coding}\r\n")
            assert (status, headers.get("content-encoding", "identity")) == (200, coding)
            assert headers["etag"] == f'"{keeper.tree.newest().id}"'
            bodies.append(body)
    plain, zipped, packed = bodies
    assert gzip.decompress(zipped) == plain == ZstdDecompressor().decompress(packed)
    assert json.loads(plain) == keeper.tree.newest().tree
    assert len(packed) < len(plain) / 3


async def test_caches_in_front_and_browsers_are_told_what_they_may_keep(autojump_clock: MockClock) -> None:
    keeper = keeper_of(open_field([101]))
    front = serving(keeper)
    async with front as (_, connect):
        client = connect()
        _, headers, _ = await client.get(TREE)
        assert headers["cache-control"].startswith("public, max-age=0, s-maxage=1,")
        assert headers["vary"] == "Accept-Encoding"
        assert headers["pitlink-as-of"] == "1970-01-01T00:00:00.000Z"
        assert "pitlink-stale" not in headers
        keeper.failed("/", RequestError(ErrorCode.DISCONNECTED))
        await trio.sleep(3)
        status, later, body = await client.get(TREE, headers=f"if-none-match: {headers['etag']}\r\n")
        assert (status, body, later["pitlink-as-of"]) == (304, b"", headers["pitlink-as-of"])


async def test_an_old_tree_says_so(autojump_clock: MockClock) -> None:
    front = serving(keeper_of(open_field([101])))
    async with front as (_, connect):
        await trio.sleep(1000)
        _, headers, _ = await connect().get(TREE)
    assert headers["pitlink-stale"] == "true"


async def test_before_anything_was_read_there_is_a_tree(mock_clock: MockClock) -> None:
    front = serving(BoardKeeper())
    async with front as (_, connect):
        status, headers, body = await connect().get(TREE)
    assert (status, headers["pitlink-as-of"], headers["pitlink-stale"]) == (200, "never", "true")
    assert json.loads(body)["now"]["phase"] == "no_event"


async def test_it_is_packed_once_a_version_however_many_ask(mock_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    front = serving(keeper)
    async with front as (_, connect):
        for version in (1, 2, 3):
            for _ in range(30):
                assert (await connect().get(TREE, headers="accept-encoding: zstd\r\n"))[0] == 200
            assert keeper.tree.encodings["packed"] == version
            lap(keeper, day, [4.0] * (version + 1))


async def test_a_long_one_is_packed_beside_the_loop_and_once(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(treeready, "SMALL_BYTES", 1000)
    may_pack, at_work = trio.Event(), 0

    async def offload(work: Callable[[], R], /) -> R:
        nonlocal at_work
        at_work += 1
        await may_pack.wait()
        return work()

    keeper = keeper_of(open_field([101]))
    front = serving(keeper, offload=offload)
    said: list[bytes] = []
    async with front as (_, connect), trio.open_nursery() as nursery:

        async def ask() -> None:
            status, _, body = await connect().get(TREE, headers="accept-encoding: gzip\r\n")
            assert status == 200
            said.append(body)

        for _ in range(20):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert (at_work, said) == (1, [])
        may_pack.set()
        await trio.testing.wait_all_tasks_blocked()
        assert (keeper.tree.encodings["packed"], len(said), len(set(said))) == (1, 20, 1)
        await ask()
        assert at_work == 1
