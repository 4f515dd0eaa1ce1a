"""Durable channels, beginning and ending connections: hellos, lost history, fencing."""

from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from daemons.link.durable import (
    POSITIONS_MAX,
    Keep,
    OutChannel,
)
from protocol.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from protocol.frames import Ack, InPosition, Limits, OutPosition, Skip
from protocol.reliable import ALREADY_DONE, EXPIRED, Bounds
from tests.daemons.link.durable_side import Clock, bodies, message, sending, side


async def test_hello_names_what_is_held_and_what_is_committed(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        await here.attach()
        await here.durable.send_many("event", [("t", 1, b"x")] * 3)
        await here.durable.send_many("command", [("t", 1, b"x")] * 3)
        here.frames("command")
        here.durable.on_ack(Ack("command", 1, 2))
        await here.durable._out.trim()
        here.durable.on_message(message(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.durable.run)
            while not here.acks():
                await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
        out, committed = await here.durable.positions()
    assert out == [OutPosition("event", 1, 1, 4), OutPosition("command", 1, 3, 4)]
    assert committed == [InPosition("in", 9, 1)]


async def test_hello_names_the_newest_epochs_only(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        await here.attach()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.durable.run)
            for epoch in range(1, POSITIONS_MAX + 5):
                here.durable.on_message(message(1, epoch=epoch))
                while not here.acks():
                    await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
        _, committed = await here.durable.positions()
    assert [position.epoch for position in committed] == list(range(5, POSITIONS_MAX + 5))


async def test_lost_history_is_reported_once_and_a_new_epoch_begun(tmp_path: Path) -> None:
    theirs = [InPosition("event", 1, 5), InPosition("event", 77, 3)]
    async with side(tmp_path) as here:
        await here.durable.send("event", "t", 1, b"x")
        report = (await here.attach(theirs))["event"]
        assert report.resumed is not None
        assert [(loss.epoch, loss.next, loss.theirs) for loss in report.resumed.rolled_back] == [
            (77, 0, 3),
            (1, 2, 5),
        ]
        assert await here.durable.send("event", "t", 1, b"y") == (1001, 1)
        report = (await here.attach(theirs))["event"]
        assert report.resumed is not None
        assert report.resumed.rolled_back == []
    async with side(tmp_path, epoch=2) as here:
        report = (await here.attach(theirs))["event"]
        assert report.resumed is not None
        assert report.resumed.rolled_back == []


async def test_peer_that_lost_history_is_reported(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        await here.attach()
        here.durable.on_skip(Skip("in", 9, 1, 8, "overflow"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.durable.run)
            while not here.acks():
                await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
        reports = await here.attach(out=[OutPosition("in", 9, 1, 5), OutPosition("other", 9, 1, 5)])
        assert reports["in"].peer_rolled_back == [(9, 8, 5)]
        assert reports["other"].peer_rolled_back == []


async def test_restored_peer_is_refilled_with_events_and_not_with_commands(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        await here.attach()
        for channel in ("event", "command"):
            await here.durable.send_many(channel, [("t", 1, b"%d" % name) for name in range(5)])
            here.frames(channel)
            here.durable.on_ack(Ack(channel, 1, 5))
        await here.durable._out.trim()
        assert await here.count("link_out_row") == 5
        reports = await here.attach([InPosition("event", 1, 2), InPosition("command", 1, 2)])
        assert reports["event"].resumed is not None
        assert reports["event"].resumed.replayed == 3
        assert reports["command"].resumed is not None
        assert reports["command"].resumed.skipped == [(1, (3, 5, ALREADY_DONE))]
        assert here.frames("command") == [Skip("command", 1, 3, 5, ALREADY_DONE)]
        assert bodies(await sending(here, "event")) == [b"2", b"3", b"4"]


async def test_older_generation_commits_nothing(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        await here.attach()
        ended: list[BaseException] = []

        async def run() -> None:
            try:
                with trio.move_on_after(5):
                    await here.durable.run()
            except* RemoteProtocolError as group:
                ended.extend(group.exceptions)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await wait_all_tasks_blocked()
            await here.attach()  # a newer connection, and the loops of the old one are still there
            here.durable.on_message(message(1, b"late"))
        leaf = ended[0]
        while isinstance(leaf, BaseExceptionGroup):
            leaf = leaf.exceptions[0]
        assert isinstance(leaf, RemoteProtocolError)
        assert leaf.code is CloseCode.SUPERSEDED
        assert await here.names() == []
        with pytest.raises(LocalProtocolError, match="not newer"):
            await here.durable.attach(
                [], [], here.generation, theirs=Limits(), ours=Limits(), wake=lambda _: None
            )


async def test_detach_of_an_older_connection_leaves_the_newer_one_alone(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        await here.attach()
        await here.attach()
        here.durable.detach(1)
        await here.durable.send("event", "t", 1, b"x")
        assert here.woken == ["event"]
        assert bodies(here.frames("event")) == [b"x"]
        states = [here.durable.unacknowledged]
        here.durable.detach(2)
        states.append(here.durable.unacknowledged)
        assert states == [True, False]
        await here.durable.send("event", "t", 1, b"y")
        assert here.frames("event") == []


async def test_unknown_channels_are_protocol_errors(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        await here.attach()
        with pytest.raises(RemoteProtocolError, match="comes this way"):
            here.durable.on_message(message(1, channel="event"))
        with pytest.raises(RemoteProtocolError, match="comes this way"):
            here.durable.on_skip(Skip("nope", 1, 1, 2, "x"))
        with pytest.raises(RemoteProtocolError, match="goes that way"):
            here.durable.on_ack(Ack("in", 1, 1))


async def test_a_skip_alone_is_sent_without_waiting_for_a_message(tmp_path: Path) -> None:
    clock = Clock()
    old = OutChannel("event", Keep(), Bounds(age_s=5.0))
    async with side(tmp_path, out=[old], clock=clock) as here:
        await here.durable.send_many("event", [("t", 1, b"too old")] * 3)
        clock.now += 10
        await here.durable.sweep(clock.now)
        await here.attach()
        assert "event" in here.woken
        assert here.frames("event") == [Skip("event", 1, 1, 3, EXPIRED)]
