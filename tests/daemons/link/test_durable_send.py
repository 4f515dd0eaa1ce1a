"""Durable channels, outgoing: accepted, bounded, sent after whatever happened."""

from pathlib import Path

import apsw
import pytest
import trio

from daemons.link import outgoing
from daemons.link.durable import (
    Keep,
    OutboxFull,
    OutChannel,
)
from protocol.errors import LocalProtocolError
from protocol.frames import FRAME_BYTES_MAX, Ack, Message, Skip
from protocol.reliable import OVERFLOW, Bounds, Full
from tests.daemons.link.durable_side import Clock, bodies, sending, side


async def test_message_is_durable_when_send_returns_and_sent_after_a_restart(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        assert await here.durable.send("event", "t", 1, b"one") == (1, 1)
        assert await here.durable.send_many("event", [("t", 1, b"two"), ("t", 2, b"three")]) == (1, 2)
    async with side(tmp_path, epoch=2) as here:
        await here.durable.send("event", "t", 1, b"four")
        await here.attach()
        frames = await sending(here, "event")
    assert bodies(frames) == [b"one", b"two", b"three", b"four"]
    assert [(frame.epoch, frame.seq) for frame in frames if isinstance(frame, Message)] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
    ]
    assert isinstance(frames[2], Message)
    assert (frames[2].type, frames[2].version) == ("t", 2)


async def test_many_senders_share_commits_and_keep_their_numbers(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        await here.attach()
        places: dict[bytes, tuple[int, int]] = {}

        async def send(body: bytes) -> None:
            places[body] = await here.durable.send("event", "t", 1, body)

        before = here.store.statistics().commits
        async with trio.open_nursery() as nursery:
            for name in range(300):
                nursery.start_soon(send, str(name).encode())
        assert here.store.statistics().commits - before <= 10
        assert here.woken.count("event") >= 1
        frames = here.frames("event")
        assert {frame.body: (1, frame.seq) for frame in frames if isinstance(frame, Message)} == places


async def test_message_that_fits_no_frame_is_refused_and_takes_no_number(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        with pytest.raises(LocalProtocolError, match="at most"):
            await here.durable.send("event", "t", 1, b"x" * FRAME_BYTES_MAX)

        def work(conn: apsw.Connection) -> tuple[int, int]:
            with pytest.raises(LocalProtocolError):
                here.durable.append_in(conn, "event", "t", 1, b"x" * FRAME_BYTES_MAX)
            return here.durable.append_in(conn, "event", "t", 1, b"y" * (FRAME_BYTES_MAX - 600))

        assert await here.store.transact(work) == (1, 1)
        assert here.durable.statistics()["event"].held.messages == 1


async def test_message_of_an_undone_transaction_was_never_accepted(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        await here.attach()

        def work(conn: apsw.Connection) -> None:
            here.durable.append_in(conn, "event", "t", 1, b"undone")
            raise KeyError

        with pytest.raises(KeyError):
            await here.store.transact(work)
        assert await here.durable.send("event", "t", 1, b"kept") == (1, 1)
        assert bodies(here.frames("event")) == [b"kept"]
        assert here.durable.statistics()["event"].held.messages == 1


async def test_full_outbox_refuses_until_acknowledged(tmp_path: Path) -> None:
    out = [OutChannel("command", None, Bounds(messages=2))]
    async with side(tmp_path, out=out) as here:
        await here.attach()
        await here.durable.send_many("command", [("t", 1, b"a"), ("t", 1, b"b")])
        with pytest.raises(OutboxFull, match="2 messages"):
            await here.durable.send("command", "t", 1, b"c")
        assert len(here.frames("command")) >= 1
        here.durable.on_ack(Ack("command", 1, 1))
        assert await here.durable.send("command", "t", 1, b"c") == (1, 3), (
            "no wait for the acknowledgement's own commit"
        )
        assert here.durable.statistics()["command"].held.messages == 2


async def test_one_caller_is_refused_without_the_others(tmp_path: Path) -> None:
    out = [OutChannel("command", None, Bounds(messages=5))]
    results: list[str] = []
    async with side(tmp_path, out=out) as here:

        async def send(count: int) -> None:
            try:
                await here.durable.send_many("command", [("t", 1, b"x")] * count)
                results.append(f"{count} sent")
            except OutboxFull:
                results.append(f"{count} refused")

        async with trio.open_nursery() as nursery:
            for count in (2, 9, 2):
                nursery.start_soon(send, count)
    assert sorted(results) == ["2 sent", "2 sent", "9 refused"]


@pytest.mark.parametrize(
    "bounds", [Bounds(messages=4, full=Full.DROP_OLDEST), Bounds(body_bytes=8, full=Full.DROP_OLDEST)]
)
async def test_oldest_are_dropped_into_a_skip_and_the_bound_is_exact(tmp_path: Path, bounds: Bounds) -> None:
    async with side(tmp_path, out=[OutChannel("event", Keep(), bounds)]) as here:
        for name in range(10):
            await here.durable.send("event", "t", 1, b"%02d" % name)
            assert here.durable.statistics()["event"].held.messages <= 4
            assert await here.count("link_out_row") <= 4
        held = here.durable.statistics()["event"].held
        assert (held.messages, held.body_bytes, held.dropped) == (4, 8, 6)
    async with side(tmp_path, out=[OutChannel("event", Keep(), bounds)], epoch=2) as here:
        await here.attach()
        frames = await sending(here, "event")
        assert frames[0] == Skip("event", 1, 1, 6, OVERFLOW)
        assert bodies(frames) == [b"06", b"07", b"08", b"09"]


async def test_what_is_on_its_way_is_not_dropped(tmp_path: Path) -> None:
    bounds = Bounds(messages=6, full=Full.DROP_OLDEST)
    async with side(tmp_path, out=[OutChannel("event", Keep(), bounds)]) as here:
        await here.attach()
        await here.durable.send_many("event", [("t", 1, b"%d" % name) for name in range(6)])
        assert bodies(here.frames("event")) == [b"0", b"1", b"2"]
        await here.durable.send_many("event", [("t", 1, b"%d" % name) for name in range(6, 9)])
        assert here.durable.statistics()["event"].held.messages == 6
        here.durable.on_ack(Ack("event", 1, 3))
        await here.durable.send("event", "t", 1, b"9")
        assert here.durable.statistics()["event"].held.dropped == 3, "acknowledged ones no longer count"
        frames = here.frames("event") + await sending(here, "event")
        assert frames[0] == Skip("event", 1, 4, 6, OVERFLOW)
        assert bodies(frames) == [b"6", b"7", b"8", b"9"]


async def test_backlog_is_read_in_pieces_and_drained(tmp_path: Path) -> None:
    out = [OutChannel("event", Keep(), Bounds(messages=100_000))]
    count = 20_000
    async with side(tmp_path, out=out) as here:
        for first in range(0, count, 5000):
            await here.durable.send_many(
                "event", [("t", 1, b"%d" % name) for name in range(first, first + 5000)]
            )
        await here.attach()
        sender = here.durable._out.outboxes["event"].sender
        seen: list[bytes] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.durable.run)
            with trio.fail_after(30):
                while len(seen) < count:
                    frames = here.frames("event")
                    seen += bodies(frames)
                    assert sender.flight_messages + len(sender._ready) <= 1024 + 512 + 1024
                    if frames:
                        here.durable.on_ack(Ack("event", 1, len(seen)))
                    await trio.sleep(0.001)
                await here.durable.drained("event")
            await here.durable._out.trim()
            nursery.cancel_scope.cancel()
        assert seen == [b"%d" % name for name in range(count)]
        held = here.durable.statistics()["event"].held
        assert (held.messages, held.kept_messages, held.oldest_at) == (0, count, None)


@pytest.mark.parametrize(("late_s", "acknowledged"), [(3600.0, outgoing.TRIM_MESSAGES), (0.01, 100)])
async def test_what_is_acknowledged_is_noted_after_a_while_and_at_once_when_it_is_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late_s: float, acknowledged: int
) -> None:
    monkeypatch.setattr(outgoing, "TRIM_LATE_S", late_s)
    async with side(tmp_path) as here, trio.open_nursery() as nursery:
        await here.attach()
        nursery.start_soon(here.durable.run)
        await here.durable.send_many("event", [("t", 1, b"x")] * 1000)
        assert len(here.frames("event")) == 1000
        here.durable.on_ack(Ack("event", 1, acknowledged))
        with trio.fail_after(60):
            while here.durable.statistics()["event"].held.messages != 1000 - acknowledged:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


async def test_oldest_age_is_that_of_what_waits(tmp_path: Path) -> None:
    clock = Clock()
    async with side(tmp_path, clock=clock) as here:
        await here.attach()
        for name in (b"a", b"b"):
            await here.durable.send("event", "t", 1, name)
            clock.now += 10
        assert here.durable.statistics()["event"].held.oldest_at == clock.now - 20
        here.frames("event")
        here.durable.on_ack(Ack("event", 1, 1))
        await here.durable._out.trim()
        assert here.durable.statistics()["event"].held.oldest_at == clock.now - 10
    async with side(tmp_path, clock=clock, epoch=2) as here:
        assert here.durable.statistics()["event"].held.oldest_at == clock.now - 10
