"""What was promised and what came, as both ends tell it."""

from pathlib import Path

import pytest

from daemons.ops.client import ADMIN_SOCKET, AdminClient, AdminError
from protocol.messages import OriginLost, encode_body
from tests.whole.stage import SITE, open_stage


async def test_both_ends_ledgers_agree_and_tell_effects_and_dead_letters_apart(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        await stage.connected()
        pits = AdminClient(tmp_path / "pits" / ADMIN_SOCKET)
        cloud = AdminClient(tmp_path / "cloud" / ADMIN_SOCKET)
        before = (await cloud.act("ledger", site=SITE))["effects"]["event"]
        durable = stage.pits.peer.durable
        for number in range(3):
            await durable.send("event", *encode_body(OriginLost(float(number), "gone")))
        await durable.send("event", "race.none", 1, b"\xff")
        await durable.drained("event")
        promised = (await pits.act("ledger"))["out"]["event"][-1]
        told = await cloud.act("ledger", site=SITE)
        came = {row["epoch"]: row for row in told["in"]["event"]}[promised["epoch"]]
        assert promised["last"] == promised["acked"] == came["committed"] >= 4
        assert (came["dead"], came["skipped"]) == (1, 0)
        assert told["effects"]["event"] == came["committed"] - 1
        assert told["effects"]["event"] >= before + 3
        with pytest.raises(AdminError, match="no site 'x'"):
            await cloud.act("ledger", site="x")


async def test_status_counts_connections_and_tells_the_age_of_what_is_shown(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        await stage.connected()
        await stage.until(lambda: stage.pits.peer.connection is not None)  # its own end, too
        pits = AdminClient(tmp_path / "pits" / ADMIN_SOCKET)
        cloud = AdminClient(tmp_path / "cloud" / ADMIN_SOCKET)
        first = (await pits.status())["link"]["connections"]
        before = stage.cloud.members[SITE].site.peer.connection
        await pits.act("reconnect")
        await stage.until(lambda: stage.cloud.members[SITE].site.peer.connection not in (None, before))
        await stage.until(lambda: stage.pits.peer.figures.opened == first + 1)
        assert (await pits.status())["link"]["connections"] == first + 1
        shown = (await cloud.status())["sites"][SITE]
        assert shown["connections"] == 2
        assert shown["age_s"] is None or 0 <= shown["age_s"] < 30
