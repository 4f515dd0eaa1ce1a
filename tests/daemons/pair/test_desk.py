"""The desk shows how often a command was sent, when its fate is not known, and what may be asked for again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from daemons.link import schema
from daemons.link.durable import DurableChannels
from daemons.link.outbox import OutChannel
from daemons.ops.environment import Environment
from daemons.pair import desk
from daemons.pair.desk import ATTEMPTS_LATE_S, CommandDesk
from daemons.store import Store, open_store
from protocol.frames import Limits, Message
from protocol.messages import Command, Pause, Result, ResultStatus, decode_body, encode_body

NOW = 1_760_000_000.0


@define(eq=False)
class Hub:
    """A desk without a site: what would go to one is taken by hand."""

    store: Store
    commands: CommandDesk
    durable: DurableChannels
    seq: int = 0
    generation: int = field(default=0)

    async def connect(self) -> bytes | None:
        """Begin a connection to a site that has nothing yet; return what is sent at once."""
        self.generation += 1

        await self.durable.attach(
            [], [], self.generation, theirs=Limits(), ours=Limits(), wake=lambda channel: None
        )
        async with (
            trio.open_nursery() as nursery
        ):  # what was accepted without a connection is read from the disk
            nursery.start_soon(self.durable.run)
            await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        return self.durable.pull("command", 0.0, 65536)

    async def result(self, id_: str, status: ResultStatus) -> None:
        self.seq += 1
        body = encode_body(Result(id_, status, "so it is", NOW))
        message = Message("result", 1, self.seq, *body)
        await self.store.transact(lambda conn: self.commands.effect(conn, message))

    async def status(self, id_: str) -> str:
        found = await self.commands.find(id_)
        assert found is not None
        return str(found["status"])


@asynccontextmanager
async def open_hub(folder: Path) -> AsyncIterator[Hub]:
    environment = Environment(utc_now=lambda: NOW + trio.current_time())
    migrations = (*schema.MIGRATIONS, *desk.MIGRATIONS)
    async with open_store(folder / "hub.db", migrations=migrations, inline=True) as store:
        durable = DurableChannels(
            store, "field", out=[OutChannel("command")], inbound={}, new_epoch=environment.new_epoch,
            utc_now=environment.utc_now,
        )  # fmt: skip
        await durable.open()
        yield Hub(store, CommandDesk(store, durable, "field", environment), durable)


async def test_every_attempt_to_deliver_is_shown_and_after_three_nobody_knows(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_hub(tmp_path) as hub, trio.open_nursery() as nursery:
        nursery.start_soon(hub.commands.run)
        id_ = await hub.commands.issue(Pause(), "ann", 3600.0)
        assert (await hub.commands.listed())[0]["attempts"] == []
        for attempt in range(1, 4):
            assert await hub.status(id_) == "QUEUED"
            assert await hub.connect()
            found = await hub.commands.find(id_)
            assert found is not None and len(found["attempts"]) == attempt
        assert await hub.status(id_) == "UNKNOWN"
        await trio.sleep(2 * ATTEMPTS_LATE_S)
        nursery.cancel_scope.cancel()

    async with open_hub(tmp_path) as hub:  # after a restart they are shown all the same
        found = await hub.commands.find(id_)
        assert found is not None and len(found["attempts"]) == 3
        assert found["status"] == "UNKNOWN"
        await hub.commands.revoke(id_)
        assert (await hub.commands.listed())[0]["withdrawn"]


async def test_what_failed_is_asked_for_again_under_a_new_id_or_dropped(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_hub(tmp_path) as hub:
        failed, expired, done, withdrawn = [
            await hub.commands.issue(Pause(), "ann", 30.0, against=against) for against in range(4)
        ]
        await hub.commands.revoke(withdrawn)
        for id_, status in (
            (failed, ResultStatus.FAILED),
            (expired, ResultStatus.EXPIRED),
            (done, ResultStatus.DONE),
            (withdrawn, ResultStatus.FAILED),
        ):
            await hub.result(id_, status)
        assert {one["id"] for one in await hub.commands.dead()} == {failed, expired}

        again = await hub.commands.issue(Pause(), "bo", 30.0, replaces=failed)
        with pytest.raises(KeyError):
            await hub.commands.issue(Pause(), "bo", 30.0, replaces=failed)
        assert await hub.commands.drop(expired)
        assert not await hub.commands.drop(expired)

        assert await hub.commands.dead() == []
        listed = {one["id"]: one for one in await hub.commands.listed()}
        assert listed[again]["replaces"] == failed
        assert listed[failed]["replaced_by"] == again
        assert [listed[id_]["against"] for id_ in (failed, expired, done)] == [0, 1, 2]


def test_a_command_carries_the_version_it_was_decided_on() -> None:
    command = Command("0" * 8 + "-0000" * 3 + "-" + "0" * 12, "ann", NOW, 7, Pause())

    assert decode_body(*encode_body(command)) == command


async def test_commands_are_kept_for_as_long_as_is_wished(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_hub(tmp_path) as hub:
        short = await hub.commands.issue(Pause(), "user ann", 60.0)
        long = await hub.commands.issue(Pause(), "user ann", 30 * 86_400.0)
        await hub.result(short, ResultStatus.FAILED)
        await trio.sleep(3600)
        await hub.commands.sweep(7200.0)
        assert [row["id"] for row in await hub.commands.listed()] == [long, short]
        await trio.sleep(7200)
        await hub.commands.sweep(7200.0)
        assert [row["id"] for row in await hub.commands.listed()] == [long], "it may still be asked for"
        assert await hub.commands.dead() == []
