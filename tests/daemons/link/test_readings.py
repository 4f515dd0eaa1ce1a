"""What /metrics says of a link, over loopback and several connections."""

import sys
from pathlib import Path
from typing import Any

import apsw
import trio

from daemons.link.inbox import dead_letter_counts
from daemons.link.readings import link_readings, state_readings
from daemons.ops.metrics import Histogram, metrics_text
from protocol.frames import Message
from protocol.linkstatus import Status
from tests.daemons.link.pair import Taken, open_hub, open_site
from tests.daemons.ops.test_metrics import lint


async def _until(condition: Any) -> None:
    with trio.fail_after(10):
        while not condition():
            await trio.sleep(0.005)


def read(peer: Any) -> dict[str, Any]:
    """Return the readings by name, labels without the site behind a slash."""
    return {
        "/".join([reading.name, *(value for key, value in reading.labels if key != "site")]): reading.value
        for reading in link_readings(peer)
    }


class _Picky(Taken):
    def many(self, conn: apsw.Connection, messages: Any) -> None:
        if any(message.body == b"bad" for message in messages):
            raise ValueError("not this one")
        super().many(conn, messages)

    def __call__(self, conn: apsw.Connection, message: Message) -> None:
        self.many(conn, [message])


async def test_counts_go_on_over_connections(tmp_path: Path) -> None:
    async with (
        open_hub(tmp_path / "h", effect=_Picky()) as hub,
        open_site(tmp_path / "s", hub.port) as site,
    ):
        await _until(lambda: site.peer.connection is not None)
        for body in (b"one", b"bad", b"two"):
            await site.peer.durable.send("event", "t", 1, body)
        with trio.fail_after(10):
            await site.peer.durable.drained("event")
        await _until(lambda: site.peer.figures.round_trips.count)
        before = read(site.peer)
        if sys.platform == "linux":
            assert before["link_kernel_queue_bytes"] >= before["link_kernel_unsent_bytes"] >= 0
        site.dialer.reconnect_now()
        await _until(lambda: site.peer.figures.opened == 2 and hub.peer.figures.opened == 2)
        there, here = read(site.peer), read(hub.peer)
        for name in ("link_bytes/in", "link_bytes/out", "link_messages/in", "link_messages/out"):
            assert there[name] > before[name] > 0
        assert there["link_up"] == here["link_up"] == 1
        assert there["link_up_seconds"] > 0 and 0 < there["link_uptime_ratio"] <= 1
        assert there["link_ended/going_away"] == 1
        assert isinstance(there["link_round_trip_seconds"], Histogram)
        assert there["outbox_accepted/event"] == 3
        assert there["outbox_messages/event"] == there["outbox_age_seconds/event"] == 0
        assert (here["inbox_applied/event"], here["inbox_dead/event"]) == (2, 1)
        assert abs(here["link_clock_offset_seconds"]) < 5
        assert await hub.store.read(dead_letter_counts) == {"site": 1}
        lint(metrics_text([*state_readings([Status.READY, Status.LOST]), *link_readings(hub.peer)]))
        lint(metrics_text(link_readings(site.peer)))


async def test_what_is_not_known_has_no_sample(tmp_path: Path) -> None:
    async with open_hub(tmp_path / "h") as hub:
        found = read(hub.peer)
        assert found["link_up"] == found["link_uptime_ratio"] == 0
        assert "link_clock_offset_seconds" not in found
        assert "link_kernel_queue_bytes" not in found
        states = {reading.labels[0][1]: reading.value for reading in state_readings([Status.LOST])}
        assert (states["lost"], states["ready"], len(states)) == (1, 0, len(Status))
