"""What becomes due while something else is written is sent behind it, although nobody wakes the writer for it."""

from pathlib import Path
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from protocol.topics import Publisher, Subscriber
from tests.daemons.link.pair import open_hub, open_site

TOPIC, INTERVAL_S = "watch", 0.02


class SlowOnce:
    """A transport whose next write takes longer than a first change waits for more."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.was_slow = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def send(self, message: bytes) -> None:
        if not self.was_slow:
            self.was_slow = True
            await trio.sleep(5 * INTERVAL_S)
        await self._transport.send(message)


async def test_a_row_that_became_due_during_a_write_goes_out_behind_it(tmp_path: Path) -> None:
    """It was lost until something else became due: of a site at rest a pause was not seen for half a minute."""
    told, heard = Publisher(TOPIC, 7, INTERVAL_S), Subscriber(TOPIC)

    async def arrived(key: str) -> None:
        with trio.fail_after(10):
            while key not in heard.rows:
                await trio.sleep(0.01)

    async with (
        open_hub(tmp_path / "h", subscribers={TOPIC: heard}) as hub,
        open_site(tmp_path / "s", hub.port, publishers={TOPIC: told}) as site,
    ):
        told.set("first", b"1", trio.current_time())
        await arrived("first")
        await wait_all_tasks_blocked(5 * INTERVAL_S)
        connection = site.peer.connection
        assert connection is not None
        slow = connection.transport = SlowOnce(connection.transport)  # type: ignore[assignment]
        told.set("second", b"2", trio.current_time())
        # What is pushed goes at once; in the same turn the row is asked for, and is not due yet.
        assert site.peer.push("m", {}, b"body")
        await arrived("second")
        assert slow.was_slow
