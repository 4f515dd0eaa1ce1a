"""How the stand-in's port lives: off and on, one at a time, torn down; and what it holds against clients."""

import itertools
import socket
import struct

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chaos.doubles.fpvtrackside import FPVTrackside, Quirks

from .client import EVENT, connect, fetch, read_reply, request_bytes, serving, small_tree, until

EVENT_JSON = f"/{EVENT}/Event.json"


async def test_refused_until_an_event_opens_and_after_it_closes() -> None:
    async with serving(is_open=False) as double:
        with pytest.raises(OSError, match="all attempts to connect"):
            await connect(double)
        port = double.port
        double.open_event()
        await double.wait_listening()
        assert (await fetch(double, "/")).status == 200
        async with await connect(double) as stream:
            await stream.send_all(request_bytes(EVENT_JSON))
            await read_reply(stream)
            double.close_event()
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()
        with pytest.raises(OSError, match="all attempts to connect"):
            await connect(double)
        double.open_event()
        await double.wait_listening()
        assert (await fetch(double, "/")).status == 200
        assert double.port == port


async def test_closed_and_opened_in_the_same_moment() -> None:
    async with serving(is_open=False) as double:
        for _ in range(3):
            double.open_event()
            double.close_event()
        double.open_event()
        await double.wait_listening()
        assert (await fetch(double, "/")).status == 200


async def test_listens_without_an_event_when_switched() -> None:
    async with serving(quirks=Quirks(off_until_event=False), is_open=False) as double:
        assert b'new EventManager("", ' in (await fetch(double, "/")).body


async def test_serves_again_after_it_was_stopped() -> None:
    double = FPVTrackside(small_tree())
    double.open_event()
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            await nursery.start(double.serve)
            assert (await fetch(double, "/")).status == 200
            nursery.cancel_scope.cancel()


async def test_head_with_a_body_tears_everything_down() -> None:
    async with serving() as double:
        bystander = await connect(double)
        await bystander.send_all(request_bytes(EVENT_JSON))
        await read_reply(bystander)
        with pytest.raises(trio.BrokenResourceError):
            await fetch(double, EVENT_JSON, "HEAD")
        with pytest.raises(trio.BrokenResourceError):
            await bystander.receive_some()
        await bystander.aclose()
        await double.wait_listening()
        assert (await fetch(double, EVENT_JSON)).status == 200
        assert double.manners().torn_down == 1
        with pytest.raises(AssertionError, match="none but GET, but there was HEAD"):
            double.assert_well_mannered()


async def test_client_that_hangs_up_takes_the_others_with_it() -> None:
    async with serving() as double:
        double.freeze()
        queued = await connect(double)
        impatient = await connect(double)
        await impatient.send_all(request_bytes(EVENT_JSON))
        await until(lambda: len(double.visits) == 1)
        await queued.send_all(request_bytes(EVENT_JSON))
        await until(lambda: len(double.visits) == 2)
        await impatient.aclose()
        await wait_all_tasks_blocked(0.01)
        double.thaw()
        with pytest.raises(trio.BrokenResourceError):
            await read_reply(queued)
        await queued.aclose()
        manners = double.manners()
        assert (manners.aborted, manners.torn_down, manners.max_in_flight) == (1, 1, 2)
        with pytest.raises(AssertionError, match=r"one request in flight, but there were 2; none aborted"):
            double.assert_well_mannered()


async def test_excused_abort() -> None:
    async with serving(quirks=Quirks(abort_tears_down=False)) as double:
        double.freeze()
        impatient = await connect(double)
        await impatient.send_all(request_bytes(EVENT_JSON))
        await until(lambda: len(double.visits) == 1)
        await impatient.aclose()
        await wait_all_tasks_blocked(0.01)
        double.thaw()
        assert (await fetch(double, EVENT_JSON)).status == 200
        double.assert_well_mannered(aborts=1)
        with pytest.raises(AssertionError, match="none aborted"):
            double.assert_well_mannered()
        assert double.manners().torn_down == 0


async def test_answer_that_is_not_read_to_its_end_is_an_abort() -> None:
    async with serving() as double:
        for headers in ([], ["Connection: close"]):
            stream = await connect(double)
            await stream.send_all(request_bytes(EVENT_JSON, "GET", "localhost", *headers))
            await stream.receive_some(10)
            await stream.aclose()
        await until(lambda: double.manners().aborted == 2)


async def test_two_at_once_are_seen_and_answered_in_turn() -> None:
    async with serving(quirks=Quirks(answer_delay_s=0.02)) as double:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(fetch, double, EVENT_JSON)
        assert double.manners().max_in_flight == 3
        done = [visit.done_at_s or 0 for visit in double.visits]
        assert all(later - earlier > 0.015 for earlier, later in itertools.pairwise(done))


async def test_pipelined_requests_are_two_at_once() -> None:
    async with serving() as double, await connect(double) as stream:
        await stream.send_all(request_bytes(EVENT_JSON) * 2)
        data = b""
        with trio.fail_after(5):
            while data.count(b'[{"Name": "Day"}]') < 2:
                data += await stream.receive_some()
        assert len(double.visits) == 2


async def test_many_polite_requests_are_never_two_at_once() -> None:
    async with serving(quirks=Quirks(part_bytes=64)) as double:
        async with await connect(double) as stream:
            for _ in range(200):
                await stream.send_all(request_bytes(EVENT_JSON))
                await read_reply(stream)
        for _ in range(50):
            await fetch(double, EVENT_JSON)
        double.assert_well_mannered(in_10_s=None)
        with pytest.raises(AssertionError, match="at most 40 requests in any 10 s, but there were 250"):
            double.assert_well_mannered()


async def test_rate_over_any_ten_seconds(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(quirks=Quirks(one_at_a_time=False)) as double:
        await trio.sleep(3)
        for _ in range(60):
            await fetch(double, EVENT_JSON)
            await trio.sleep(0.25)
        double.assert_well_mannered(in_10_s=40)
        double.live_race = "a"
        with pytest.raises(AssertionError, match="without a live race"):
            double.assert_well_mannered(in_10_s_idle=39)
        for _ in range(60):
            await fetch(double, EVENT_JSON)
            await trio.sleep(0.2)
        assert double.manners().max_in_10_s == 50
        assert double.manners().max_in_10_s_idle == 40


async def test_torn_reads(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(quirks=Quirks(torn_write_s=2.0)) as double, trio.open_nursery() as nursery:

        async def write() -> None:
            await double.tree.write(EVENT_JSON, b"0123456789", torn_s=2.0, occasion="edit")

        nursery.start_soon(write)
        await trio.sleep(0.5)
        assert (await fetch(double, EVENT_JSON)).body == b""
        await trio.sleep(1.0)
        assert (await fetch(double, EVENT_JSON)).body == b"01234"
        await trio.sleep(1.0)
        assert (await fetch(double, EVENT_JSON)).body == b"0123456789"
        assert [(write.path, write.occasion) for write in double.writes] == [(EVENT_JSON[1:], "edit")]
        double.tree.tear(EVENT_JSON, 3)
        assert (await fetch(double, EVENT_JSON)).body == b"012"


async def test_cancelled_write_is_whole() -> None:
    tree = small_tree()
    with trio.move_on_after(0):
        await tree.write(EVENT_JSON, b"[]", torn_s=2.0)
    assert tree.read(EVENT_JSON) == b"[]"
    assert not tree.is_being_written(EVENT_JSON)


async def test_reading_a_file_under_write_tears_down_when_switched() -> None:
    async with serving(quirks=Quirks(sharing_violation=True)) as double, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: double.tree.write(EVENT_JSON, b"[]", torn_s=60.0))
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BrokenResourceError):
            await fetch(double, EVENT_JSON)
        nursery.cancel_scope.cancel()
    assert double.manners().torn_down == 1


async def test_slow_body_comes_in_parts(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(quirks=Quirks(part_bytes=100, part_delay_s=10.0)) as double:
        began = trio.current_time()
        assert (await fetch(double, "/")).status == 200
        assert trio.current_time() - began > 50


async def test_abort_in_mid_body(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(quirks=Quirks(part_bytes=100, part_delay_s=1.0)) as double:
        stream = await connect(double)
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.send_all(request_bytes("/"))
        await stream.receive_some()
        await stream.aclose()
        await trio.sleep(5)
        manners = double.manners()
        assert (manners.aborted, manners.torn_down) == (1, 1)
        assert (await fetch(double, EVENT_JSON)).status == 200


async def test_idle_connection_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as double, await connect(double) as stream:
        await stream.send_all(request_bytes(EVENT_JSON))
        await read_reply(stream)
        began = trio.current_time()
        assert await stream.receive_some() == b""
        assert trio.current_time() - began == pytest.approx(120)
        double.assert_well_mannered()


async def test_request_leaves_the_book_before_its_last_byte_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a client that answers the last byte with its next request would be seen as two at once."""
    in_flight: list[int] = []
    send_all = trio.SocketStream.send_all

    async def spy(stream: trio.SocketStream, data: bytes) -> None:
        if double.visits:
            in_flight.append(sum(visit.is_in_flight for visit in double.visits))
        await send_all(stream, data)

    monkeypatch.setattr(trio.SocketStream, "send_all", spy)
    async with serving(quirks=Quirks(part_bytes=100)) as double:
        await fetch(double, EVENT_JSON)
    assert len(in_flight) > 1
    assert in_flight == [1] * (len(in_flight) - 1) + [0]
