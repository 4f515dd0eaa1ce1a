"""Durable channels, what is kept and for how long."""

from pathlib import Path

import pytest

from daemons.link import inbox, retention
from daemons.link.durable import (
    DurableChannels,
    Keep,
    OutChannel,
)
from daemons.store import fetch
from protocol.frames import Ack, Limits, OutPosition, Skip
from protocol.reliable import EXPIRED, Bounds
from tests.daemons.link.durable_side import DAY_S, Clock, acked, bodies, message, running, sending, side


async def test_kept_events_go_by_age_and_by_bytes(tmp_path: Path) -> None:
    clock = Clock()
    out = [OutChannel("event", Keep(age_s=7 * DAY_S, body_bytes=43))]
    async with side(tmp_path, out=out, clock=clock) as here:
        await here.attach()
        for name in range(10):
            await here.durable.send("event", "t", 1, b"%010d" % name)
            clock.now += DAY_S
        here.frames("event")
        here.durable.on_ack(Ack("event", 1, 9))
        await here.durable._out.trim()
        held = here.durable.statistics()["event"].held
        assert (held.messages, held.kept_messages, held.kept_bytes) == (1, 4, 40)
        clock.now += 3.5 * DAY_S
        await here.durable.sweep(clock.now)
        held = here.durable.statistics()["event"].held
        assert (held.messages, held.kept_messages, held.kept_bytes) == (1, 2, 20)
        assert (await here.durable.positions())[0] == [OutPosition("event", 1, 8, 11)]
    async with side(tmp_path, out=out, clock=clock, epoch=2) as here:
        assert (await here.durable.positions())[0] == [OutPosition("event", 1, 8, 11)]
        report = (await here.attach())["event"]
        assert report.resumed is not None
        assert report.resumed.skipped == [(1, (1, 7, "gone"))]
        assert bodies(await sending(here, "event")) == [b"%010d" % name for name in (7, 8, 9)]


async def test_undelivered_messages_expire(tmp_path: Path) -> None:
    clock = Clock()
    out = [OutChannel("event", Keep(), Bounds(age_s=60.0))]
    async with side(tmp_path, out=out, clock=clock) as here:
        for name in (b"a", b"b", b"c"):
            await here.durable.send("event", "t", 1, name)
            clock.now += 30
        await here.durable.sweep(clock.now)
        assert here.durable.statistics()["event"].held.messages == 2
        clock.now += 1
        await here.durable.sweep(clock.now)
        await here.attach()
        frames = await sending(here, "event")
        assert frames[0] == Skip("event", 1, 1, 2, EXPIRED)
        assert bodies(frames) == [b"c"]


async def test_a_long_outage_expires_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_A_STEP", 10)
    clock = Clock()
    async with side(tmp_path, out=[OutChannel("event", Keep(), Bounds(age_s=60.0))], clock=clock) as here:
        await here.durable.send_many("event", [("t", 1, b"x")] * 95)
        clock.now += 100
        await here.durable.send("event", "t", 1, b"young")
        before = here.store.statistics().commits
        await here.durable.sweep(clock.now)
        assert here.store.statistics().commits - before >= 10
        assert here.durable.statistics()["event"].held.messages == 1
        skips = await here.store.read(
            lambda conn: fetch(conn, "SELECT first, last, reason FROM link_out_skip")
        )
        assert skips == [(1, 95, EXPIRED)]


async def test_positions_are_forgotten_after_400_days_but_for_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "EPOCHS_KEPT", 2)
    monkeypatch.setattr(retention, "EPOCHS_KEPT", 2)
    clock = Clock()
    for epoch in range(1, 5):
        async with side(tmp_path, clock=clock, epoch=epoch) as here, running(here):
            await here.durable.send("command", "t", 1, b"x")
            here.frames("command")
            here.durable.on_message(message(1, epoch=epoch))
            await acked(here)
            await here.durable.send("command", "t", 1, b"y")
            here.frames("command")
            sent = 2 if epoch < 4 else 1
            here.durable.on_ack(Ack("command", epoch, sent))
            await here.durable._out.trim()
    async with side(tmp_path, clock=clock, epoch=9) as here:
        await here.durable.sweep(clock.now + 399 * DAY_S)
        assert len((await here.durable.positions())[1]) == 4
        await here.durable.sweep(clock.now + 401 * DAY_S)
        out, committed = await here.durable.positions()
        assert [position.epoch for position in committed] == [3, 4]
        assert [position.epoch for position in out] == [1, 2, 3, 4], "a sender remembers for twice as long"
        await here.durable.sweep(clock.now + 801 * DAY_S)
        assert [position.epoch for position in (await here.durable.positions())[0]] == [3, 4]


async def test_dead_letters_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "DEAD_MAX", 2)
    async with side(tmp_path) as here, running(here):
        for seq in range(1, 5):
            here.durable.on_message(message(seq, b"bad"))
        while (await acked(here))[-1] != ("in", 9, 4):
            pass
        await here.durable.sweep(here.clock.now)
        assert [letter.seq for letter in await here.durable.dead_letters()] == [3, 4]


async def test_peers_share_a_file_and_nothing_else(tmp_path: Path) -> None:
    async with side(tmp_path) as here:
        other = DurableChannels(
            here.store,
            "another",
            out=[OutChannel("event")],
            inbound={},
            new_epoch=lambda: 5,
            utc_now=here.clock,
        )
        await other.open()
        await here.durable.send("event", "t", 1, b"mine")
        await other.send("event", "t", 1, b"theirs")
        await here.attach()
        await other.attach([], [], 1, theirs=Limits(), ours=Limits(), wake=lambda _: None)
        assert bodies(await sending(here, "event")) == [b"mine"]
        assert (await other.positions())[0] == [OutPosition("event", 5, 1, 2)]
