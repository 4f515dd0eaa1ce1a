"""What a daemon says of its links without being asked: dead letters, clocks, outboxes, history."""

from pathlib import Path
from typing import Any

import apsw
import trio
from attrs import evolve

from daemons.link.looks import DEAD_S, LinkLooks
from daemons.ops.environment import Environment
from daemons.ops.health import Health
from protocol.frames import Message
from tests.daemons.link.pair import open_hub, open_site


def _refuse(conn: apsw.Connection, message: Message) -> None:
    raise ValueError("not this one")


async def _until(condition: Any) -> None:
    with trio.fail_after(10):
        while not condition():
            await trio.sleep(0.005)


async def test_dead_letters_and_clocks_are_told_and_taken_back(tmp_path: Path) -> None:
    late = Environment()
    late = evolve(late, utc_now=lambda: Environment().utc_now() - 3600)
    async with (
        open_hub(tmp_path / "h", effect=_refuse) as hub,
        open_site(tmp_path / "s", hub.port, environment=late) as site,
    ):
        health = Health(hub.peer.environment.utc_now)
        looks = LinkLooks(hub.store, health, lambda: [hub.peer])
        await looks.look()
        assert health.warnings == []
        await site.peer.durable.send("event", "t", 1, b"x")
        with trio.fail_after(10):
            await site.peer.durable.drained("event")
        await _until(lambda: hub.peer.connection is not None)
        looks._counted_at -= DEAD_S
        await looks.look()
        words = {warning.name: warning.words for warning in health.warnings}
        assert "field by -3600 s" in words["clocks-differ"]
        assert "1 of site" in words["dead-letters"]
        (letter,) = await hub.peer.durable.dead_letters()
        await hub.peer.durable.drop_dead_letter(letter.id)
        looks._counted_at -= DEAD_S
        await looks.look()
        assert {warning.name for warning in health.warnings} == {"clocks-differ"}


async def test_a_full_outbox_and_lost_history_are_told(tmp_path: Path) -> None:
    async with open_hub(tmp_path / "h") as hub:
        health = Health(hub.peer.environment.utc_now)
        looks = LinkLooks(hub.store, health, lambda: [hub.peer])
        for _ in range(10):
            await hub.peer.durable.send_many("command", [("t", 1, b"x")] * 500)
        await looks.look()
        hub.peer.durable.figures.replayed["command"] = 7
        hub.peer.durable.figures.lost_theirs["command"] = 1
        await looks.look()
        words = {warning.name: warning.words for warning in health.warnings}
        assert "command of field is 50% full" in words["outboxes"]
        assert "7 messages were sent again" in words["history"]
