"""The front's stream keeps trio's promises of a Stream, and its own: deadlines, death after a torn write."""

import pytest
import trio
import trio.testing

from daemons.web.streams import PIECE_BYTES, FrontStream


async def test_it_is_a_stream_by_trios_own_suite() -> None:
    async def pair() -> tuple[FrontStream, FrontStream]:
        one, other = trio.testing.memory_stream_pair()
        return FrontStream(one, 60), FrontStream(other, 60)

    async def clogged() -> tuple[FrontStream, FrontStream]:
        one, other = trio.testing.lockstep_stream_pair()
        return FrontStream(one, 60), FrontStream(other, 60)

    await trio.testing.check_two_way_stream(pair, clogged)


async def test_replay_comes_first_in_any_portions() -> None:
    one, other = trio.testing.memory_stream_pair()
    stream = FrontStream(one, 60)
    await other.send_all(b"new")
    stream.replay(b"read before ")
    assert await stream.receive_some(4) == b"read"
    assert await stream.receive_some() == b" before "
    assert await stream.receive_some() == b"new"


async def test_the_deadline_is_for_a_piece(autojump_clock: trio.testing.MockClock) -> None:
    one, other = trio.testing.lockstep_stream_pair()
    stream = FrontStream(one, 10)
    async with trio.open_nursery() as nursery:

        async def read_slowly() -> None:
            for _ in range(4):
                await trio.sleep(9)
                await other.receive_some(PIECE_BYTES)

        nursery.start_soon(read_slowly)
        await stream.send_all(bytes(4 * PIECE_BYTES))
        assert trio.current_time() == pytest.approx(36, abs=1)
        with pytest.raises(trio.BrokenResourceError, match="less than 32768 bytes in 10 s"):
            await stream.send_all(b"x")
    assert stream.timed_out
    with pytest.raises(trio.BrokenResourceError, match="torn"):
        await stream.send_all(b"x")


async def test_a_cancelled_send_leaves_no_open_connection() -> None:
    one, _other = trio.testing.lockstep_stream_pair()
    stream = FrontStream(one, 10)
    with trio.move_on_after(0.01):
        await stream.send_all(b"half of something")
    with pytest.raises(trio.BrokenResourceError, match="torn"):
        await stream.send_all(b"the other half")
