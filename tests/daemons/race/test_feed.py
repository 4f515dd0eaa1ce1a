"""The contract of a board's feed, which every half of the port has to keep: what viewers wait for and are sent."""

import time

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from daemons.race.keeper import BoardKeeper
from daemons.race.stream import BoardFeed
from protocol.errors import ErrorCode, RequestError
from tests.daemons.race.field import feed as fill
from tests.daemons.race.field import open_field


class InProcess:
    """A feed in this process, and how to make it change."""

    def __init__(self) -> None:
        self.keeper = BoardKeeper()
        self.feed: BoardFeed = self.keeper

    def change(self) -> None:
        fill(self.keeper, open_field([101]), time.time())

    def trouble(self) -> None:
        self.keeper.failed("/", RequestError(ErrorCode.DISCONNECTED, "gone"))


@pytest.fixture(params=[InProcess])
def half(request: pytest.FixtureRequest) -> InProcess:
    made: InProcess = request.param()
    return made


def test_a_feed_that_knows_nothing_yet_can_be_shown(half: InProcess) -> None:
    assert half.feed.encoded().startswith(b"{")
    assert half.feed.freshness(time.time()).is_stale
    assert half.feed.as_of is None
    assert not half.feed.is_live


def test_the_name_follows_the_content_and_the_bytes_are_made_once(half: InProcess) -> None:
    before, name = half.feed.encoded(), half.feed.etag
    assert half.feed.encoded() is before
    half.change()
    assert half.feed.encoded() != before
    assert half.feed.etag != name


async def test_every_waiter_hears_of_a_change_and_a_late_one_does_not_wait(half: InProcess) -> None:
    serial, heard = half.feed.serial, 0

    async def wait() -> None:
        nonlocal heard
        await half.feed.wait_change(serial)
        heard += 1

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        assert heard == 0
        half.change()
    assert heard == 50
    with trio.fail_after(5):
        await half.feed.wait_change(serial)


async def test_trouble_is_a_change_although_the_board_is_the_same(half: InProcess) -> None:
    half.change()
    serial, name = half.feed.serial, half.feed.etag
    half.trouble()
    assert half.feed.serial != serial
    assert half.feed.etag == name
    assert half.feed.freshness(time.time()).why
