"""Commands that come too fast are refused by type, and none of them is queued."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from daemons.link import schema
from daemons.link.durable import DurableChannels
from daemons.link.outbox import OutChannel
from daemons.ops.environment import Environment
from daemons.pair import desk
from daemons.pair.desk import CommandDesk, TooManyCommands
from daemons.store import open_store
from protocol.errors import ErrorCode
from protocol.messages import Pause, Purge


async def test_commands_are_limited_by_type(tmp_path: Path, autojump_clock: MockClock) -> None:
    environment = Environment()
    migrations = (*schema.MIGRATIONS, *desk.MIGRATIONS)
    async with open_store(tmp_path / "hub.db", migrations=migrations, inline=True) as store:
        durable = DurableChannels(
            store, "field", out=[OutChannel("command")], inbound={}, new_epoch=environment.new_epoch,
            utc_now=environment.utc_now,
        )  # fmt: skip
        await durable.open()
        commands = CommandDesk(store, durable, "field", environment, rates=lambda: {"purge": 0.2})
        for _ in range(2):
            await commands.issue(Purge("/events"), "ann")
        with pytest.raises(TooManyCommands, match="too many commands 'purge'") as caught:
            await commands.issue(Purge("/events"), "ann")
        assert (caught.value.code, caught.value.retry_after_s) == (ErrorCode.BUSY, pytest.approx(5.0))
        for _ in range(20):
            await commands.issue(Pause(), "ann")
        assert len(await commands.listed()) == 22
        await trio.sleep(5)
        await commands.issue(Purge("/events"), "ann")
        assert commands.limited == 1
