"""Durable channels, incoming: effects, dead letters, acknowledgements."""

from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest
import trio

from daemons.link.durable import (
    DurableChannels,
)
from daemons.store import StorageError, fetch
from protocol.frames import Message, Skip
from tests.daemons.link.durable_side import (
    acked,
    bodies,
    insert,
    message,
    running,
    side,
)


async def test_message_that_cannot_be_applied_is_kept_and_the_channel_goes_on(tmp_path: Path) -> None:
    async with side(tmp_path) as here, running(here):
        for seq, body in enumerate([b"a", b"bad", b"c"], 1):
            here.durable.on_message(message(seq, body))
        while (await acked(here))[-1] != ("in", 9, 3):
            pass
        assert await here.names() == ["a", "c"]
        (letter,) = await here.durable.dead_letters()
        assert letter.message == message(2, b"bad")
        assert letter.error == "ValueError: this one is bad"
        assert letter.at == here.clock.now


async def test_dead_letter_is_applied_as_what_it_is_rewritten_to_or_dropped(tmp_path: Path) -> None:
    async with side(tmp_path) as here, running(here):
        for seq in (1, 2):
            here.durable.on_message(message(seq, b"bad"))
        await acked(here)
        while len(letters := await here.durable.dead_letters()) < 2:
            await trio.sleep(0.001)
        with pytest.raises(ValueError, match="bad"):
            await here.durable.requeue(letters[0].id, lambda dead: dead)
        assert len(await here.durable.dead_letters()) == 2
        assert await here.durable.requeue(letters[0].id, lambda dead: message(dead.seq, b"mended"))
        assert await here.durable.drop_dead_letter(letters[1].id)
        assert not await here.durable.requeue(letters[0].id, lambda dead: dead)
        assert not await here.durable.drop_dead_letter(letters[1].id)
        assert await here.names() == ["mended"]
        assert await here.durable.dead_letters() == []


class Batch:
    """An effect with the fast form."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, conn: apsw.Connection, one: Message, /) -> None:
        self.calls.append(1)
        insert(conn, one)

    def many(self, conn: apsw.Connection, messages: Sequence[Message]) -> None:
        self.calls.append(len(messages))
        for one in messages:
            insert(conn, one)


async def test_fast_form_is_used_and_undone_when_one_is_bad(tmp_path: Path) -> None:
    effect = Batch()
    async with side(tmp_path, effect=effect) as here, running(here):
        for seq in (1, 2, 3):
            here.durable.on_message(message(seq, b"%d" % seq))
        await acked(here)
        assert effect.calls == [3]
        for seq, body in ((4, b"4"), (5, b"bad"), (6, b"6")):
            here.durable.on_message(message(seq, body))
        await acked(here)
        assert effect.calls == [3, 3, 1, 1, 1]
        assert await here.names() == ["1", "2", "3", "4", "6"]


async def test_effect_mark_and_answer_are_one_transaction(tmp_path: Path) -> None:
    channels: list[DurableChannels] = []

    def answer(conn: apsw.Connection, one: Message) -> None:
        channels[0].append_in(conn, "event", "done", 1, one.body)
        insert(conn, one)

    async with side(tmp_path, effect=answer) as here, running(here):
        channels.append(here.durable)
        here.durable.on_message(message(1, b"bad"))
        here.durable.on_message(message(2, b"good"))
        await acked(here)
        assert bodies(here.frames("event")) == [b"good"]
        assert here.durable.statistics()["event"].held.messages == 1


async def test_failing_disk_ends_the_connection_without_an_acknowledgement(tmp_path: Path) -> None:
    def fail(conn: apsw.Connection, one: Message) -> None:
        raise apsw.IOError("disk I/O error")

    async with side(tmp_path, effect=fail) as here:
        await here.attach()
        here.durable.on_message(message(1))
        with pytest.raises(ExceptionGroup) as caught, trio.fail_after(5):
            await here.durable.run()
        assert caught.group_contains(StorageError, match="check the disk")
        assert here.acks() == []
        assert await here.durable.dead_letters() == []
        assert (await here.durable.positions())[1] == []


async def test_full_disk_makes_a_message_late_and_the_connection_stays(tmp_path: Path) -> None:
    failures = 0

    def fail(conn: apsw.Connection, one: Message) -> None:
        nonlocal failures
        if failures < 2:
            failures += 1
            raise apsw.FullError("no room")
        insert(conn, one)

    async with side(tmp_path, effect=fail) as here, running(here):
        here.durable.on_message(message(1, b"late"))
        while failures < 2:
            assert here.acks() == []
            await trio.sleep(0.01)
        assert await acked(here) == [("in", 9, 1)]
        assert await here.names() == ["late"]
        assert await here.durable.dead_letters() == []


async def test_acknowledgements_go_at_idle_and_at_most_50_ms_late(tmp_path: Path) -> None:
    go, token = trio.Event(), trio.lowlevel.current_trio_token()
    begun: list[int] = []

    def slow(conn: apsw.Connection, one: Message) -> None:
        begun.append(one.seq)
        if one.seq == 2:
            trio.from_thread.run(go.wait, trio_token=token)

    async with side(tmp_path, effect=slow) as here, running(here):
        here.durable.on_message(message(1))
        while begun != [1]:
            await trio.lowlevel.checkpoint()
        here.durable.on_message(message(2))
        started = trio.current_time()
        try:
            with trio.fail_after(5):
                while None not in here.woken:
                    await trio.sleep(0.001)
            assert trio.current_time() - started < 1.0
            assert here.acks() == [("in", 9, 1)], "the first, while the second is being committed"
        finally:
            go.set()
        assert await acked(here) == [("in", 9, 2)]


async def test_skips_are_committed_and_written_down(tmp_path: Path) -> None:
    async with side(tmp_path) as here, running(here):
        here.durable.on_skip(Skip("in", 9, 1, 4, "overflow"))
        here.durable.on_message(message(5, b"e"))
        while (await acked(here))[-1] != ("in", 9, 5):
            pass
        rows = await here.store.read(
            lambda conn: fetch(conn, "SELECT channel, epoch, first, last, reason, at FROM link_in_skip")
        )
        assert rows == [("in", 9, 1, 4, "overflow", here.clock.now)]
        assert await here.names() == ["e"]
        here.durable.on_skip(Skip("in", 9, 2, 3, "overflow"))
        assert await acked(here) == [("in", 9, 5)], "what came before is acknowledged again"
